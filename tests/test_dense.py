"""RetriBERT vectors, and FAISS held against plain matrix products."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lfqa.pipeline import Pipeline
from lfqa.retrieval.dense import DenseIndex, passage_input
from tests.helpers import FRUIT, passage


def vectors(count: int, dimension: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((count, dimension)).astype(np.float32)


@settings(max_examples=40)
@given(st.integers(1, 200), st.integers(1, 48), st.integers(1, 250), st.integers(0, 99))
def test_search_equals_a_sorted_matrix_product(count: int, dimension: int, k: int, seed: int) -> None:
    held, question = vectors(count, dimension, seed), vectors(1, dimension, seed + 1)[0]
    found = DenseIndex.build(held).search(question, k)
    products = held @ question
    assert len(found) == min(k, count)
    assert len({row for row, _ in found}) == len(found)
    np.testing.assert_allclose([score for _, score in found], np.sort(products)[::-1][:k], rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose([score for _, score in found], products[[row for row, _ in found]], rtol=1e-4, atol=1e-5)


def test_an_index_survives_saving_and_gives_its_vectors_back(tmp_path: Path) -> None:
    held = vectors(30, 8)
    DenseIndex.build(held).save(tmp_path / "dense.faiss")
    index = DenseIndex.load(tmp_path / "dense.faiss")
    assert (len(index), index.dimension) == (30, 8)
    np.testing.assert_array_equal(index.vector(7), held[7])
    assert index.search(held[3], 5) == DenseIndex.build(held).search(held[3], 5)


@pytest.mark.parametrize("damage", ["missing", "empty", "truncated", "foreign", "a folder"])
def test_what_is_no_index_is_refused(damage: str, tmp_path: Path) -> None:
    file = tmp_path / "dense.faiss"
    if damage == "truncated":
        DenseIndex.build(vectors(30, 8)).save(file)
        file.write_bytes(file.read_bytes()[:300])
    elif damage == "a folder":
        file.mkdir()
    elif damage != "missing":
        file.write_bytes(b"" if damage == "empty" else b"not an index of any kind" * 10)
    with pytest.raises(ValueError, match=f"{file} holds no readable FAISS index"):
        DenseIndex.load(file)


def test_a_wrong_length_and_a_k_that_is_not_positive_are_refused() -> None:
    index = DenseIndex.build(vectors(4, 8))
    with pytest.raises(ValueError, match=r"\(7,\).*vectors of 8"):
        index.search(vectors(1, 7)[0], 2)
    with pytest.raises(ValueError, match="at least 1, not 0"):
        index.search(vectors(1, 8)[0], 0)


@pytest.mark.parametrize(("title", "section", "text"), [("T", "S", "T. S. x"), ("T", "", "T. x"), ("", "S", "S. x"), ("", "", "x")])
def test_what_is_embedded_names_title_and_section(title: str, section: str, text: str) -> None:
    assert passage_input(passage(1, "x", title, section)) == text


def test_vectors_do_not_depend_on_the_batch_and_come_in_order(pipeline: Pipeline) -> None:
    encoder = pipeline.encoder()
    sentences = [f"{'word ' * n}about the Moon and number {n}" for n in (200, 1, 12, 5)] * 10
    told: list[int] = []
    together = encoder.texts(sentences, told.append)
    assert together.shape == (40, encoder.dimension) and together.dtype == np.float32
    assert told == sorted(told) and told[-1] == 40 and len(told) > 1
    for row in (0, 1, 2, 33):
        alone = encoder.texts([sentences[row]])[0]
        cosine = together[row] @ alone / np.linalg.norm(together[row]) / np.linalg.norm(alone)
        assert cosine > 0.995
    assert encoder.texts([]).shape == (0, encoder.dimension)


def test_threads_that_cut_at_different_lengths_do_not_mix(pipeline: Pipeline) -> None:
    encoder = pipeline.encoder()
    text = "why does the tide " * 50  # longer than a question may be, shorter than a passage
    wanted = encoder.questions([text])[0], encoder.texts([text])[0]
    assert not np.allclose(*wanted, atol=1e-2)

    def both(number: int) -> bool:
        found = (encoder.questions if number % 2 == 0 else encoder.texts)([text])[0]
        return bool(np.allclose(found, wanted[number % 2], atol=1e-4))

    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(both, range(24)))


def test_long_and_odd_texts_are_cut_not_refused(pipeline: Pipeline) -> None:
    found = pipeline.encoder().texts(["word " * 4000, "", "😀 \x00 [SEP] </s>"])
    assert np.isfinite(found).all()


def test_a_question_is_closest_to_the_passage_about_it(pipeline: Pipeline) -> None:
    encoder = pipeline.encoder()
    index = DenseIndex.build(encoder.passages(FRUIT))
    assert [index.search(encoder.questions([q])[0], 1)[0][0] for q in ("How do bananas grow?", "Do birds like cherries?")] == [1, 2]
