"""How often the decision on support is right: precision and recall on sentence-passage pairs labelled by reading."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt
from pathlib import Path

from lfqa.attribution import Attributor
from lfqa.corpus.lines import read_objects
from lfqa.types import SUPPORTED_AT, Passage

Rate = tuple[float, float, float]
"""A share and its 95% interval."""


@dataclass(frozen=True, slots=True)
class Pair:
    """A sentence, a passage, and whether the passage says it.

    Attributes
    ----------
    kind
        What the pair is an example of, for instance ``near-miss-number``.
    part
        ``tune`` or ``test``.
    """

    sentence: str
    passage: Passage
    supported: bool
    kind: str
    part: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the decision made of pairs: rates over all of them, and how many of each kind it called supported."""

    precision: Rate
    recall: Rate
    called_supported: dict[str, tuple[int, int]]


def read_pairs(path: Path) -> list[Pair]:
    """Return the pairs of a file like tests/data/support_pairs.jsonl; tests/data/support_pairs.md describes the fields.

    Raises
    ------
    ValueError
        When a line is not JSON or lacks a field; the message names the line.
    """
    pairs = []
    for number, record in read_objects(path):
        try:
            passage = Passage(str(number), record["passage_title"], "", record["passage_text"])
            pairs.append(Pair(record["sentence"], passage, bool(record["supported"]), record["kind"], record["part"]))
        except KeyError as error:
            raise ValueError(f"{path}, line {number}: {error} is missing") from error
    return pairs


def wilson(hits: int, total: int, z: float = 1.96) -> Rate:
    """Return a share with its Wilson score interval (Wilson 1927); (0, 0, 1) of nothing."""
    if not total:
        return 0.0, 0.0, 1.0
    share = hits / total
    middle = (share + z * z / (2 * total)) / (1 + z * z / total)
    half = z * sqrt(share * (1 - share) / total + z * z / (4 * total * total)) / (1 + z * z / total)
    return share, middle - half, middle + half


def judge_pairs(pairs: Sequence[Pair], threshold: float = SUPPORTED_AT) -> Verdict:
    """Return how right the decision is on `pairs`, each sentence held against its one passage."""
    called: Counter[str] = Counter()
    right = 0
    for pair in pairs:
        if Attributor([pair.passage], threshold).sentence(pair.sentence).supported:
            called[pair.kind] += 1
            right += pair.supported
    kinds = Counter(pair.kind for pair in pairs)
    return Verdict(
        wilson(right, called.total()),
        wilson(right, sum(pair.supported for pair in pairs)),
        {kind: (called[kind], kinds[kind]) for kind in sorted(kinds)},
    )


def verdict_text(verdict: Verdict) -> str:
    """Return a verdict as lines to print."""
    lines = [
        f"{name} {share:.3f} (95% interval {low:.3f} to {high:.3f})"
        for name, (share, low, high) in (("precision", verdict.precision), ("recall", verdict.recall))
    ]
    return "\n".join(
        [*lines, *(f"{kind}: {called} of {total} called supported" for kind, (called, total) in verdict.called_supported.items())]
    )
