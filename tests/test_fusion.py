"""Reciprocal rank fusion against its formula."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lfqa.retrieval.fusion import reciprocal_rank_fusion

rankings = st.lists(st.lists(st.integers(0, 30), unique=True, max_size=15), max_size=4)


@given(rankings, st.integers(0, 100))
def test_scores_follow_the_formula_and_are_sorted(lists: list[list[int]], constant: int) -> None:
    fused = reciprocal_rank_fusion(lists, constant)
    assert {item for item, _ in fused} == {item for ranking in lists for item in ranking}
    assert len(fused) == len({item for item, _ in fused})
    for item, score in fused:
        assert score == pytest.approx(sum(1 / (constant + ranking.index(item) + 1) for ranking in lists if item in ranking))
    assert [score for _, score in fused] == sorted((score for _, score in fused), reverse=True)


@given(st.lists(st.integers(), unique=True, max_size=20))
def test_one_list_or_the_same_twice_keeps_its_order(ranking: list[int]) -> None:
    assert [item for item, _ in reciprocal_rank_fusion([ranking])] == ranking
    assert [item for item, _ in reciprocal_rank_fusion([ranking, ranking])] == ranking


def test_what_both_find_beats_what_one_finds_first() -> None:
    assert [item for item, _ in reciprocal_rank_fusion([["a", "b"], ["c", "b"]])] == ["b", "a", "c"]


def test_of_equal_scores_the_earlier_list_comes_first() -> None:
    assert [item for item, _ in reciprocal_rank_fusion([["a"], ["b"], ["c"]])] == ["a", "b", "c"]


def test_nothing_fuses_to_nothing() -> None:
    assert reciprocal_rank_fusion([]) == reciprocal_rank_fusion([[], []]) == []


def test_an_item_twice_and_a_negative_constant_are_refused() -> None:
    with pytest.raises(ValueError, match="3 entries names only 2"):
        reciprocal_rank_fusion([["a", "b", "a"]])
    with pytest.raises(ValueError, match="not -1"):
        reciprocal_rank_fusion([["a"]], constant=-1)
