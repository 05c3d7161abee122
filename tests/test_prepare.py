"""From a data folder to what training reads."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from lfqa.evaluation.answers import read_tasks
from lfqa.training import prepare as module
from lfqa.training.prepare import (
    check_inputs,
    held_out_questions,
    own_records,
    prepare,
    read_lines,
    sentence_scorer,
    word_scorer,
    write_lines,
)
from lfqa.training.retriever import Teacher
from lfqa.training.texts import HELD_OUT_DOMAIN, held_out
from tests.training_helpers import write_bert, write_corpus, write_data


@pytest.fixture(scope="module")
def teacher(tmp_path_factory: pytest.TempPathFactory) -> Teacher:
    return Teacher(write_bert(tmp_path_factory.mktemp("bert"), positions=128))


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory, teacher: Teacher) -> tuple[Path, Path, dict[str, int]]:
    folder = tmp_path_factory.mktemp("prepare")
    data, told = write_data(folder / "data"), {}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "_TEST_QUESTIONS", 4)
        prepare(data, folder / "out", teacher, lambda name, count: told.update({name: count}))
    return data, folder / "out", told


def test_the_four_files_are_written_and_nothing_else_is_left(prepared: tuple[Path, Path, dict[str, int]]) -> None:
    _, out, told = prepared
    assert sorted(p.name for p in out.iterdir()) == ["grounded.jsonl", "held_out.json", "held_out_answers.jsonl", "texts.jsonl"]
    records = read_lines(out / "grounded.jsonl")
    assert len(records) == sum(count for name, count in told.items() if name != "texts.jsonl")
    assert len(read_lines(out / "texts.jsonl")) == told["texts.jsonl"]
    assert {r["source"] for r in records} == {"nq", "clapnq", "lfrqa", "dolly", "exercises", "glossary", "medquad", "encyclopedia"}
    assert all(told[name] for name in ("questions", "forum", "instructions", "exercises", "glossary", "medical", "encyclopedia"))


def test_records_have_gold_passages_first_and_distractors_behind(prepared: tuple[Path, Path, dict[str, int]]) -> None:
    records = read_lines(prepared[1] / "grounded.jsonl")
    assert any(len(r["passages"]) > len(r["gold"]) for r in records)
    for record in records:
        gold = [record["passages"][n]["text"] for n in record["gold"]]
        assert not set(gold) & {p["text"] for p in record["passages"][len(gold) :]}


def test_nothing_that_is_held_out_is_trained_on(prepared: tuple[Path, Path, dict[str, int]]) -> None:
    data, out, _ = prepared
    kept = json.loads((out / "held_out.json").read_text(encoding="utf-8"))
    assert kept["lfrqa_domain"] == HELD_OUT_DOMAIN
    assert len(kept["clapnq_questions"]) == 4
    records, texts = read_lines(out / "grounded.jsonl"), read_lines(out / "texts.jsonl")
    assert not {r["question"].rstrip("?") for r in records} & set(kept["clapnq_questions"])
    assert HELD_OUT_DOMAIN not in json.dumps([records, texts])
    assert not any(held_out(p["title"]) for r in records for p in r["passages"] if p["title"])
    assert not any(held_out(t["title"]) for t in texts if t["title"])
    assert held_out_questions(data) == sorted(set(held_out_questions(data)))
    assert "not in the paragraphs" not in held_out_questions(data)


def test_the_held_out_answers_are_a_task_for_the_evaluation(prepared: tuple[Path, Path, dict[str, int]]) -> None:
    _, out, _ = prepared
    tasks = read_tasks(out / "held_out_answers.jsonl")
    assert sorted(t.question for t in tasks) == json.loads((out / "held_out.json").read_text())["clapnq_questions"]
    assert all(t.references[0].split(".")[0] in t.passages[0].passage_text for t in tasks)
    assert not any(" ." in t.references[0] for t in tasks)


def test_the_teacher_scores_a_sentence_equal_to_the_question_highest(teacher: Teacher) -> None:
    score = sentence_scorer(teacher)
    found = score("the river of winter", ["the river of winter", "salt, light and patience", "the coast"])
    assert len(found) == 3
    assert found[0] == max(found) == pytest.approx(1, abs=0.02)


def test_the_word_scorer_takes_words_of_the_question_then_the_earlier_sentence() -> None:
    question = "Why do tides rise?"
    found = word_scorer(question, ["Salt is white.", "Tides rise.", "Tides rise.", "A tide."])
    assert sorted(range(4), key=lambda n: -found[n]) == [1, 2, 3, 0]


def test_own_records_are_the_splits_with_distractors(tmp_path: Path) -> None:
    corpus = write_corpus(tmp_path / "corpus")
    records = own_records(corpus, "validation", tmp_path / "work")
    assert len(records) == 6
    assert all("validation" in r["question"] and r["source"] == "own" and r["gold"] == [0, 1] for r in records)
    assert all(2 < len(r["passages"]) <= 10 for r in records)


def test_lines_come_back_and_a_failure_leaves_the_file_that_was_there(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    rows: list[Any] = [{"text": "é\u2028ü"}, {"n": 1}]
    assert write_lines(path, iter(rows)) == 2
    assert read_lines(path) == rows

    def failing() -> Any:
        yield {"n": 2}
        raise OSError("gone")

    with pytest.raises(OSError, match="gone"):
        write_lines(path, failing())
    assert read_lines(path) == rows
    assert list(tmp_path.iterdir()) == [path]


def test_a_missing_source_is_named(tmp_path: Path, teacher: Teacher) -> None:
    data = write_data(tmp_path / "data")
    (data / "medquad.jsonl.gz").unlink()
    with pytest.raises(FileNotFoundError, match="medquad"):
        prepare(data, tmp_path / "out", teacher)
    assert list((tmp_path / "out").iterdir()) == []


def test_missing_inputs_are_named_with_what_makes_them(tmp_path: Path) -> None:
    corpus = write_corpus(tmp_path / "corpus")
    with pytest.raises(FileNotFoundError, match="texts.jsonl is missing: make it with `lfqa train prepare"):
        check_inputs(tmp_path, corpus)
    for name in ("texts.jsonl", "grounded.jsonl"):
        (tmp_path / name).touch()
    check_inputs(tmp_path, corpus)
    (corpus / "questions.jsonl").unlink()
    with pytest.raises(FileNotFoundError, match=r"questions\.jsonl is missing: the corpus is a folder"):
        check_inputs(tmp_path, corpus)
