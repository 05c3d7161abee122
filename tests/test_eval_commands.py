"""``lfqa eval`` on small files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from lfqa.cli import app
from tests.training_helpers import prose

QUESTION = "How does the tide keep the people of the valley warm?"


def invoke(*arguments: Any) -> Any:
    return CliRunner().invoke(app, ["eval", *map(str, arguments)])


@pytest.fixture(scope="module")
def retrieval_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("eval") / "retrieval.jsonl"
    records = [{"paragraph": prose(s), "questions": [f"What is the {s} of kind 0?"], "domain": s} for s in ("tide", "wolf", "bread")]
    path.write_text("\n".join(map(json.dumps, records)), encoding="utf-8")
    return path


@pytest.fixture
def answers_file(tmp_path: Path) -> Path:
    path = tmp_path / "answers.jsonl"
    record = {"question": QUESTION, "answers": [prose("tide", 2)], "passages": [{"title": "Tide", "text": prose("tide")}]}
    path.write_text(f"{json.dumps(record)}\n{json.dumps(record)}\n", encoding="utf-8")
    return path


def test_retrieval_is_reported_as_json(retrieval_file: Path) -> None:
    result = invoke("retrieval", retrieval_file, "--json")
    assert result.exit_code == 0, result.output
    report = json.loads(result.stdout)
    assert {"dense", "sparse", "hybrid"} <= set(report)
    assert report["sparse"]["recall@1"] == 1.0
    assert all(values["recall@10"] == 1.0 for values in report.values()), "there are only three texts"
    assert "3 questions, 3 texts" in result.stderr


def test_retrieval_is_reported_as_a_table_of_one_domain(retrieval_file: Path) -> None:
    result = invoke("retrieval", retrieval_file, "--domain", "wolf")
    assert result.exit_code == 0, result.output
    assert "1 questions, 1 texts" in result.stderr
    assert "mrr@10" in result.stdout
    assert result.stdout.count("1.000") >= 15


def test_answers_of_both_writers_and_baselines_are_reported(
    answers_file: Path, tiny_bart: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LFQA_GENERATOR_MODEL", str(tiny_bart))
    out = tmp_path / "written.jsonl"
    result = invoke("answers", answers_file, "--limit", 1, "--out", out, "--json")
    assert result.exit_code == 0, result.output
    report = json.loads(result.stdout)
    assert list(report) == ["bart", "extract", "passage", "first_three"]
    assert list(report["bart"]) == list(report["extract"])
    assert report["extract"]["abstained"] == 0
    assert report["extract"]["supported"] == 1.0
    assert 0 < report["first_three"]["rougeL"] <= 1
    (line,) = out.read_text(encoding="utf-8").splitlines()
    written = json.loads(line)
    assert written["question"] == QUESTION
    assert [p["article_title"] for p in written["passages"]] == ["Tide"]
    assert written["settings"]["generator"] == "bart"


@pytest.mark.parametrize(
    ("command", "line", "message"),
    [
        ("retrieval", '{"question": "q"}', "line 1: neither paragraph and questions"),
        ("retrieval", "", "holds no questions"),
        ("answers", '{"question": "q"}', "line 1: 'answers' is missing"),
        ("answers", "nonsense", "line 1: not JSON"),
    ],
)
def test_a_file_that_does_not_fit_is_exit_code_2(tmp_path: Path, command: str, line: str, message: str) -> None:
    path = tmp_path / "f.jsonl"
    path.write_text(line, encoding="utf-8")
    result = invoke(command, path)
    assert result.exit_code == 2
    assert message in result.stderr
    assert result.stdout == ""


@pytest.mark.parametrize("command", ["retrieval", "answers"])
def test_a_missing_file_is_exit_code_2(tmp_path: Path, command: str) -> None:
    result = invoke(command, tmp_path / "absent.jsonl")
    assert result.exit_code == 2
    assert "absent.jsonl" in result.stderr


def test_an_unknown_split_names_those_there_are() -> None:
    result = invoke("answers", "--split", "dev")
    assert result.exit_code == 2
    assert "there are ['test', 'train', 'validation']" in result.stderr
    assert invoke("answers", "--limit", 0).exit_code == 2
