"""The values between the steps and their JSON."""

from __future__ import annotations

import dataclasses
import json

import pytest

from lfqa.types import Answer, Citation, Hit, Passage, Sentence, Source, source_as_dict
from tests.helpers import check_answer_object

PASSAGE = Passage("sky-1", "Sky", "", "Air scatters blue light. Red light passes. That is all.")
HIT = Hit(PASSAGE, 1, dense_rank=2, sparse_rank=None, dense_score=0.5, sparse_score=None, fused_score=1 / 62)
ANSWER = Answer(
    "Why?",
    "Air scatters blue light.",
    False,
    (Sentence("Air scatters blue light.", True, (Citation("sky-1", 0.987654, 0, 24),)),),
    (Source(HIT, ((0, 24),)),),
    {"retrieve": 0.1234567, "read": 0.0, "write": 0.2, "cite": 0.0, "total": 0.3},
    {"retriever": "hybrid", "k": 6, "generator": "bart", "corpus_revision": "0", "retriever_revision": "1"},
)


def test_an_answer_becomes_the_promised_json_object() -> None:
    found = json.loads(json.dumps(ANSWER.as_dict()))
    check_answer_object(found)
    assert found["sentences"][0]["citations"] == [{"passage_id": "sky-1", "score": 0.9877, "start": 0, "end": 24}]
    assert found["timings"]["retrieve"] == 0.1235


def test_what_an_engine_did_not_return_is_null_not_zero() -> None:
    found = source_as_dict(Source(HIT))
    assert found["ranks"] == {"dense": 2, "sparse": None}
    assert found["scores"] == {"dense": 0.5, "sparse": None, "fused": 1 / 62}
    assert found["read"] is False


@pytest.mark.parametrize("value", [PASSAGE, HIT, ANSWER, ANSWER.sentences[0], ANSWER.sources[0]])
def test_values_are_frozen(value: object) -> None:
    name = dataclasses.fields(value)[0].name  # type: ignore[arg-type]
    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(value, name, None)
