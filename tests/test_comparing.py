"""What lists of hits share, and how far passages moved."""

from __future__ import annotations

from lfqa.retrieval.comparing import overlaps, shifts
from lfqa.types import Hit
from tests.helpers import FRUIT, passage


def test_overlaps_count_passages_that_lists_share() -> None:
    a, b, c = FRUIT
    lists = {"dense": [Hit(a, 1), Hit(b, 2)], "sparse": [Hit(b, 1), Hit(c, 2)], "hybrid": [Hit(b, 1), Hit(a, 2)]}
    assert overlaps(lists) == {"dense+sparse": 1, "dense+hybrid": 2, "sparse+hybrid": 1, "dense+sparse+hybrid": 1}
    assert overlaps({"dense": [], "sparse": [Hit(a, 1)]}) == {"dense+sparse": 0}


def test_shifts_count_places_gained() -> None:
    hits = [Hit(FRUIT[0], 1, dense_rank=4, sparse_rank=1), Hit(FRUIT[1], 2, dense_rank=1), Hit(passage(9, "x."), 3)]
    assert shifts(hits) == [{"dense": 3, "sparse": 0}, {"dense": -1, "sparse": None}, {"dense": None, "sparse": None}]
