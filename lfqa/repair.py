"""From what a model wrote to what is shown: each sentence is kept, replaced by the passage sentence it came from, or dropped.

A small model slips: it breaks a word, mixes two sentences, stutters, stops in the middle, says a thing twice. What no passage supports
is not shown as if one did. Where a passage's sentence is near enough to what was written, that sentence stands in its place, marked as
quoted; where none is, nothing does. When little is left, the passage sentences closest to the question fill up, marked the
same way; so is the first sentence, where the model was made to begin with the closest one.
"""

from __future__ import annotations

import re
import time
from collections import Counter
from collections.abc import Collection, Generator, Iterable, Sequence
from dataclasses import dataclass, field, replace
from difflib import SequenceMatcher

from lfqa.attribution import Attributor
from lfqa.sentences import sentence_spans
from lfqa.types import Passage, Sentence, SentenceWritten, Token
from lfqa.wording import content, coverage

FEWEST, MOST = 3, 8
"""Sentences of an answer, where the passages hold enough."""
NEAR = 0.5
"""Share of a written sentence's content words that a passage sentence has to hold to stand in its place."""
_REPEATED = 0.75  # share of a sentence's content words in an earlier one from which it is a repetition
_ON_TOPIC = 0.6  # closeness to the question that a quotation needs, as a share of the closest sentence's
_SENTENCE_ENDS = (".", "!", "?")
_CLOSERS = "\"')]”’"
_TEXTBOOK = re.compile(
    r"\b(?:(?:figures?|tables?|chapters?|equations?|boxes|box) (?:\d|above|below)|(?:the|this) (?:figure|chapter|module|textbook|lesson)\b"
    r"|as (?:we|you) (?:saw|have seen|will see|learned|discussed|know)|(?:in|from) (?:the )?(?:previous|next|last|this) (?:section|chapter)"
    r"|see (?:figure|table|chapter)|learning objectives?|recall that)",
    re.IGNORECASE,
)
_LEANING = re.compile(
    r"(?:it|its|they|their|he|she|his|her|this|these|those|such|both|however|therefore|thus|instead|also|then|but|and|or|so|another)\b",
    re.IGNORECASE,
)
_WORD = re.compile(r"[^\W\d_]+(?:['’-][^\W\d_]+)*")


def tidy(text: str) -> str:
    """Return a sentence on one line with a capital first letter, without blanks before marks or after an opening one."""
    text = " ".join(text.split())
    text = re.sub(r" (?=[,;:.!?)\]”’](?:\s|$))", "", text)
    text = re.sub(r"(?<=[(\[“]) ", "", text)
    return text[:1].upper() + text[1:]


def is_finished(text: str) -> bool:
    """Say whether a sentence ends as one."""
    return text.rstrip(_CLOSERS).endswith(_SENTENCE_ENDS)


def repeats(text: str, earlier: Sequence[str]) -> bool:
    """Say whether a sentence says little that one of `earlier` does not."""
    said = content(text)
    return any(coverage(said, content(other)) >= _REPEATED for other in earlier)


def repeats_itself(text: str) -> bool:
    """Say whether the last sentence of `text` says little that an earlier one does not."""
    sentences = [text[start:end] for start, end in sentence_spans(text)]
    return bool(sentences) and repeats(sentences[-1], sentences[:-1])


def without_heading(text: str, headings: Collection[str]) -> str:
    """Return a sentence without the heading of a passage that the model copied before it; nothing where it is one and no more.

    Parameters
    ----------
    headings
        In lower case.
    """
    if text.strip().rstrip(".:").lower() in headings:
        return ""
    head, colon, rest = text.partition(": ")
    return rest if colon and head.strip().lower() in headings else text


def asks_again(text: str, question: str) -> bool:
    """Say whether a sentence is a question, or the question's words over again."""
    if text.rstrip(_CLOSERS).endswith("?"):
        return True
    mine, asked = (_WORD.findall(said.lower()) for said in (text, question))
    return SequenceMatcher(None, mine, asked, autojunk=False).ratio() >= 0.9


def is_of_a_textbook(text: str) -> bool:
    """Say whether a sentence speaks of figures, chapters or what "we saw", which the reader does not have."""
    return bool(_TEXTBOOK.search(text))


def in_the_case_of(text: str, evidence: str) -> str:
    """Return a sentence with its words, but the first, in the case that `evidence` writes them in, and its hyphens closed like there."""
    bounds = sentence_spans(evidence)
    first = {start for start, _ in bounds}
    written: dict[str, set[str]] = {}
    for match in _WORD.finditer(evidence):
        if match.start() not in first:  # there the capital may be only the sentence's
            written.setdefault(match.group().lower(), set()).add(match.group())

    def cased(match: re.Match[str]) -> str:
        forms = written.get(match.group().lower(), set())
        return next(iter(forms)) if len(forms) == 1 and match.start() else match.group()

    closed = re.sub(r"(\w+)- (\w+)", lambda m: f"{m[1]}-{m[2]}" if f"{m[1]}-{m[2]}".lower() in evidence.lower() else m[0], text)
    return _WORD.sub(cased, closed)


@dataclass(frozen=True, slots=True)
class Quotable:
    """A passage sentence that can be quoted: its text and how close it is to the question."""

    text: str
    closeness: float


