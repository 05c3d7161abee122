"""Figures with their uncertainty: what each question contributes, pooled, and a bootstrap interval over the questions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Part = tuple[float, float]
"""What one question adds to a figure's numerator and denominator: ``(value, 1)`` for a mean over questions, ``(2, 3)`` for 2 of its 3
sentences, ``(0, 0)`` where the question does not count."""

Measured = dict[str, list[Part]]
"""The parts of every figure, by name; as many parts as questions."""

RESAMPLES = 1000


@dataclass(frozen=True)
class Figure:
    """A pooled value with the bounds of its 95% interval.

    Attributes
    ----------
    count
        Questions that count.
    """

    value: float
    low: float
    high: float
    count: int

    def as_dict(self) -> dict[str, float | int]:
        """Return the figure as plain values for JSON, rounded to four places."""
        return {"value": round(self.value, 4), "low": round(self.low, 4), "high": round(self.high, 4), "count": self.count}


def pooled(parts: Sequence[Part]) -> float:
    """Return the sum of the numerators over the sum of the denominators, 0 where nothing counts."""
    total = sum(below for _, below in parts)
    return sum(above for above, _ in parts) / total if total else 0.0


def interval(parts: Sequence[Part], *, resamples: int = RESAMPLES, seed: int = 0) -> tuple[float, float]:
    """Return the 95% percentile bootstrap interval of `pooled` (Efron 1979): questions drawn with replacement.

    Questions on one topic are drawn apart though they are alike, so that the interval is rather too narrow than too wide.
    """
    table = np.array([part for part in parts if part != (0, 0)], dtype=np.float64).reshape(-1, 2)
    if not len(table):
        return 0.0, 0.0
    drawn = _counts(len(table), resamples, seed) @ table  # (resamples, 2)
    ratios = np.divide(drawn[:, 0], drawn[:, 1], out=np.zeros(len(drawn)), where=drawn[:, 1] != 0)
    low, high = np.percentile(ratios, [2.5, 97.5])
    return float(low), float(high)


def _counts(size: int, resamples: int, seed: int) -> NDArray[np.int64]:
    """Return how often each of `size` items is drawn in each resample, shape (resamples, size)."""
    return np.random.default_rng(seed).multinomial(size, np.full(size, 1 / size), size=resamples)


def means(measured: Mapping[str, Sequence[Part]]) -> dict[str, float]:
    """Return the pooled figures, rounded to four places."""
    return {name: round(pooled(parts), 4) for name, parts in measured.items()}


def figures(measured: Mapping[str, Sequence[Part]]) -> dict[str, Figure]:
    """Return the pooled figures with their intervals."""
    return {name: figure(parts) for name, parts in measured.items()}


def figure(parts: Sequence[Part]) -> Figure:
    """Return the pooled figure of `parts` with its interval."""
    return Figure(pooled(parts), *interval(parts), sum(part != (0, 0) for part in parts))


def auroc(positive: Sequence[float], negative: Sequence[float], *, resamples: int = RESAMPLES, seed: int = 0) -> Figure:
    """Return the area under the ROC curve with a bootstrap interval over both groups.

    It is the chance that a positive scores above a negative, ties counting half (Mann & Whitney 1947).

    Raises
    ------
    ValueError
        When a group is empty.
    """
    if not len(positive) or not len(negative):
        raise ValueError(f"both groups need scores, not {len(positive)} positive and {len(negative)} negative ones")
    above = np.asarray(positive, dtype=np.float64)[:, None]
    below = np.asarray(negative, dtype=np.float64)[None, :]
    wins = (above > below) + 0.5 * (above == below)  # (positives, negatives)
    share = wins / wins.size
    drawn = np.einsum(
        "rp,pn,rn->r", _counts(len(positive), resamples, seed), share, _counts(len(negative), resamples, seed + 1), optimize=True
    )
    low, high = np.percentile(drawn, [2.5, 97.5])
    return Figure(float(wins.mean()), float(low), float(high), len(positive) + len(negative))
