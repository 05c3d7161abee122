"""Metrics as pure functions."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


def first_gold_ranks(scores: NDArray[np.float32], gold: Sequence[int]) -> NDArray[np.int64]:
    """Return the rank, from 1, of each question's gold item.

    Parameters
    ----------
    scores
        Shape (questions, items); higher is better.
    gold
        The item of each question. Among equal scores the gold item counts as last, so that a constant score earns nothing.
    """
    own = scores[np.arange(len(gold)), list(gold)][:, None]  # (questions, 1)
    return (scores >= own).sum(axis=1).astype(np.int64)


def recall_at(ranks: Sequence[int] | NDArray[np.int64], k: int) -> float:
    """Return the share of gold ranks (from 1; 0 for not found) that are at most `k`."""
    array = np.asarray(ranks)
    return float(((array >= 1) & (array <= k)).mean()) if len(array) else 0.0


def mean_reciprocal_rank(ranks: Sequence[int] | NDArray[np.int64], k: int = 10) -> float:
    """Return the mean of 1 / rank over gold ranks (from 1; 0 for not found), 0 beyond `k`."""
    array = np.asarray(ranks, dtype=np.float64)
    found = (array >= 1) & (array <= k)
    return float(np.where(found, 1.0 / np.maximum(array, 1), 0.0).mean()) if len(array) else 0.0


def repeated_ngrams(text: str, n: int = 4) -> float:
    """Return the share of word n-grams of `text` that occurred before in it, 0 to 1."""
    words = text.lower().split()
    grams = [tuple(words[i : i + n]) for i in range(len(words) - n + 1)]
    return 1 - len(set(grams)) / len(grams) if grams else 0.0


def copied_ngrams(text: str, sources: Sequence[str], n: int = 5) -> float:
    """Return the share of word n-grams of `text` that one of `sources` holds, 0 to 1."""
    words = text.lower().split()
    grams = [tuple(words[i : i + n]) for i in range(len(words) - n + 1)]
    held = {tuple(w[i : i + n]) for source in sources for w in [source.lower().split()] for i in range(len(w) - n + 1)}
    return sum(gram in held for gram in grams) / len(grams) if grams else 0.0
