"""One search over both halves of an index: dense, sparse, or the two fused."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import Literal, Protocol, TypeVar

from lfqa.retrieval.dense import Vectors
from lfqa.retrieval.fusion import Method, fuse
from lfqa.types import Hit, Passage

_DEPTH = 50  # each engine's list before fusion: deep enough that a passage both find is seen in both

Row = TypeVar("Row", bound=Hashable)
"""What an engine knows a passage by: a number where it is embedded, the passage's id on a server."""
Found = TypeVar("Found", bound=Hashable, covariant=True)
Asked = TypeVar("Asked", bound=Hashable, contravariant=True)


class DenseSearch(Protocol[Found]):
    """Vector search by row."""

    def search(self, vector: Vectors, k: int) -> Sequence[tuple[Found, float]]:
        """Return at most `k` rows with inner products, best first."""


class SparseSearch(Protocol[Found]):
    """Term search by row."""

    def search(self, question: str, k: int) -> Sequence[tuple[Found, float]]:
        """Return at most `k` rows with BM25 scores, best first."""


class Rows(Protocol[Asked]):
    """Passages by row."""

    def __getitem__(self, row: Asked) -> Passage: ...

    def __len__(self) -> int: ...


def search(
    question: str,
    vector: Vectors | None,
    k: int,
    *,
    retriever: Literal["dense", "sparse", "hybrid"],
    passages: Rows[Row],
    dense: DenseSearch[Row],
    sparse: SparseSearch[Row],
    fusion: Method = "rrf",
    weight: float = 0.5,
    rrf_constant: int = 60,
) -> tuple[Hit, ...]:
    """Return the best `k` passages with the ranks and scores that each engine gave them.

    Parameters
    ----------
    vector
        The question's embedding; needed for ``dense`` and ``hybrid``.
    fusion, weight, rrf_constant
        How ``hybrid`` joins the two lists; see `lfqa.retrieval.fusion.fuse`.

    Raises
    ------
    ValueError
        When the vector is missing where it is needed, or `k` is not positive.
    """
    if k < 1:
        raise ValueError(f"k must be at least 1, not {k}")
    depth = min(len(passages), max(_DEPTH, k))
    dense_hits: Sequence[tuple[Row, float]] = ()
    sparse_hits: Sequence[tuple[Row, float]] = ()
    if retriever in ("dense", "hybrid"):
        if vector is None:
            raise ValueError(f"{retriever} search needs the question's vector")
        dense_hits = dense.search(vector, depth)
    if retriever in ("sparse", "hybrid"):
        sparse_hits = sparse.search(question, depth)
    dense_at = _places(dense_hits)
    sparse_at = _places(sparse_hits)
    if retriever == "hybrid":
        fused = fuse(dense_hits, sparse_hits, fusion, weight=weight, constant=rrf_constant)
        order = [row for row, _ in fused[:k]]
        fused_scores: Mapping[Row, float] = dict(fused)
    else:
        order = [row for row, _ in (dense_hits or sparse_hits)[:k]]
        fused_scores = {}
    hits = []
    for rank, row in enumerate(order, start=1):
        dense_rank, dense_score = dense_at.get(row, (None, None))
        sparse_rank, sparse_score = sparse_at.get(row, (None, None))
        hits.append(Hit(passages[row], rank, dense_rank, sparse_rank, dense_score, sparse_score, fused_scores.get(row)))
    return tuple(hits)


def _places(hits: Sequence[tuple[Row, float]]) -> dict[Row, tuple[int, float]]:
    return {row: (rank, score) for rank, (row, score) in enumerate(hits, start=1)}
