"""The relevance of training sentences is that of questions that are asked."""

from __future__ import annotations

import pytest

from lfqa.pipeline import Pipeline
from lfqa.retrieval.closeness import relevance, score_sentences
from lfqa.training.ranking import rank_sentences
from lfqa.types import Passage

PASSAGES = [
    {"title": "Fruit", "section": "", "text": "Birds eat cherries. Bananas grow in bunches in warm countries."},
    {"title": "Bread", "section": "Use", "text": "Bread is baked from flour and water. It is eaten warm."},
    {"title": "Tide", "section": "", "text": "The tide rises twice a day."},
    {"title": "Empty", "section": "", "text": " "},
]


def test_it_is_what_the_pipeline_would_give_with_the_distractors_cut_and_the_gold_passage_first(pipeline: Pipeline) -> None:
    encoder = pipeline.encoder()
    record = {"source": "own", "question": "Where do bananas grow?", "answer": "In bunches.", "passages": PASSAGES, "gold": [1]}
    [ranked, other] = rank_sentences([record, {**record, "question": "What is bread?"}], encoder, distractors=2)
    assert [p["title"] for p in ranked["passages"]] == ["Bread", "Fruit", "Tide"]
    assert ranked["gold"] == [0]
    passages = [Passage("", p["title"], p["section"], p["text"]) for p in ranked["passages"]]
    for found in (ranked, other):
        question = found["question"]
        scored = relevance(question, passages, score_sentences(encoder.questions([question])[0], passages, encoder))
        for values, wanted in zip(found["relevance"], scored, strict=True):
            # in bfloat16 where that is faster, so not to the last digit
            assert values == pytest.approx([score for *_, score in wanted], abs=0.03)
    assert ranked["relevance"] != other["relevance"]


def test_passages_without_sentences_and_no_records_are_no_error(pipeline: Pipeline) -> None:
    record = {"question": "Why?", "passages": [PASSAGES[3]], "gold": [0]}
    assert rank_sentences([record], pipeline.encoder())[0]["relevance"] == [[]]
    assert rank_sentences([], pipeline.encoder()) == []
