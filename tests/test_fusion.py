"""Reciprocal rank fusion against its formula."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lfqa.retrieval.fusion import fuse, interleaving, reciprocal_rank_fusion, weighted_score_fusion

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


scored = st.lists(st.tuples(st.integers(0, 30), st.floats(-50, 50)), unique_by=lambda hit: hit[0], max_size=15).map(
    lambda hits: sorted(hits, key=lambda hit: -hit[1])
)


@given(scored, scored, st.sampled_from(["rrf", "scores", "interleave"]), st.floats(0, 1))
def test_every_fusion_is_a_sorted_list_of_what_was_found(
    dense: list[tuple[int, float]], sparse: list[tuple[int, float]], method: str, weight: float
) -> None:
    fused = fuse(dense, sparse, method, weight=weight)  # type: ignore[arg-type]
    items = [item for item, _ in fused]
    assert len(set(items)) == len(items)
    found = {item for hits, part in ((dense, weight), (sparse, 1 - weight)) if part or method == "interleave" for item, _ in hits}
    assert set(items) == found
    assert [score for _, score in fused] == sorted((score for _, score in fused), reverse=True)
    assert all(0 <= score <= 1 for _, score in fused)


@given(scored, scored, st.sampled_from(["rrf", "scores"]))
def test_the_ends_of_the_weight_are_the_lists_themselves(
    dense: list[tuple[int, float]], sparse: list[tuple[int, float]], method: str
) -> None:
    def order(weight: float) -> list[int]:
        return [item for item, _ in fuse(dense, sparse, method, weight=weight)]  # type: ignore[arg-type]

    assert order(0) == [item for item, _ in sparse]
    assert order(1) == [item for item, _ in dense]


@given(scored, scored)
def test_equal_weights_are_the_fusion_of_the_paper(dense: list[tuple[int, float]], sparse: list[tuple[int, float]]) -> None:
    rankings = [[item for item, _ in hits] for hits in (dense, sparse)]
    assert fuse(dense, sparse) == reciprocal_rank_fusion(rankings)


def test_scores_are_put_between_0_and_1_and_weighted() -> None:
    dense, sparse = [("a", 9.0), ("b", 8.0), ("c", 5.0)], [("c", 30.0), ("d", 10.0)]
    fused = dict(weighted_score_fusion([dense, sparse], [3, 1]))
    assert fused == {"a": 0.75, "b": pytest.approx(0.75 * 3 / 4), "c": 0.25, "d": 0.0}
    assert weighted_score_fusion([[("a", 1.0), ("b", 1.0)]]) == [("a", 1.0), ("b", 1.0)]


def test_interleaving_takes_turns_and_nothing_twice() -> None:
    assert [item for item, _ in interleaving([["a", "b", "c", "e"], ["b", "d"]])] == ["a", "b", "d", "c", "e"]
    assert [score for _, score in interleaving([["a"], ["b"]])] == [1, 0.5]
    assert interleaving([]) == interleaving([[], []]) == []


def test_weights_that_make_no_sense_are_refused() -> None:
    for weight in (-0.1, 1.1):
        with pytest.raises(ValueError, match="must be 0 to 1"):
            fuse([], [], weight=weight)
    with pytest.raises(ValueError, match="2 lists need as many weights, not 1"):
        reciprocal_rank_fusion([["a"], ["b"]], weights=[1])
    with pytest.raises(ValueError, match="2 entries names only 1"):
        interleaving([["a", "a"]])
    with pytest.raises(ValueError, match="2 entries names only 1"):
        weighted_score_fusion([[("a", 1.0), ("a", 2.0)]])
