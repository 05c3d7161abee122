"""Search over both halves, with engines whose answers are known."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import pytest

from lfqa.retrieval.search import search
from lfqa.types import Hit
from tests.helpers import passage

PASSAGES = [passage(n, f"Text {n}.") for n in range(100)]
VECTOR = np.ones(4, dtype=np.float32)


class Engine:
    """Answers with fixed rows and remembers how deep it was asked."""

    def __init__(self, rows: list[int]) -> None:
        self.rows, self.asked = rows, 0

    def search(self, query: Any, k: int) -> list[tuple[int, float]]:
        self.asked = k
        return [(row, 10.0 - place) for place, row in enumerate(self.rows[:k])]


def run(retriever: Literal["dense", "sparse", "hybrid"], k: int, dense: Engine, sparse: Engine, **options: Any) -> tuple[Hit, ...]:
    options = {"vector": VECTOR, **options}
    return search("q", k=k, retriever=retriever, passages=PASSAGES, dense=dense, sparse=sparse, **options)


def test_dense_asks_only_the_vectors() -> None:
    dense, sparse = Engine([5, 3, 8]), Engine([1])
    hits = run("dense", 2, dense, sparse)
    assert hits == (Hit(PASSAGES[5], 1, dense_rank=1, dense_score=10.0), Hit(PASSAGES[3], 2, dense_rank=2, dense_score=9.0))
    assert sparse.asked == 0


def test_sparse_asks_only_bm25_and_needs_no_vector() -> None:
    dense, sparse = Engine([1]), Engine([7, 4])
    hits = run("sparse", 5, dense, sparse, vector=None)
    assert hits == (Hit(PASSAGES[7], 1, sparse_rank=1, sparse_score=10.0), Hit(PASSAGES[4], 2, sparse_rank=2, sparse_score=9.0))
    assert dense.asked == 0


def test_hybrid_fuses_deep_lists_and_tells_each_engines_rank() -> None:
    dense, sparse = Engine(list(range(60))), Engine([70, 49, 71])
    hits = run("hybrid", 3, dense, sparse, rrf_constant=10)
    assert dense.asked == sparse.asked == 50
    assert [hit.passage.passage_id for hit in hits] == ["p-49", "p-0", "p-70"]
    first, second, third = hits
    assert (first.dense_rank, first.sparse_rank, first.rank) == (50, 2, 1)
    assert first.fused_score == pytest.approx(1 / 60 + 1 / 12)
    assert (second.sparse_rank, second.sparse_score, third.dense_rank, third.dense_score) == (None, None, None, None)
    assert second.fused_score == third.fused_score == pytest.approx(1 / 11)


@pytest.mark.parametrize(("k", "depth"), [(1, 50), (50, 50), (80, 80), (500, 100)])
def test_the_depth_is_fifty_or_k_but_not_more_than_there_is(k: int, depth: int) -> None:
    dense = Engine(list(range(100)))
    assert len(run("dense", k, dense, Engine([]))) == min(k, 100)
    assert dense.asked == depth


def test_an_engine_that_finds_nothing_leaves_the_others_hits() -> None:
    assert [h.passage.passage_id for h in run("hybrid", 4, Engine([2, 1]), Engine([]))] == ["p-2", "p-1"]
    assert run("sparse", 4, Engine([2]), Engine([])) == ()


def test_a_missing_vector_and_a_k_that_is_not_positive_are_refused() -> None:
    for retriever in ("dense", "hybrid"):
        with pytest.raises(ValueError, match=f"{retriever} search needs the question's vector"):
            run(retriever, 3, Engine([]), Engine([]), vector=None)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="at least 1, not 0"):
        run("dense", 0, Engine([]), Engine([]))


@pytest.mark.parametrize(
    ("fusion", "weight", "ids"),
    [
        ("rrf", 0.5, [3, 1, 4, 2]),
        ("rrf", 0, [4, 3, 2]),
        ("rrf", 1, [1, 3]),
        ("scores", 0.4, [4, 1, 3, 2]),
        ("scores", 0.9, [1, 4, 3, 2]),
        ("interleave", 0.5, [1, 4, 3, 2]),
    ],
)
def test_hybrid_joins_the_lists_as_it_is_told(fusion: Any, weight: float, ids: list[int]) -> None:
    hits = run("hybrid", 4, Engine([1, 3]), Engine([4, 3, 2]), fusion=fusion, weight=weight)
    assert [hit.passage.passage_id for hit in hits] == [f"p-{number}" for number in ids]
    for hit in hits:
        number = int(hit.passage.passage_id[2:])
        assert (hit.dense_rank, hit.sparse_rank) == ({1: 1, 3: 2}.get(number), {4: 1, 3: 2, 2: 3}.get(number)), "whatever the weights"
