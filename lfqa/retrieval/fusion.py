"""Fusing ranked lists, as pure functions."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from itertools import chain, zip_longest
from typing import Literal, TypeVar

Key = TypeVar("Key", bound=Hashable)
Method = Literal["rrf", "scores", "interleave"]


def fuse(
    dense: Sequence[tuple[Key, float]],
    sparse: Sequence[tuple[Key, float]],
    method: Method = "rrf",
    *,
    weight: float = 0.5,
    constant: int = 60,
) -> list[tuple[Key, float]]:
    """Fuse what the two searches found, ``(item, score)`` best first, and return the same of both.

    Parameters
    ----------
    method
        ``rrf``, reciprocal ranks; ``scores``, weighted normalised scores; ``interleave``, one of each in turn.
    weight
        Of the dense list, 0 to 1, beside that of the sparse one; what only a list without weight holds is left out. It does not count
        where they are interleaved.
    constant
        See `reciprocal_rank_fusion`.

    Raises
    ------
    ValueError
        When `weight` is not between 0 and 1, or the lists can not be fused.
    """
    if not 0 <= weight <= 1:
        raise ValueError(f"the weight of the dense list must be 0 to 1, not {weight}")
    weights = (2 * weight, 2 * (1 - weight))  # equal ones are 1, so that the scores are those of the paper
    if method == "scores":
        return weighted_score_fusion([dense, sparse], weights)
    rankings = [[item for item, _ in hits] for hits in (dense, sparse)]
    return interleaving(rankings) if method == "interleave" else reciprocal_rank_fusion(rankings, constant, weights)


def reciprocal_rank_fusion(
    rankings: Sequence[Sequence[Key]], constant: int = 60, weights: Sequence[float] | None = None
) -> list[tuple[Key, float]]:
    """Fuse rankings by the sum of ``weight / (constant + rank)`` over the lists that hold an item (Cormack et al. 2009).

    Parameters
    ----------
    rankings
        Lists of items, best first, none twice in one list.
    constant
        How little the first ranks stand out; 60 in the paper.
    weights
        One a list; 1 each, as in the paper, where they are not given. A list of weight 0 is left out.

    Returns
    -------
    list
        ``(item, score)``, best first; of equal scores the item that stands higher in an earlier list comes first.

    Raises
    ------
    ValueError
        When a list names an item twice, `constant` is negative, or there are not as many weights as lists.
    """
    if constant < 0:
        raise ValueError(f"constant must not be negative, not {constant}")
    scores: dict[Key, float] = {}
    for ranking, weight in _weighted(rankings, weights):
        _refuse_twice(ranking)
        if not weight:
            continue
        for rank, item in enumerate(ranking, start=1):
            scores[item] = scores.get(item, 0.0) + weight / (constant + rank)
    return sorted(scores.items(), key=lambda entry: -entry[1])


def weighted_score_fusion(lists: Sequence[Sequence[tuple[Key, float]]], weights: Sequence[float] | None = None) -> list[tuple[Key, float]]:
    """Fuse scored lists by the weighted mean of their scores, each list's put between 0 (its last) and 1 (its first).

    A list that does not hold an item counts as 0 for it; in a list whose scores are all the same, each is 1. A list of weight 0 is left
    out.

    Returns
    -------
    list
        ``(item, score)``, best first; of equal scores the item that stands higher in an earlier list comes first.

    Raises
    ------
    ValueError
        When a list names an item twice, or there are not as many weights as lists.
    """
    fused: dict[Key, float] = {}
    total = (sum(weights) if weights is not None else len(lists)) or 1.0
    for hits, weight in _weighted(lists, weights):
        _refuse_twice([item for item, _ in hits])
        if not weight:
            continue
        most, least = max((score for _, score in hits), default=0.0), min((score for _, score in hits), default=0.0)
        for item, score in hits:
            share = (score - least) / (most - least) if most > least else 1.0
            fused[item] = fused.get(item, 0.0) + weight * share / total
    return sorted(fused.items(), key=lambda entry: -entry[1])


def interleaving(rankings: Sequence[Sequence[Key]]) -> list[tuple[Key, float]]:
    """Take one item of each ranking in turn, the first ranking first, and none twice, as the 2020 demo mixed its two searches.

    Returns
    -------
    list
        ``(item, score)``, where the score is one over the place in the list.

    Raises
    ------
    ValueError
        When a list names an item twice.
    """
    for ranking in rankings:
        _refuse_twice(ranking)
    turns = chain.from_iterable(zip_longest(*([(item,) for item in ranking] for ranking in rankings), fillvalue=()))
    order = dict.fromkeys(chain.from_iterable(turns))
    return [(item, 1 / place) for place, item in enumerate(order, start=1)]


Ranking = TypeVar("Ranking")


def _weighted(lists: Sequence[Ranking], weights: Sequence[float] | None) -> list[tuple[Ranking, float]]:
    if weights is not None and len(weights) != len(lists):
        raise ValueError(f"{len(lists)} lists need as many weights, not {len(weights)}")
    return list(zip(lists, weights if weights is not None else [1.0] * len(lists), strict=True))


def _refuse_twice(ranking: Sequence[Key]) -> None:
    if len(set(ranking)) != len(ranking):
        raise ValueError(f"a ranking of {len(ranking)} entries names only {len(set(ranking))} different items")
