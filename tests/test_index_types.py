"""The types of the dense half: what they find beside exact search."""

from __future__ import annotations

from pathlib import Path

import faiss
import numpy as np
import pytest

from lfqa.indexing.dense import FLAT_UP_TO, FP16_UP_TO, build_dense, choose_type, exact_scores, tune
from lfqa.retrieval.dense import DenseIndex

DRAW = np.random.default_rng(3)


def clustered(count: int, clusters: int = 40, dimension: int = 32) -> np.ndarray:
    centres = DRAW.standard_normal((clusters, dimension)) * 3
    return (centres[DRAW.integers(clusters, size=count)] + DRAW.standard_normal((count, dimension))).astype(np.float16)


@pytest.fixture(scope="module")
def vectors() -> np.ndarray:
    return clustered(6000)


@pytest.fixture(scope="module")
def queries(vectors: np.ndarray) -> np.ndarray:
    return (vectors[::60].astype(np.float32) + DRAW.standard_normal((100, 32)) / 2).astype(np.float32)


@pytest.mark.parametrize(
    ("count", "wanted", "name"),
    [
        (1, "auto", "Flat"),
        (FLAT_UP_TO, "auto", "Flat"),
        (FLAT_UP_TO + 1, "auto", "IVF1024,SQfp16"),
        (1_000_000, "auto", "IVF4096,SQfp16"),
        (FP16_UP_TO + 1, "auto", "IVF4096,SQ8"),
        (17_553_713, "auto", "IVF16384,SQ8"),
        (5_000_000, "flat", "Flat"),
        (10_000, "ivf-sq8", "IVF250,SQ8"),
        (3, "ivf-fp16", "IVF1,SQfp16"),
    ],
)
def test_the_type_follows_from_the_size_or_what_is_wanted(count: int, wanted: str, name: str) -> None:
    assert choose_type(count, wanted) == name  # type: ignore[arg-type]


@pytest.mark.parametrize("wanted", ["flat", "ivf-fp16", "ivf-sq8"])
def test_every_type_finds_what_it_promises_and_is_the_same_from_disk(
    wanted: str, vectors: np.ndarray, queries: np.ndarray, tmp_path: Path
) -> None:
    index, tuning = build_dense(vectors, queries, wanted, recall=0.95)  # type: ignore[arg-type]
    exact = np.argsort(-(queries @ vectors.astype(np.float32).T), axis=1)[:, :10]
    index.save(tmp_path / "dense.faiss")
    loaded = DenseIndex.load(tmp_path / "dense.faiss")
    assert (len(loaded), loaded.dimension) == (6000, 32)
    found = [loaded.search(query, 10) for query in queries]
    assert found == [index.search(query, 10) for query in queries]
    recall = np.mean([len({row for row, _ in hits} & set(best)) / 10 for hits, best in zip(found, exact, strict=True)])
    assert recall >= 0.93
    if wanted == "flat":
        assert (tuning.index_type, tuning.nprobe, tuning.recall, recall) == ("Flat", None, None, 1)
    else:
        assert tuning.nprobe is not None and 1 <= tuning.nprobe < 150 and tuning.queries == 100
        assert tuning.recall is not None and abs(tuning.recall - recall) < 0.02
    if wanted == "ivf-fp16":
        for query, hits in zip(queries, found, strict=True):
            for row, score in hits:
                assert score == pytest.approx(float(query @ vectors[row].astype(np.float32)), rel=1e-5), "kept without loss"


def test_the_fewest_lists_that_reach_the_recall_are_taken(vectors: np.ndarray, queries: np.ndarray) -> None:
    index = faiss.index_factory(32, "IVF64,SQfp16", faiss.METRIC_INNER_PRODUCT)
    index.train(vectors.astype(np.float32))
    index.add(vectors.astype(np.float32))
    reached = [(tune(index, vectors, queries, recall), index.nprobe) for recall in (0.3, 0.9, 0.99, 1.1)]
    assert [probes for _, probes in reached] == sorted(probes for _, probes in reached)
    assert all((found or 0) >= recall for (found, _), recall in zip(reached, (0.3, 0.9, 0.99), strict=False))
    assert reached[-1][1] == 64
    assert tune(index, vectors, queries[:0]) is None and index.nprobe == 64


def test_exact_scores_are_those_of_sorting(vectors: np.ndarray, queries: np.ndarray, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lfqa.indexing.dense._CHUNK", 700)
    want = -np.sort(-(queries @ vectors.astype(np.float32).T), axis=1)[:, :7]
    np.testing.assert_allclose(exact_scores(vectors, queries, 7), want, rtol=1e-5)


@pytest.mark.parametrize("wanted", ["flat", "ivf-fp16", "ivf-sq8"])
def test_a_search_can_be_kept_to_some_rows(wanted: str, vectors: np.ndarray, queries: np.ndarray) -> None:
    index, _ = build_dense(vectors, queries, wanted)  # type: ignore[arg-type]
    rows = np.array([5, 17, 4000, 5999])
    scores = queries[0] @ vectors[rows].astype(np.float32).T
    found = index.search(queries[0], 10, rows)
    assert [row for row, _ in found] == rows[np.argsort(-scores)].tolist()
    assert [score for _, score in found] == pytest.approx(sorted(scores, reverse=True), abs=2)
    assert index.search(queries[0], 10, rows[:0]) == []


def test_one_passage_is_enough_for_every_type() -> None:
    one = np.ones((1, 8), dtype=np.float16)
    for wanted in ("flat", "ivf-fp16", "ivf-sq8"):
        index, _ = build_dense(one, np.ones((2, 8), dtype=np.float32), wanted)  # type: ignore[arg-type]
        assert [row for row, _ in index.search(np.ones(8, dtype=np.float32), 5)] == [0]
