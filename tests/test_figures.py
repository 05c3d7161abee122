"""Pooled figures and their intervals, against scipy and against every pair counted."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import bootstrap, mannwhitneyu

from lfqa.evaluation.figures import Figure, auroc, figure, figures, interval, means, pooled

shares = st.lists(st.integers(0, 10).map(lambda tenth: tenth / 10), min_size=1, max_size=12)
parts = st.lists(st.tuples(st.integers(0, 5), st.integers(5, 9)).map(lambda p: (float(p[0]), float(p[1]))), max_size=12)


def test_pooled_is_a_ratio_of_sums_over_what_counts() -> None:
    assert pooled([(1, 2), (3, 3), (0, 0)]) == 4 / 5
    assert pooled([(0.5, 1), (1, 1)]) == 0.75
    assert pooled([]) == pooled([(0, 0)]) == 0.0


@given(parts)
def test_the_value_lies_within_what_the_questions_say_and_the_interval_too(given_parts: list[tuple[float, float]]) -> None:
    low, high = interval(given_parts, resamples=50)
    ratios = [above / below for above, below in given_parts] or [0.0]
    assert min(ratios) - 1e-9 <= low <= high <= max(ratios) + 1e-9
    assert min(ratios) - 1e-9 <= pooled(given_parts) <= max(ratios) + 1e-9
    assert interval(given_parts, resamples=50) == (low, high), "the same data gives the same interval"


def test_the_interval_of_a_mean_is_scipys() -> None:
    values = np.random.default_rng(3).beta(2, 5, size=120)
    found = bootstrap((values,), np.mean, method="percentile", n_resamples=4000, rng=np.random.default_rng(1)).confidence_interval
    low, high = interval([(float(value), 1.0) for value in values], resamples=4000)
    width = found.high - found.low
    assert low == pytest.approx(found.low, abs=0.05 * width)
    assert high == pytest.approx(found.high, abs=0.05 * width)


def test_the_interval_of_a_ratio_draws_questions_not_sentences() -> None:
    rng = np.random.default_rng(5)
    below = rng.integers(1, 6, 100).astype(float)
    above = rng.binomial(below.astype(int), 0.7).astype(float)
    drawn = bootstrap(
        (above, below), lambda a, b, axis: a.sum(axis) / b.sum(axis), paired=True, vectorized=True, method="percentile", n_resamples=4000,
        rng=np.random.default_rng(1),
    ).confidence_interval  # fmt: skip
    low, high = interval(list(zip(above.tolist(), below.tolist(), strict=True)), resamples=4000)
    assert (low, high) == (pytest.approx(drawn.low, abs=0.01), pytest.approx(drawn.high, abs=0.01))


def test_questions_that_do_not_count_change_nothing() -> None:
    counted = [(1.0, 1.0), (0.0, 1.0), (1.0, 2.0)]
    assert interval([*counted, (0, 0), (0, 0)]) == interval(counted)
    found = figure([*counted, (0, 0)])
    assert (found.value, found.count) == (0.5, 3)
    assert figure([]) == Figure(0.0, 0.0, 0.0, 0)
    assert Figure(1 / 3, 0, 2 / 3, 4).as_dict() == {"value": 0.3333, "low": 0, "high": 0.6667, "count": 4}


def test_means_and_figures_agree() -> None:
    measured = {"a": [(1.0, 3.0), (1.0, 3.0)], "b": [(1.0, 1.0)]}
    assert means(measured) == {"a": 0.3333, "b": 1.0}
    assert {name: found.value for name, found in figures(measured).items()} == {"a": pytest.approx(1 / 3), "b": 1.0}


@given(shares, shares)
def test_auroc_counts_pairs(positive: list[float], negative: list[float]) -> None:
    found = auroc(positive, negative, resamples=20)
    pairs = [(p > n) + 0.5 * (p == n) for p, n in itertools.product(positive, negative)]
    assert found.value == pytest.approx(sum(pairs) / len(pairs))
    assert found.value == pytest.approx(mannwhitneyu(positive, negative).statistic / len(pairs))
    assert 0 <= found.low <= found.high <= 1
    assert auroc(negative, positive, resamples=20).value == pytest.approx(1 - found.value)


def test_the_interval_of_auroc_is_that_of_drawing_both_groups() -> None:
    rng = np.random.default_rng(2)
    positive, negative = rng.normal(1, 1, 60), rng.normal(0, 1, 40)
    drawn = [
        (rng.choice(positive, 60)[:, None] > rng.choice(negative, 40)[None, :]).mean() for _ in range(3000)
    ]  # no ties in continuous scores
    found = auroc(positive.tolist(), negative.tolist(), resamples=3000)
    assert found.low == pytest.approx(np.percentile(drawn, 2.5), abs=0.01)
    assert found.high == pytest.approx(np.percentile(drawn, 97.5), abs=0.01)
    assert found.count == 100


@pytest.mark.parametrize("groups", [([], [0.5]), ([0.5], [])])
def test_auroc_needs_both_groups(groups: tuple[list[float], list[float]]) -> None:
    with pytest.raises(ValueError, match="both groups need scores"):
        auroc(*groups)
