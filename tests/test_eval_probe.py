"""The grounding probe on the shipped checkpoints, and on answers made by hand."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lfqa.evaluation.answers import answer_all, corpus_tasks, measure
from lfqa.evaluation.figures import means
from lfqa.evaluation.probe import CONDITIONS, probe, random_passages
from lfqa.pipeline import Pipeline
from tests.helpers import ASSETS, HAS_GENERATOR, NO_GENERATOR, passage

MANY = [passage(number, f"Text {number}.") for number in range(9)]


@given(st.text(max_size=9), st.sets(st.sampled_from([p.passage_id for p in MANY]), max_size=5), st.integers(0, 4), st.integers(0, 99))
def test_random_passages_are_others_and_the_same_again(question: str, avoid: set[str], count: int, seed: int) -> None:
    drawn = random_passages(question, MANY, sorted(avoid), count, seed)
    assert len(set(drawn)) == count
    assert not {p.passage_id for p in drawn} & avoid
    assert drawn == random_passages(question, MANY, sorted(avoid), count, seed)


def test_random_passages_differ_by_question_and_seed_and_need_enough() -> None:
    draws = {random_passages(question, MANY, (), 4, seed) for question in ("a", "b", "c") for seed in (0, 1, 2)}
    assert len(draws) > 5
    with pytest.raises(ValueError, match="4 random passages are asked for, the index holds 3 others"):
        random_passages("a", MANY, [p.passage_id for p in MANY[:6]], 4)


@pytest.fixture(scope="module")
def extracted(pipeline: Pipeline) -> dict[str, dict[str, float]]:
    tasks = corpus_tasks(ASSETS / "corpus" / "questions.jsonl")[:3]
    given_answers = list(answer_all(tasks, pipeline, pipeline.settings))
    calls: list[None] = []
    found = probe(tasks, given_answers, pipeline, pipeline.settings, tell=lambda: calls.append(None))
    assert len(calls) == 3
    own = measure(tasks, given_answers)
    assert all(found["retrieved"][name] == parts for name, parts in own.items() if name not in ("cited_gold", "cites_two"))
    return {name: means(measured) for name, measured in found.items()}


def test_with_the_passages_retrieved_nothing_moves(extracted: dict[str, dict[str, float]]) -> None:
    assert tuple(extracted) == CONDITIONS
    same = extracted["retrieved"]
    assert (same["same"], same["unchanged"], same["rougeL_lost"]) == (1.0, 1.0, 0.0)
    assert same["supported_by_retrieved"] == same["supported"] == 1.0, "an extracted sentence is its own support"


def test_without_passages_there_is_no_answer(extracted: dict[str, dict[str, float]]) -> None:
    none = extracted["none"]
    assert none["abstained"] == 1.0
    assert none["same"] == none["unchanged"] == none["supported_by_retrieved"] == none["rougeL"] == 0.0
    assert none["rougeL_lost"] == pytest.approx(extracted["retrieved"]["rougeL"], abs=1e-4)


def test_random_passages_are_refused_and_without_the_check_quoted_though_nothing_retrieved_supports_them(
    extracted: dict[str, dict[str, float]],
) -> None:
    assert extracted["random"]["abstained"] == 1.0
    unchecked = extracted["random-unchecked"]
    assert unchecked["abstained"] == 0.0
    assert unchecked["supported"] == 1.0
    assert unchecked["supported_by_retrieved"] < 0.5
    assert unchecked["same"] < 0.4
    assert unchecked["unchanged"] == 0.0


@pytest.mark.skipif(not HAS_GENERATOR, reason=NO_GENERATOR)
def test_the_shipped_writer_says_something_else_with_random_passages(pipeline: Pipeline) -> None:
    tasks = corpus_tasks(ASSETS / "corpus" / "questions.jsonl")[:2]
    settings = pipeline.settings.with_options(generator="bart")
    found = {name: means(each) for name, each in probe(tasks, list(answer_all(tasks, pipeline, settings)), pipeline, settings).items()}
    assert found["random"]["abstained"] == found["none"]["abstained"] == 1.0
    assert found["random-unchecked"]["unchanged"] == 0.0
    assert found["random-unchecked"]["supported_by_retrieved"] < 0.7


def test_one_answer_a_task_is_needed(pipeline: Pipeline) -> None:
    with pytest.raises(ValueError, match="not 0 for 1 tasks"):
        probe(corpus_tasks(ASSETS / "corpus" / "questions.jsonl")[:1], [], pipeline, pipeline.settings)
