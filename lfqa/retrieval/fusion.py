"""Fusing ranked lists, as pure functions."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import TypeVar

Key = TypeVar("Key", bound=Hashable)


def reciprocal_rank_fusion(rankings: Sequence[Sequence[Key]], constant: int = 60) -> list[tuple[Key, float]]:
    """Fuse rankings by the sum of ``1 / (constant + rank)`` over the lists that hold an item (Cormack et al. 2009).

    Parameters
    ----------
    rankings
        Lists of items, best first, none twice in one list.
    constant
        How little the first ranks stand out; 60 in the paper.

    Returns
    -------
    list
        ``(item, score)``, best first; of equal scores the item that stands higher in an earlier list comes first.

    Raises
    ------
    ValueError
        When a list names an item twice, or `constant` is negative.
    """
    if constant < 0:
        raise ValueError(f"constant must not be negative, not {constant}")
    scores: dict[Key, float] = {}
    for ranking in rankings:
        if len(set(ranking)) != len(ranking):
            raise ValueError(f"a ranking of {len(ranking)} entries names only {len(set(ranking))} different items")
        for rank, item in enumerate(ranking, start=1):
            scores[item] = scores.get(item, 0.0) + 1.0 / (constant + rank)
    return sorted(scores.items(), key=lambda entry: -entry[1])
