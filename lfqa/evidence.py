"""How well a stretch of a passage bears out a sentence, from their words alone: no model, well under a millisecond.

Counting shared words calls "aspirin does not thin the blood" supported by "aspirin thins the blood". So the words of the sentence are
also aligned with those of the evidence, in order, and what the alignment leaves over is looked at: a word in the place of another in an
otherwise copied sentence, words that changed places, a denial on one side only, the two ends of a sentence with its middle cut out, the
beginning of one sentence with the end of the next, the same words twice. A logistic regression weighs these; its coefficients come from
``python -m lfqa.training.support`` (made near misses, and the tuning half of tests/data/support_pairs.jsonl).

A number, a name, or a word that English does not have, missing from the evidence, decides alone: not supported.

It does not know that two different words mean the same, nor what follows from what.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from functools import cached_property

from lfqa.sentences import sentence_spans
from lfqa.types import Passage
from lfqa.wording import Word, is_common, opposites, words

MISSING_AT_MOST = 0.3
"""Largest share of a supported sentence's content, by weight, that its evidence lacks."""

COEFFICIENTS = {
    "missing": -0.92,
    "in_place_of": -0.11,
    "in_place_of_in_copy": -8.80,
    "elsewhere": -6.19,
    "denied": -3.72,
    "not_copied": 0.16,
    "unordered": -0.08,
    "opposed": -5.03,
    "moved_alone": -0.87,
    "moved_alone_in_copy": -1.72,
    "moved_together": -0.04,
    "parted": -2.66,
    "said_twice": -3.70,
    "two_sentences": 0.08,
    "gaps": 0.30,
    "jumps_in_copy": -1.82,
    "replaced_in_copy": -1.54,
}
INTERCEPT = 1.24  # so that the default threshold is 0.5

_STAND_INS = frozenset("the a an it they this that these those its their he she his her them such which who".split())
_RUN = 3  # words in a row that make a copy
_SHARE = 2  # words that each of two sentences has to add
_COPY = 0.8  # share of copied words from which a sentence is an altered copy


@dataclass(frozen=True)
class Statement:
    """The words of a sentence, ready to be compared."""

    words: tuple[Word, ...]

    @cached_property
    def keys(self) -> list[str]:
        """Every word's key, in order."""
        return [word.key for word in self.words]

    @cached_property
    def told(self) -> list[Word]:
        """The content words, in order."""
        return [word for word in self.words if word.weight]

    @cached_property
    def pairs(self) -> list[tuple[str, str]]:
        """Neighbouring content words, in order."""
        keys = [word.key for word in self.told]
        return list(zip(keys, keys[1:], strict=False))

    @cached_property
    def total(self) -> float:
        """The weight of all content words."""
        return sum(word.weight for word in self.told)

    @cached_property
    def denials(self) -> dict[str, set[int]]:
        """How each content word is denied where it stands."""
        return _denials(self.words)