def quotables(read: Iterable[tuple[Passage, Sequence[tuple[int, int, float]]]]) -> list[Quotable]:
    """Return the sentences that stand alone and are on topic, closest to the question first.

    Parameters
    ----------
    read
        Passages, each with its sentences as ``(start, end, closeness)``.
    """
    found = [Quotable(passage.passage_text[start:end], closeness) for passage, spans in read for start, end, closeness in spans]
    closest = max((quotable.closeness for quotable in found), default=0.0)
    kept = [q for q in found if q.closeness >= _ON_TOPIC * closest and is_finished(q.text) and not is_of_a_textbook(q.text)]
    return sorted((q for q in kept if not _LEANING.match(q.text) and not q.text.rstrip(_CLOSERS).endswith("?")), key=lambda q: -q.closeness)


@dataclass
class Editor:
    """Takes the sentences of one answer as they are written and gives back those to show.

    Attributes
    ----------
    attributor
        Decides what is supported.
    sources
        What may be quoted, closest to the question first.
    opening
        The passage sentence that the model was made to begin with, if any: it is shown as quoted.
    headings
        Of the passages, in lower case: what is no part of an answer.
    mends
        Where not, what nothing supports is shown as that, and nothing is replaced or added.
    shown
        What was given back so far.
    counts
        How many sentences were ``kept``, ``replaced``, ``dropped`` and ``added``.
    seconds
        Time spent so far.
    """

    question: str
    attributor: Attributor
    sources: Sequence[Quotable]
    mends: bool = True
    opening: str = ""
    headings: Collection[str] = ()
    shown: list[Sentence] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    seconds: float = 0.0

    def take(self, written: str) -> Sentence | None:
        """Return what to show for a written sentence; None for nothing."""
        began = time.perf_counter()
        sentence, what = None, "dropped"
        written = without_heading(written, self.headings) if self.mends else written
        if written and len(self.shown) < MOST:
            sentence, what = self._kept(tidy(written)), "kept"
            if sentence is not None and not self.shown and written == self.opening:
                sentence = replace(sentence, quoted=True)
            if sentence is None and self.mends:
                sentence, what = self._quoted_for(written), "replaced"
        self._count(sentence, what)
        self.seconds += time.perf_counter() - began
        return sentence

    def quote(self, sentences: Iterable[str]) -> Generator[SentenceWritten, None, None]:
        """Yield sentences that come from the passages as they are, judged."""
        for text in sentences:
            began = time.perf_counter()
            self._count(self.attributor.sentence(text), "kept")
            self.seconds += time.perf_counter() - began
            yield SentenceWritten(self.shown[-1])

    def fill(self) -> list[Sentence]:
        """Return what is added when fewer than `FEWEST` sentences are left; nothing where nothing is left."""
        began = time.perf_counter()
        added: list[Sentence] = []
        for source in self.sources if self.mends else ():
            if 0 < len(self.shown) < FEWEST and not self._said(source.text):
                added.append(self._quotation(source))
                self._count(added[-1], "added")
        self.seconds += time.perf_counter() - began
        return added

    def _count(self, sentence: Sentence | None, what: str) -> None:
        self.counts[what if sentence else "dropped"] += 1
        if sentence is not None:
            self.shown.append(sentence)

    def _said(self, text: str) -> bool:
        earlier = [sentence.text for sentence in self.shown]
        return repeats(text, earlier) or any(repeats(other, [text]) for other in earlier)

    def _kept(self, text: str) -> Sentence | None:
        if not self.mends:
            judged = self.attributor.sentence(text)
            return judged if is_finished(text) and not repeats(text, [sentence.text for sentence in self.shown]) else None
        if not is_finished(text) or is_of_a_textbook(text) or asks_again(text, self.question) or self._said(text):
            return None
        judged = self.attributor.sentence(text)
        if not judged.supported:
            return None
        cased = in_the_case_of(text, " ".join(self.attributor.cited(judged)))
        return replace(judged, text=cased)

    def _quoted_for(self, written: str) -> Sentence | None:
        claim = content(written)
        near = max(self.sources, key=lambda source: coverage(claim, content(source.text)), default=None)
        if near is None or coverage(claim, content(near.text)) < NEAR or self._said(near.text):
            return None
        return self._quotation(near)

    def _quotation(self, source: Quotable) -> Sentence:
        return replace(self.attributor.sentence(source.text), quoted=True)


def complete_sentences(text: str) -> tuple[list[str], str]:
    """Return the sentences of a growing text that will not change any more, and what comes after them."""
    spans = sentence_spans(text)
    # a sentence is over when the next one has begun: "the U.S. " alone could still go on
    while spans and not re.search(r"\S\s+\S", text[spans[-1][0] :]):
        spans.pop()
    if len(spans) < 2:
        return [], text
    return [text[start:end] for start, end in spans[:-1]], text[spans[-1][0] :]


def edit(pieces: Iterable[str], editor: Editor, refusal: str = "") -> Generator[Token | SentenceWritten, None, bool]:
    """Yield what a model writes, and every sentence to show as soon as it is complete; return whether the model refused.

    Reading stops where the model begins to repeat itself, refuses, or has written enough.

    Parameters
    ----------
    refusal
        The sentence by which the model says that the passages do not answer; only as the first one it counts.
    """
    written = pending = ""
    for piece in pieces:
        written += piece
        pending += piece
        yield Token(piece)
        if refusal and refusal in pending and not editor.shown:
            return True
        complete, pending = complete_sentences(pending)
        for text in complete:
            if text != refusal and (sentence := editor.take(text)) is not None:
                yield SentenceWritten(sentence)
        # a small model that begins to repeat goes on repeating
        if len(editor.shown) >= MOST or (piece.rstrip().endswith(_SENTENCE_ENDS) and repeats_itself(written)):
            break
    for start, end in sentence_spans(pending):
        if pending[start:end] != refusal and (sentence := editor.take(pending[start:end])) is not None:
            yield SentenceWritten(sentence)
    yield from map(SentenceWritten, editor.fill())
    return False
