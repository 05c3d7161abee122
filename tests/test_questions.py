"""Question files: which questions are read, and what is wrong with a line that can not be."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from lfqa.corpus.questions import AnsweredQuestion, questions_file, read_answered
from tests.helpers import ASSETS

BUNDLED = ASSETS / "corpus" / "questions.jsonl"


def write(path: Path, *records: Any) -> Path:
    path.write_text("\n".join(json.dumps(record) for record in records), encoding="utf-8")
    return path


def line(number: int, **fields: Any) -> dict[str, Any]:
    return {"question": f"Why {number}?", "answer": f"Because {number}.", **fields}


def test_the_bundled_training_questions_are_read_and_no_others() -> None:
    records = [json.loads(text) for text in BUNDLED.read_text(encoding="utf-8").splitlines()]
    wanted = [r for r in records if r["split"] == "train" and r["answer"]]
    found = list(read_answered(BUNDLED))
    assert len(found) > 800
    assert [(each.question, each.answer, list(each.passage_ids)) for each in found] == [
        (r["question"], r["answer"], r["passage_ids"]) for r in wanted
    ]
    kept_back = {r["question"] for r in records if r["split"] in ("validation", "test")}
    assert kept_back and not kept_back & {each.question for each in found}
    assert {each.question for each in read_answered(BUNDLED, "test")} <= kept_back


def test_what_has_no_answer_or_another_split_is_passed_over_and_what_has_no_split_is_not(tmp_path: Path) -> None:
    path = write(
        tmp_path / "questions.jsonl",
        line(1, split="test"),
        line(2, split="train", passage_ids=["a", "b"], more=[1]),
        line(3, answerable=False),
        line(4, answer=""),
        line(5, answer=None),
        {"question": "Why 6?"},
        line(7, answerable=True),
        line(8, split="validation"),
    )
    wanted = [AnsweredQuestion("Why 2?", "Because 2.", ("a", "b")), AnsweredQuestion("Why 7?", "Because 7.")]
    assert list(read_answered(path)) == wanted
    packed = tmp_path / "questions.jsonl.gz"
    packed.write_bytes(gzip.compress(path.read_bytes()))
    assert list(read_answered(packed)) == wanted


@pytest.mark.parametrize(
    ("record", "words"),
    [
        ({"answer": "Because."}, "question must be a text, not None"),
        (line(1, question="  "), "question must be a text"),
        (line(1, answer=["Because."]), "answer must be a text"),
        (line(1, answer=" "), "answer must be a text"),
        (line(1, passage_ids="a"), "passage_ids must be a list of ids"),
        (line(1, passage_ids=[1]), "passage_ids must be a list of ids"),
        (line(1, question="half \ud800"), "question holds half of a surrogate pair"),
        ([], "a record is a JSON object"),
    ],
)
def test_a_line_that_is_no_question_is_named(record: Any, words: str, tmp_path: Path) -> None:
    path = write(tmp_path / "questions.jsonl", line(0), record)
    with pytest.raises(ValueError, match=f"questions.jsonl, line 2: {words}"):
        list(read_answered(path))


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="the question file .*gone.jsonl does not exist"):
        list(read_answered(tmp_path / "gone.jsonl"))


def test_only_a_corpus_in_the_bundled_layout_has_questions_of_its_own(tmp_path: Path) -> None:
    mine, passages = str(tmp_path / "mine.jsonl"), str(tmp_path / "passages.jsonl")
    assert questions_file(None, passages) is None
    beside = write(tmp_path / "questions.jsonl", line(1))
    assert questions_file(None, passages) == questions_file(None, passages + ".gz") == beside
    for corpus in (mine, str(tmp_path), "wiki_snippets", None):
        assert questions_file(None, corpus) is None
    assert questions_file(mine, passages) == questions_file(mine, None) == Path(mine)
    beside.rename(tmp_path / "questions.jsonl.gz")
    assert questions_file(None, passages) == tmp_path / "questions.jsonl.gz"
    assert questions_file(None, str(ASSETS / "corpus" / "passages.jsonl")) == BUNDLED