class Evidence:
    """One or two consecutive sentences of a passage, ready to be compared.

    Parameters
    ----------
    sentences
        The words of each sentence.
    topic
        Keys of the passage's title: what its sentences are about where they say "it".
    known
        Keys of the whole passage.
    """

    def __init__(
        self, sentences: Sequence[tuple[Word, ...]], topic: frozenset[str] = frozenset(), known: frozenset[str] = frozenset()
    ) -> None:
        self.words = tuple(word for sentence in sentences for word in sentence)
        self.held = frozenset(word.key for word in self.words if word.weight)
        self.topic, self.known = topic, known
        self.length = len(sentences)
        self._each = [frozenset(word.key for word in sentence) for sentence in sentences]

    @cached_property
    def _places(self) -> dict[str, list[int]]:
        places = defaultdict(list)
        for place, word in enumerate(word for word in self.words if word.weight):
            places[word.key].append(place)
        return places

    @cached_property
    def _pairs(self) -> Counter[tuple[str, str]]:
        return Counter(Statement(self.words).pairs)

    @cached_property
    def _denials(self) -> dict[str, set[int]]:
        return _denials(self.words)

    @cached_property
    def _matcher(self) -> SequenceMatcher[str]:
        matcher: SequenceMatcher[str] = SequenceMatcher(None, autojunk=False)
        matcher.set_seq2([word.key for word in self.words])
        return matcher

    def recall(self, claim: Statement) -> float:
        """Return the share of the claim's content, by weight, that the evidence holds."""
        held = sum(word.weight for word in claim.told if word.key in self.held or word.key in self.topic)
        return held / claim.total if claim.total else 0.0

    def score(self, claim: Statement) -> float:
        """Return how surely the evidence bears out `claim`, 0 to 1; 1 where it says it word for word."""
        if claim.told and [word.key for word in self.words] == claim.keys:
            return 1.0
        if not self.holds_enough(claim):
            return 0.0
        found = self.features(claim)
        return 1 / (1 + math.exp(-INTERCEPT - sum(COEFFICIENTS[name] * value for name, value in found.items())))

    def holds_enough(self, claim: Statement) -> bool:
        """Say whether the evidence lacks little of the claim, and no number, name or word that English does not have."""
        if self.recall(claim) < 1 - MISSING_AT_MOST or not self._shared_out(claim):
            return False
        lacking = [word for word in claim.told if word.key not in self.held and word.key not in self.topic]
        return not any(word.particular or not (is_common(word.key) or word.key in self.known) for word in lacking)

    def features(self, claim: Statement) -> dict[str, float]:
        """Return what the score weighs; all zero for a claim that is found whole."""
        lacking = [word for word in claim.told if word.key not in self.held and word.key not in self.topic]
        missing = sum(word.weight for word in lacking)
        self._matcher.set_seq1(claim.keys)
        steps = self._matcher.get_opcodes()
        runs = [(start, end) for tag, start, end, _, _ in steps if tag == "equal"]
        copied = _copied(claim, runs)
        ordered = sum(word.weight for start, end in runs for word in claim.words[start:end]) / max(claim.total, 0.1)
        in_place, alone, together, replaced, gaps, jumps = self._edits(claim, steps)
        altered = float(copied >= _COPY)
        return {
            "missing": missing / max(claim.total, 0.1),
            "in_place_of": in_place,
            "in_place_of_in_copy": in_place * max(0.0, copied - 0.4),
            "elsewhere": sum(word.weight for word in lacking if word.key in self.known) / max(claim.total, 0.1),
            "denied": self._denied(claim, steps),
            "not_copied": 1 - copied,
            "unordered": 1 - ordered,
            "opposed": self._opposed(claim),
            "moved_alone": alone,
            "moved_alone_in_copy": alone * (copied >= 0.6),
            "moved_together": together,
            "parted": self._parted(claim),
            "said_twice": self._said_twice(claim),
            "two_sentences": float(self.length > 1),
            "gaps": gaps,
            "jumps_in_copy": jumps * altered,
            "replaced_in_copy": replaced * altered,
        }

    def is_copied_by(self, claim: Statement) -> bool:
        """Say whether most of the claim stands here word for word."""
        self._matcher.set_seq1(claim.keys)
        return _copied(claim, [(block.a, block.a + block.size) for block in self._matcher.get_matching_blocks()]) >= _COPY

    def _edits(self, claim: Statement, steps: Sequence[tuple[str, int, int, int, int]]) -> tuple[float, ...]:
        """Return the weight of words that moved alone and together with a neighbour, and counts of what the claim leaves out.

        Those are content words that other words replace, short ones passed over, and long ones.
        """
        in_place = alone = together = replaced = gaps = jumps = 0.0
        for tag, start, end, from_, to in steps:
            if tag == "equal":
                continue
            said = [word for word in claim.words[start:end] if word.weight]
            there = [word for word in self.words[from_:to] if word.weight]
            held = [word for word in said if word.key in self._places]
            neighbours = [
                any(0 < abs(j - i) <= 2 for i in self._places[one.key] for j in self._places[other.key])
                for one, other in zip(held, held[1:], strict=False)
            ]
            for place, word in enumerate(held):
                if any(neighbours[max(0, place - 1) : place + 1]):
                    together += word.weight
                elif there:
                    alone += word.weight
            if tag == "replace" and there and len(said) <= 3:
                in_place += sum(word.weight for word in said if word.key not in self.held and word.key not in self.topic)
            if tag == "replace" and 0 < len(there) <= 2 and not said and any(w.key not in _STAND_INS for w in claim.words[start:end]):
                replaced += 1
            if start > 0 and end < len(claim.words) and not said:
                gaps += tag == "insert" and bool(there)
                jumps += len(there) >= 4
        return min(2.0, in_place), alone, together, replaced, min(3.0, gaps), min(2.0, jumps)

    def _opposed(self, claim: Statement) -> float:
        """Return how many words of the claim are missing here while their opposites are here and not in the claim; at most 2."""
        mine, theirs = set(claim.keys), {word.key for word in self.words}
        return min(2.0, sum(bool((opposites().get(key, frozenset()) & theirs) - mine) for key in mine - theirs))

    def _denied(self, claim: Statement, steps: Sequence[tuple[str, int, int, int, int]]) -> float:
        """Return how many words only one side denies, or 1 where a comparison is turned round; at most 2."""
        aligned = sum(
            bool(mine.weight) and {mine.denied, theirs.denied} == {0, 2}
            for tag, start, end, from_, to in steps
            if tag == "equal"
            for mine, theirs in zip(claim.words[start:end], self.words[from_:to], strict=True)
        )
        anywhere = 0
        for key, mine_denied in claim.denials.items():
            theirs_denied = self._denials.get(key)
            if theirs_denied:
                anywhere += 2 in mine_denied and 0 not in mine_denied and theirs_denied == {0}
                anywhere += 2 in theirs_denied and 0 not in theirs_denied and mine_denied == {0}
        return min(2.0, max(aligned, anywhere) + self._turned_round(claim))

    def _turned_round(self, claim: Statement) -> bool:
        """Say whether words on one side of "than" stand on the other one in the evidence, and the other way round."""
        sides = []
        for said in (claim.words, self.words):
            places = [place for place, word in enumerate(said) if word.key == "than"]
            if len(places) != 1:
                return False
            left = {word.key for word in said[: places[0]] if word.weight}
            right = {word.key for word in said[places[0] :] if word.weight}
            sides.append((left - right, right - left))
        (mine_left, mine_right), (theirs_left, theirs_right) = sides
        return bool(mine_left & theirs_right) and bool(mine_right & theirs_left)

    def _parted(self, claim: Statement) -> float:
        """Return the share of the claim's neighbouring words that do not stand near each other, in that order, in the evidence."""
        both = [(a, b) for a, b in claim.pairs if a in self._places and b in self._places]
        if not both:
            return 1.0
        return sum(not any(0 < j - i <= 2 for i in self._places[a] for j in self._places[b]) for a, b in both) / len(both)

    def _said_twice(self, claim: Statement) -> float:
        stutters = sum(a == b and (a, b) not in self._pairs for a, b in claim.pairs)
        again = sum(max(0, count - max(1, self._pairs[pair])) for pair, count in Counter(claim.pairs).items())
        return min(2.0, stutters + again)

    def _shared_out(self, claim: Statement) -> bool:
        """Say whether each sentence gives several words that the others lack; fewer are likely a fact about something else."""
        if self.length < 2:
            return True
        held = {word.key for word in claim.told if word.key in self.held and word.key not in self.topic}
        return all(sum(key not in other for key in held) >= _SHARE for other in self._each)


def _copied(claim: Statement, runs: Sequence[tuple[int, int]]) -> float:
    return sum(end - start for start, end in runs if end - start >= _RUN) / max(1, len(claim.words))


@dataclass(frozen=True)
class Span:
    """Where in which passage a piece of evidence stands: characters of the passage's text."""

    passage_id: str
    start: int
    end: int
    evidence: Evidence


def spans(passage: Passage) -> Iterator[Span]:
    """Yield every sentence of `passage`, then every two consecutive ones."""
    bounds = sentence_spans(passage.passage_text)
    sentences = [words(passage.passage_text[start:end]) for start, end in bounds]
    topic = frozenset(word.key for word in words(passage.article_title))
    known = topic.union(word.key for sentence in sentences for word in sentence)
    for length in (1, 2):
        for first in range(len(bounds) - length + 1):
            last = first + length - 1
            yield Span(passage.passage_id, bounds[first][0], bounds[last][1], Evidence(sentences[first : last + 1], topic, known))


def _denials(said: Sequence[Word]) -> dict[str, set[int]]:
    found: dict[str, set[int]] = defaultdict(set)
    for word in said:
        if word.weight:
            found[word.key].add(word.denied)
    return found
