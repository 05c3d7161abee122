"""How close sentences are to a question."""

from __future__ import annotations

import numpy as np
import pytest

from lfqa.pipeline import Pipeline
from lfqa.retrieval.closeness import relevance, score_sentences
from lfqa.sentences import sentence_spans
from tests.helpers import FRUIT, WordEncoder, passage


def test_scores_are_cosines_of_title_and_sentence() -> None:
    encoder = WordEncoder()
    question = encoder.questions(["where do bananas grow"])[0]
    scored = score_sentences(question, FRUIT, encoder)  # type: ignore[arg-type]
    assert [[(start, end) for start, end, _ in spans] for spans in scored] == [sentence_spans(p.passage_text) for p in FRUIT]
    for fruit, spans in zip(FRUIT, scored, strict=True):
        for start, end, score in spans:
            vector = WordEncoder().texts([f"{fruit.article_title}: {fruit.passage_text[start:end]}"])[0]
            assert score == pytest.approx(vector @ question / np.linalg.norm(vector) / np.linalg.norm(question), rel=1e-5)
            assert isinstance(score, float)


def test_nothing_to_score_and_zero_vectors_are_no_error() -> None:
    encoder = WordEncoder()
    assert score_sentences(np.ones(16, dtype=np.float32), [], encoder) == []  # type: ignore[arg-type]
    assert score_sentences(np.ones(16, dtype=np.float32), [passage(1, " ")], encoder) == [()]  # type: ignore[arg-type]
    [[(_, _, score)]] = score_sentences(np.zeros(16, dtype=np.float32), [passage(1, "One.")], encoder)  # type: ignore[arg-type]
    assert score == 0


def test_the_sentence_that_answers_is_the_closest(pipeline: Pipeline) -> None:
    encoder = pipeline.encoder()
    scored = score_sentences(encoder.questions(["Which animals eat cherries?"])[0], FRUIT, encoder)
    assert all(-1.001 <= score <= 1.001 for spans in scored for *_, score in spans)
    start, end, _ = max((span for span in scored[2]), key=lambda span: span[2])
    assert FRUIT[2].passage_text[start:end] == "Birds eat cherries."


def test_relevance_adds_the_words_shared_and_the_length_to_the_closeness() -> None:
    fruit = passage(1, "Bananas grow in bunches. Cherries do not. Bananas grow in large bunches on tall plants in warm wet countries.")
    spans = tuple((start, end, 0.5) for start, end in sentence_spans(fruit.passage_text))
    [[(_, _, short), (_, _, other), (_, _, full)]] = relevance("Where do bananas grow?", [fruit], [spans])
    assert full > short > other > 0.5  # all words shared and more said; all words shared; none shared
    [lifted] = relevance("Where do bananas grow?", [fruit], [tuple((start, end, score + 0.25) for start, end, score in spans)])
    assert [score for *_, score in lifted] == pytest.approx([short + 0.25, other + 0.25, full + 0.25])
    assert relevance("Why?", [], []) == []
