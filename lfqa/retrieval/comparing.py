"""What three lists of hits have in common, and how far passages moved between them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations

from lfqa.types import Hit


def overlaps(lists: Mapping[str, Sequence[Hit]]) -> dict[str, int]:
    """Return how many passages each two of `lists` share, and all of them, by names joined with ``+``."""
    ids = {name: {hit.passage.passage_id for hit in hits} for name, hits in lists.items()}
    shared = {f"{one}+{other}": len(ids[one] & ids[other]) for one, other in combinations(lists, 2)}
    if len(lists) > 2:
        shared["+".join(lists)] = len(set.intersection(*ids.values()))
    return shared


def shifts(hits: Sequence[Hit]) -> list[dict[str, int | None]]:
    """Return for each hit how many places it stands above its place in the dense and in the sparse list; None where it is not in one."""

    def shift(hit: Hit, before: int | None) -> int | None:
        return None if before is None else before - hit.rank

    return [{"dense": shift(hit, hit.dense_rank), "sparse": shift(hit, hit.sparse_rank)} for hit in hits]
