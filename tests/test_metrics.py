"""Metrics against values worked out by hand and against brute force."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lfqa.evaluation.metrics import copied_ngrams, first_gold_ranks, mean_reciprocal_rank, recall_at, repeated_ngrams

ranks = st.lists(st.integers(0, 30), max_size=20)
words = st.lists(st.sampled_from("a b c A".split()), max_size=15)


@given(st.integers(1, 6), st.integers(1, 6), st.integers(0, 1000))
def test_the_gold_items_rank_counts_everything_that_is_not_worse(questions: int, items: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    scores = rng.integers(0, 4, (questions, items)).astype(np.float32)
    gold = rng.integers(0, items, questions).tolist()
    wanted = [sum(scores[q, i] >= scores[q, g] for i in range(items)) for q, g in enumerate(gold)]
    assert first_gold_ranks(scores, gold).tolist() == wanted


def test_a_constant_score_earns_nothing() -> None:
    assert first_gold_ranks(np.zeros((2, 5), dtype=np.float32), [0, 4]).tolist() == [5, 5]
    assert first_gold_ranks(np.array([[0.1, 0.9, 0.5]], dtype=np.float32), [2]).tolist() == [2]


def test_recall_and_reciprocal_rank_by_hand() -> None:
    found = [1, 2, 0, 10, 11]
    assert [recall_at(found, k) for k in (1, 2, 10, 100)] == [0.2, 0.4, 0.6, 0.8]
    assert mean_reciprocal_rank(found) == pytest.approx((1 + 0.5 + 0 + 0.1 + 0) / 5)
    assert mean_reciprocal_rank(found, 100) == pytest.approx((1 + 0.5 + 0.1 + 1 / 11) / 5)
    assert recall_at([], 5) == mean_reciprocal_rank([]) == 0.0


@given(ranks, st.integers(1, 30))
def test_recall_and_reciprocal_rank_by_brute_force(found: list[int], k: int) -> None:
    n = max(1, len(found))
    assert recall_at(found, k) == pytest.approx(sum(1 <= r <= k for r in found) / n)
    assert mean_reciprocal_rank(np.array(found, dtype=np.int64), k) == pytest.approx(sum(1 / r for r in found if 1 <= r <= k) / n)
    assert mean_reciprocal_rank(found, k) <= recall_at(found, k)


def test_repeated_ngrams_by_hand() -> None:
    assert repeated_ngrams("a b c d a b c d", 4) == pytest.approx(1 - 4 / 5)
    assert repeated_ngrams("The the THE", 1) == pytest.approx(2 / 3)
    assert repeated_ngrams("a b c") == repeated_ngrams("") == 0.0


def test_copied_ngrams_by_hand() -> None:
    assert copied_ngrams("a b c x", ["z A B c"], 2) == pytest.approx(2 / 3)
    assert copied_ngrams("a b c", ["a b", "b c"], 3) == 0.0, "no n-gram across two sources"
    assert copied_ngrams("a b", [], 2) == copied_ngrams("", ["a"]) == 0.0


@given(words, st.lists(words, max_size=3), st.integers(1, 4))
def test_ngrams_by_brute_force(text: list[str], sources: list[list[str]], n: int) -> None:
    lowered = [w.lower() for w in text]
    grams = [lowered[i : i + n] for i in range(len(lowered) - n + 1)]
    again = sum(grams[i] in grams[:i] for i in range(len(grams)))
    assert repeated_ngrams(" ".join(text), n) == pytest.approx(again / len(grams) if grams else 0)
    padded = [f" {' '.join(source).lower()} " for source in sources]
    held = sum(any(f" {' '.join(gram)} " in source for source in padded) for gram in grams)
    assert copied_ngrams(" ".join(text), [" ".join(s) for s in sources], n) == pytest.approx(held / len(grams) if grams else 0)
