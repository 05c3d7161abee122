"""Which words of which passage support a sentence of the answer.

A sentence is held against every one or two consecutive sentences of every passage. The score of such a span is the share of the
sentence's content words (stemmed; stop words left out; names and numbers count double) that the span holds; it is halved where a name
or number is missing, and lowered where one of the two denies and the other does not. A span supports the sentence when the score
reaches a threshold. A sentence with many words that none of the passages holds is not supported at all: it was made up, or broken in
writing. This is recall of content in the sense of "knowledge precision" metrics, not entailment: it does not see changed roles
("A ate B" against "B ate A").
"""

from __future__ import annotations

import re
import threading
from collections.abc import Sequence
from dataclasses import dataclass

import Stemmer

from lfqa.sentences import sentence_spans
from lfqa.types import Citation, Passage, Sentence

SUPPORTED_AT = 0.6
"""Default threshold on the support score."""

MADE_UP_AT_MOST = 0.18
"""Largest share of a supported sentence's content words that no passage holds: room for a paraphrase, not for a new fact."""

_TOKEN = re.compile(r"\d+(?:[.,]\d+)*|[^\W\d_]+(?:['’][^\W\d_]+)?")
_STOP_WORDS = frozenset(
    """
    a about above after again against all almost also although always am among an and another any anything are around as at
    be because been before being below between both but by called can can't cannot could did do does doing don't done down
    during each either else especially etc even ever every few first for from further get gets had has have having he her
    here hers him his how however i if in including indeed instead into is it it's its itself just kind known like likely
    made mainly make makes many may means might more most mostly much must my near neither next nor now of off often on once
    one only onto or other others our out over own per perhaps place quite rather really s same second several she should
    since so some something sometimes still such than that that's the their them themselves then there therefore these they
    thing things this those though three through thus to together too two under until up upon us use used uses using usually
    very via was way ways we well were what when where whether which while who whom whose why will with within without would
    yet you your
    """.split()
)
_NEGATION = re.compile(r"\b(?:not|no|never|neither|nor|none|nobody|nothing|cannot|without|\w+n['’]t)\b", re.IGNORECASE)
_NUMBER_WORDS = {
    word: str(number)
    for number, word in enumerate(
        "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen "
        "eighteen nineteen twenty".split()
    )
}
_local = threading.local()  # a stemmer keeps state while it works, so each thread has its own


def _stem(word: str) -> str:
    stemmer = getattr(_local, "stemmer", None)
    if stemmer is None:
        stemmer = _local.stemmer = Stemmer.Stemmer("english")
    return stemmer.stemWord(word)


@dataclass(frozen=True)
class Content:
    """What a text says, as far as words show: weighted stems, those of its names and numbers, and whether it denies."""

    weights: dict[str, float]
    particulars: frozenset[str]
    negated: bool


def content(text: str) -> Content:
    """Return the content words of `text`: stems with weight 1, or 2 for numbers and for capitalised words inside a sentence."""
    weights: dict[str, float] = {}
    particulars = set()
    for match in _TOKEN.finditer(text):
        word = match.group()
        if word[0].isdigit():
            key = word.replace(",", "").rstrip(".")
            particulars.add(key)
            weights[key] = 2.0
            continue
        lower = re.sub(r"['’]s$", "", word.lower()).replace("’", "'")
        if lower in _STOP_WORDS or len(lower) < 2:
            if lower in _NUMBER_WORDS:
                weights.setdefault(_NUMBER_WORDS[lower], 0.0)
            continue
        name = word[0].isupper() and match.start() > 0 and text[match.start() - 2 : match.start()] not in (". ", "? ", "! ", ": ")
        key = _NUMBER_WORDS.get(lower) or _stem(lower)
        weights[key] = max(weights.get(key, 0.0), 2.0 if name else 1.0)
        if name:
            particulars.add(key)
    return Content(weights, frozenset(particulars), bool(_NEGATION.search(text)))


def coverage(claim: Content, evidence: Content) -> float:
    """Return the weighted share of the claim's content words that the evidence holds, 0 to 1; 0 for an empty claim."""
    total = sum(claim.weights.values())
    if not total:
        return 0.0
    return sum(weight for key, weight in claim.weights.items() if key in evidence.weights) / total


def support(claim: Content, evidence: Content) -> float:
    """Return `coverage`, halved where a name or number is missing in the evidence, and less 0.1 where only one of the two denies."""
    score = coverage(claim, evidence)
    if not claim.particulars <= evidence.weights.keys():
        score *= 0.5
    if claim.negated != evidence.negated:
        score -= 0.1
    return max(0.0, score)


@dataclass(frozen=True)
class _Span:
    passage_id: str
    start: int
    end: int
    content: Content


def _spans(passage: Passage) -> list[_Span]:
    text = passage.passage_text
    title = content(passage.article_title).weights
    bounds = sentence_spans(text)
    spans = []
    for length in (1, 2):
        for first in range(len(bounds) - length + 1):
            start, end = bounds[first][0], bounds[first + length - 1][1]
            held = content(text[start:end])
            # a passage is about its title, also in the sentences that say "it"
            spans.append(_Span(passage.passage_id, start, end, Content({**title, **held.weights}, held.particulars, held.negated)))
    return spans


class Attributor:
    """Holds the passages of one question ready, to attribute sentences as they are written."""

    def __init__(self, passages: Sequence[Passage], threshold: float = SUPPORTED_AT, most: int = 2) -> None:
        if not 0 < threshold <= 1:
            raise ValueError(f"the support threshold must be above 0 and at most 1, not {threshold}")
        self.threshold, self.most = threshold, most
        self._passages = [_spans(passage) for passage in passages]
        self._known = {key for spans in self._passages for span in spans for key in span.content.weights}

    def sentence(self, text: str) -> Sentence:
        """Return `text` with at most `most` citations, one a passage, best first; unsupported where no span reaches the threshold."""
        claim = content(text)
        made_up = sum(weight for key, weight in claim.weights.items() if key not in self._known)
        if made_up > MADE_UP_AT_MOST * sum(claim.weights.values()):
            return Sentence(text, False)
        best: list[tuple[float, _Span]] = []
        for spans in self._passages:
            scored = [(support(claim, span.content), span) for span in spans]
            if scored:
                # of equal scores the shorter span: one sentence is easier to check than two
                best.append(max(scored, key=lambda item: (round(item[0], 3), item[1].start - item[1].end)))
        best = sorted((item for item in best if item[0] >= self.threshold), key=lambda item: -item[0])
        citations = tuple(Citation(s.passage_id, score, s.start, s.end) for score, s in best[: self.most])
        return Sentence(text, bool(citations), citations)


def attribute(answer: str, passages: Sequence[Passage], threshold: float = SUPPORTED_AT, most: int = 2) -> tuple[Sentence, ...]:
    """Split `answer` into sentences and attribute each; see `Attributor`."""
    attributor = Attributor(passages, threshold, most)
    return tuple(attributor.sentence(answer[start:end]) for start, end in sentence_spans(answer))
