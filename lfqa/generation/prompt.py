"""The generator's input: the question and what is read of the passages, within a token budget.

Two styles. ``sentences`` (the embedded checkpoint): of each passage the sentences closest to the question, under its title and
section, so that a short input holds what matters of many passages. ``passages`` (the checkpoints published in 2020): whole
passage texts in rank order, without titles, the last one cut where the budget ends.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

PASSAGE_MARK = "<P>"
RANK_MARKS = ("<1>", "<2>", "<3>", "<4>")
"""What stands before the sentences closest to the question, the closest first; a checkpoint without these tokens reads none."""
NO_ANSWER = "The passages found do not answer this question."
"""The target of training inputs in which no passage answers."""

_SPECIAL = re.compile(r"<(/?s|pad|unk|mask|P|[1-4])>", re.IGNORECASE)

TokenCounter = Callable[[str], int]


@dataclass(frozen=True)
class Source:
    """A passage as the prompt sees it: its text, its heading, and its scored sentences.

    Attributes
    ----------
    sentences
        ``(start, end, score)``: characters of `text`, and how close the sentence is to the question.
    ranked_by
        One number a sentence by which the closest are marked, where that is not the score.
    """

    title: str
    section: str
    text: str
    sentences: tuple[tuple[int, int, float], ...] = ()
    ranked_by: tuple[float, ...] = ()


@dataclass(frozen=True)
class Prompt:
    """The text that the generator reads, and of which characters of each source it was made.

    Attributes
    ----------
    text
        ``question: ... context: <P> ... <P> ...``.
    read
        For each source, in the order given, the ``(start, end)`` spans of its text that are in `text`; empty where it was cut.
    tokens
        Length of `text` in the generator's tokens.
    """

    text: str
    read: tuple[tuple[tuple[int, int], ...], ...]
    tokens: int


def plain(text: str) -> str:
    """Return `text` on one line, its marks that the tokenizer would take for special tokens defused."""
    # the spaces keep what stood around a mark from closing up to another one, as in "<<P>>" or "<ma<s>k>"
    return re.sub(r"\s+", " ", _SPECIAL.sub(r" \1 ", text)).strip()


def heading(title: str, section: str) -> str:
    """Return ``title. section`` of what is there."""
    return ". ".join(part for part in (plain(title), plain(section)) if part)


def headings(title: str, section: str) -> list[str]:
    """Return the ways in which a prompt, or a sentence copied from one, can name a passage."""
    return [part for part in dict.fromkeys((plain(title), plain(section), heading(title, section))) if part]


def compose(question: str, parts: Sequence[str]) -> str:
    """Return the prompt text for the passages' texts `parts`."""
    context = "".join(f" {PASSAGE_MARK} {part}" for part in parts)
    return f"question: {plain(question)} context:{context}"


def _part(source: Source, chosen: Sequence[int], marks: Mapping[int, str]) -> str:
    said = ((marks.get(i), source.sentences[i]) for i in sorted(chosen))
    body = " ".join(f"{mark} {plain(source.text[s:e])}" if mark else plain(source.text[s:e]) for mark, (s, e, _) in said)
    head = heading(source.title, source.section)
    return f"{head}: {body}" if head else body


def _marked(sources: Sequence[Source], chosen: Mapping[int, Sequence[int]], marks: Sequence[str]) -> dict[int, dict[int, str]]:
    """Return for each source which of its chosen sentences carry which mark."""
    places = [(number, index) for number, indices in chosen.items() for index in indices]

    def value(place: tuple[int, int]) -> float:
        source = sources[place[0]]
        return source.ranked_by[place[1]] if source.ranked_by else source.sentences[place[1]][2]

    marked: dict[int, dict[int, str]] = {}
    for mark, (number, index) in zip(marks, sorted(places, key=lambda place: (-value(place), place)), strict=False):
        marked.setdefault(number, {})[index] = mark
    return marked


def sentence_prompt(question: str, sources: Sequence[Source], count: TokenCounter, budget: int, marks: Sequence[str] = ()) -> Prompt:
    """Fill `budget` tokens with the sentences of `sources` that score highest, kept in the order of sources and text.

    Parameters
    ----------
    marks
        Put before the sentences with the highest scores, one each, best first.

    Raises
    ------
    ValueError
        When the question alone does not fit.
    """
    used = count(compose(question, []))
    if used >= budget:
        raise ValueError(f"the question takes {used} tokens of the {budget} that the generator reads: shorten it")
    used += len(marks)
    ranked = sorted(
        ((score, number, index) for number, s in enumerate(sources) for index, (_, _, score) in enumerate(s.sentences)),
        key=lambda item: (-item[0], item[1], item[2]),
    )
    chosen: dict[int, list[int]] = {}
    added: list[int] = []
    for _, number, index in ranked:
        source = sources[number]
        start, end, _ = source.sentences[index]
        cost = count(plain(source.text[start:end]))
        if number not in chosen:
            cost += count(f"{PASSAGE_MARK} {heading(source.title, source.section)}:")
        if used + cost <= budget:
            chosen.setdefault(number, []).append(index)
            added.append(number)
            used += cost
    while True:
        marked = _marked(sources, chosen, marks)
        parts = [_part(sources[number], chosen[number], marked.get(number, {})) for number in sorted(chosen) if chosen[number]]
        text = compose(question, parts)
        tokens = count(text)
        if tokens <= budget or not added:
            break
        # put together, the pieces can take more tokens than one by one
        chosen[added.pop()].pop()
    read = tuple(tuple(source.sentences[i][:2] for i in sorted(chosen.get(number, ()))) for number, source in enumerate(sources))
    return Prompt(text, read, tokens)


def passage_prompt(question: str, sources: Sequence[Source], count: TokenCounter, budget: int) -> Prompt:
    """Fill `budget` tokens with whole passage texts in order; the first that does not fit is cut at a word, the rest left out.

    Raises
    ------
    ValueError
        When the question alone does not fit.
    """
    parts: list[str] = []
    read: list[tuple[tuple[int, int], ...]] = []
    if (used := count(compose(question, []))) >= budget:
        raise ValueError(f"the question takes {used} tokens of the {budget} that the generator reads: shorten it")
    full = False
    for source in sources:
        text = "" if full else source.text.rstrip()
        ends = [match.end() for match in re.finditer(r"\S+", text)]
        low, high = 0, len(ends)
        while low < high:  # the most words that still fit
            middle = (low + high + 1) // 2
            if count(compose(question, [*parts, plain(text[: ends[middle - 1]])])) <= budget:
                low = middle
            else:
                high = middle - 1
        full = full or low < len(ends)
        if low:
            parts.append(plain(text[: ends[low - 1]]))
            read.append(((0, ends[low - 1]),))
        else:
            read.append(())
    text = compose(question, parts)
    return Prompt(text, tuple(read), count(text))
