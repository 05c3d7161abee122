"""The one number that decides whether an answer is written."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lfqa.answerable import ENOUGH_WORDS, Evidence, answerability, gather
from lfqa.pipeline import Pipeline
from lfqa.sentences import sentence_spans
from tests.helpers import FRUIT, passage, texts

evidence = st.lists(st.tuples(st.floats(-1, 1), st.floats(0, 1)), max_size=8).map(lambda pairs: Evidence(tuple(pairs)))


def scored(*bodies: str, cosine: float = 0.5) -> list[tuple[tuple[int, int, float], ...]]:
    return [tuple((start, end, cosine) for start, end in sentence_spans(body)) for body in bodies]


@given(evidence, st.floats(0, 2))
def test_it_is_a_share_and_the_best_sentence_decides(found: Evidence, weight: float) -> None:
    value = answerability(found, weight)
    assert 0 <= value <= 1
    singles = [answerability(Evidence((pair,)), weight) for pair in found.sentences]
    assert value == max(singles, default=0.0)


def test_by_hand() -> None:
    assert answerability(Evidence()) == 0
    assert answerability(Evidence(((1.0, 1.0),))) == 1
    assert answerability(Evidence(((-1.0, 0.0),))) == 0
    assert answerability(Evidence(((0.6, 0.5), (0.7, 0.0))), 0.5) == pytest.approx((0.6 + 0.25) / 1.5)
    assert answerability(Evidence(((0.6, 0.5), (0.7, 0.0))), 0) == 0.7


def test_words_are_those_of_the_sentence_and_its_title_and_three_are_enough() -> None:
    body = "Birds eat cherries in summer. Stones are hard."
    question = "Which birds eat cherries and other fruit from gardens in summer?"
    found = gather(question, [passage(1, body, "Cherry")], scored(body))
    assert [round(words, 3) for _, words in found.sentences] == [1.0, round(1 / ENOUGH_WORDS, 3)]
    assert [cosine for cosine, _ in found.sentences] == [0.5, 0.5]
    (only,) = gather("Do wolves howl?", [passage(2, "Wolves hunt elk.", "Wolf")], scored("Wolves hunt elk.")).sentences
    assert only == (0.5, 0.5), "one of two words"


@given(st.text(max_size=60), st.lists(texts, max_size=3))
def test_any_text_has_evidence_for_each_sentence(question: str, bodies: list[str]) -> None:
    found = gather(question, [passage(number, body) for number, body in enumerate(bodies)], scored(*bodies))
    assert len(found.sentences) == sum(len(sentence_spans(body)) for body in bodies)
    assert all(0 <= words <= 1 for _, words in found.sentences)
    assert gather(question, [], []) == Evidence()


def test_a_question_about_the_corpus_scores_higher_than_one_about_something_else(pipeline: Pipeline) -> None:
    known = answerability(pipeline.evidence("How do people make chocolate?"))
    near = answerability(pipeline.evidence("Who was the first person to sell chocolate in Brazil?"))
    assert known > pipeline.settings.answerable_threshold > answerability(pipeline.evidence("Who won the rugby world cup of 1987?"))
    assert known > near


def test_the_pipeline_refuses_below_the_threshold_and_not_at_it(pipeline: Pipeline) -> None:
    question = "How do people make chocolate?"
    value = answerability(pipeline.evidence(question))
    assert not pipeline.ask(question, pipeline.settings.with_options(answerable_threshold=value)).abstained
    refused = pipeline.ask(question, pipeline.settings.with_options(answerable_threshold=min(1.0, value + 1e-6)))
    assert refused.abstained
    assert "write" not in refused.timings


def test_passages_that_are_given_are_refused_only_when_they_are_about_something_else(pipeline: Pipeline) -> None:
    fruit, chocolate = "Do birds eat cherries?", "How do people make chocolate?"
    value = answerability(pipeline.evidence(fruit, passages=FRUIT))
    between = pipeline.settings.with_options(answerable_threshold=1.0, related_threshold=value)
    assert not pipeline.ask(fruit, between, FRUIT).abstained, "given passages have a threshold of their own"
    assert pipeline.ask(chocolate, between, FRUIT).abstained
    assert pipeline.ask(chocolate, pipeline.settings, FRUIT).abstained
    unchecked = between.with_options(answerable_threshold=0.0)
    assert not pipeline.ask(chocolate, unchecked, FRUIT).abstained, "no threshold is none for given passages either"
