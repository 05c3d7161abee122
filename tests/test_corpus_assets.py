"""The bundled corpus and its questions."""

from __future__ import annotations

import json
import re
from collections import Counter, defaultdict

import pytest

from lfqa.corpus.store import read_passages
from lfqa.sentences import sentence_spans
from tests.helpers import ASSETS

PASSAGES = [json.loads(line) for line in (ASSETS / "corpus/passages.jsonl").read_text(encoding="utf-8").splitlines()]
QUESTIONS = [json.loads(line) for line in (ASSETS / "corpus/questions.jsonl").read_text(encoding="utf-8").splitlines()]


def topic(passage_id: str) -> str:
    return re.sub(r"-\d+$", "", passage_id)


def test_passages_have_their_fields_and_can_be_indexed() -> None:
    for p in PASSAGES:
        assert list(p) == ["passage_id", "article_title", "section_title", "passage_text"]
        assert all(isinstance(value, str) and value == value.strip() and value for value in p.values()), p["passage_id"]
        assert re.fullmatch(r"[a-z0-9-]+-\d+", p["passage_id"])
    assert len(list(read_passages(ASSETS / "corpus/passages.jsonl"))) == len(PASSAGES)


def test_no_id_and_no_text_comes_twice() -> None:
    for values in (
        [p["passage_id"] for p in PASSAGES],
        [p["passage_text"] for p in PASSAGES],
        [q["question_id"] for q in QUESTIONS],
        [q["answer"] for q in QUESTIONS],
    ):
        assert [value for value, count in Counter(values).items() if count > 1] == []


def test_passages_have_80_to_120_words() -> None:
    lengths = {p["passage_id"]: len(p["passage_text"].split()) for p in PASSAGES}
    assert {name: length for name, length in lengths.items() if not 80 <= length <= 120} == {}


def test_there_are_300_topics_of_about_four_passages_and_1000_questions() -> None:
    topics = Counter(topic(p["passage_id"]) for p in PASSAGES)
    assert len(topics) >= 300
    assert 3 <= len(PASSAGES) / len(topics) <= 6
    assert len(QUESTIONS) >= 1000


def test_questions_have_their_fields_and_name_passages_that_are_there() -> None:
    there = {p["passage_id"] for p in PASSAGES}
    for q in QUESTIONS:
        assert list(q) == ["question_id", "question", "answer", "passage_ids", "split"]
        assert q["question"].strip() and q["answer"].strip()
        assert q["passage_ids"] and len(set(q["passage_ids"])) == len(q["passage_ids"])
        assert set(q["passage_ids"]) <= there, q["question_id"]
        assert q["split"] in ("train", "validation", "test")


def test_answers_have_three_to_six_sentences() -> None:
    counts = {q["question_id"]: len(sentence_spans(q["answer"])) for q in QUESTIONS}
    assert {name: count for name, count in counts.items() if not 3 <= count <= 6} == {}


def test_no_topic_is_in_two_splits_and_no_split_is_empty() -> None:
    splits: dict[str, set[str]] = defaultdict(set)
    for q in QUESTIONS:
        for name in q["passage_ids"]:
            splits[topic(name)].add(q["split"])
    assert {name: found for name, found in splits.items() if len(found) > 1} == {}
    assert set.union(*splits.values()) == {"train", "validation", "test"}


def test_no_question_is_asked_in_two_splits() -> None:
    splits: dict[str, set[str]] = defaultdict(set)
    for q in QUESTIONS:
        splits[" ".join(re.findall(r"\w+", q["question"].lower()))].add(q["split"])
    assert {question: found for question, found in splits.items() if len(found) > 1} == {}


def test_no_answer_comes_out_of_a_template() -> None:
    """No opening of eight words, and no sentence, is used for two answers."""
    openings = Counter(" ".join(q["answer"].lower().split()[:8]) for q in QUESTIONS)
    assert [opening for opening, count in openings.items() if count > 1] == []
    sentences = Counter(q["answer"][start:end] for q in QUESTIONS for start, end in sentence_spans(q["answer"]))
    assert [sentence for sentence, count in sentences.items() if count > 1] == []


@pytest.mark.skipif(not (ASSETS / "examples.json").is_file(), reason="assets/examples.json is not there yet")
def test_the_fourteen_questions_of_the_2020_demo_are_test_questions() -> None:
    examples = json.loads((ASSETS / "examples.json").read_text(encoding="utf-8"))
    assert len(examples) == len(set(examples)) == 14
    splits = {q["question"]: q["split"] for q in QUESTIONS}
    assert {question: splits.get(question) for question in examples} == dict.fromkeys(examples, "test")
