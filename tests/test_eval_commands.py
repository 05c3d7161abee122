"""``lfqa eval`` on small files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from lfqa.cli import app
from lfqa.evaluation.table import BEGIN, END
from lfqa.settings import Settings
from tests.helpers import HAS_GENERATOR, NO_GENERATOR, passage, write_passages
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


def test_passages_are_looked_for_in_an_index(tmp_path: Path) -> None:
    path = tmp_path / "ids.jsonl"
    path.write_text('{"question": "How often does the tide rise?", "passage_ids": ["p-7"]}', encoding="utf-8")
    passages = write_passages(tmp_path / "passages.jsonl", [passage(7, prose("tide"), "Tide"), passage(8, prose("wolf"), "Wolf")])
    assert CliRunner().invoke(app, ["index", "add", str(passages), "--name", "tides"]).exit_code == 0
    found = invoke("retrieval", path, "--index", "tides", "--json")
    assert found.exit_code == 0, found.output
    report = json.loads(found.stdout)
    assert report["hybrid"] == {"recall@1": 1.0, "recall@5": 1.0, "recall@10": 1.0, "recall@100": 1.0, "mrr@10": 1.0}
    assert "1 questions, 2 passages" in found.stderr
    elsewhere = invoke("retrieval", path)
    assert elsewhere.exit_code == 2
    assert "lacks ['p-7']" in elsewhere.stderr.replace("\n", " ")


def test_the_corpus_own_questions_are_the_default() -> None:
    result = invoke("retrieval", "--limit", 2, "--json")
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["hybrid"]["recall@100"] == 1.0
    assert "2 questions, " in result.stderr


def test_texts_of_a_file_are_not_looked_for_in_an_index(retrieval_file: Path) -> None:
    result = invoke("retrieval", retrieval_file, "--index", "tides")
    assert result.exit_code == 2
    assert "brings the texts to search itself" in result.stderr


def test_answers_and_baselines_are_reported(answers_file: Path, tiny_bart: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LFQA_GENERATOR_MODEL", str(tiny_bart))
    out = tmp_path / "written.jsonl"
    result = invoke("answers", answers_file, "--limit", 1, "--out", out, "--json")
    assert result.exit_code == 0, result.output
    report = json.loads(result.stdout)
    figures = (
        "rouge1 rouge2 rougeL words sentences supported quoted citation_precision citation_recall abstained copied_5grams repeated".split()
    )
    assert list(report) == [*figures, "questions", "generator", "baselines"]
    assert (report["questions"], report["generator"]) == (1, "bart")
    assert list(report["baselines"]) == ["extract", "passage", "first_three"]
    assert list(report["baselines"]["extract"]) == figures
    assert report["baselines"]["extract"]["abstained"] == 0
    assert report["baselines"]["extract"]["supported"] == 1.0
    assert 0 < report["baselines"]["first_three"]["rougeL"] <= 1
    (line,) = out.read_text(encoding="utf-8").splitlines()
    written = json.loads(line)
    assert written["question"] == QUESTION
    assert [p["article_title"] for p in written["passages"]] == ["Tide"]
    assert written["settings"]["generator"] == "bart"


def test_one_writer_is_reported_as_a_table(answers_file: Path, tmp_path: Path) -> None:
    result = invoke("answers", answers_file, "--generator", "extract", "--out", tmp_path / "new" / "written.jsonl")
    assert result.exit_code == 0, result.output
    assert all(name in result.stdout for name in ("extract", "first_three", "citation_recall", "copied_5grams"))
    assert "bart" not in result.stdout
    assert len((tmp_path / "new" / "written.jsonl").read_text(encoding="utf-8").splitlines()) == 2


def test_the_probe_is_reported_by_condition() -> None:
    result = invoke("probe", "--generator", "extract", "--limit", 2, "--json")
    assert result.exit_code == 0, result.output
    report = json.loads(result.stdout)
    assert list(report) == ["retrieved", "random", "none", "random-unchecked"]
    assert report["retrieved"]["same"] == 1.0
    assert report["random"]["abstained"] == report["none"]["abstained"] == 1.0
    assert invoke("probe", "--generator", "extract", "--limit", 1, "--seed", 3).stdout.count("supported_by_retrieved") == 1


@pytest.fixture
def unanswerable(tmp_path: Path) -> Path:
    path = tmp_path / "unanswerable.jsonl"
    asked = ["Who won the chess olympiad of 1986?", "How is ruby chocolate different from milk chocolate?"]
    path.write_text("".join(json.dumps({"question": q, "split": "test"}) + "\n" for q in asked), encoding="utf-8")
    return path


def test_abstention_is_reported_and_its_threshold_chosen(unanswerable: Path) -> None:
    result = invoke("abstention", "--unanswerable", unanswerable, "--limit", 3, "--json")
    assert result.exit_code == 0, result.output
    report = json.loads(result.stdout)
    assert (report["answerable"], report["unanswerable"]) == (3, 2)
    assert report["threshold"] == Settings().answerable_threshold
    assert report["auroc"]["value"] > 0.5
    assert report["curve"][-1]["refused"] == 1.0
    fitted = invoke("abstention", "--unanswerable", unanswerable, "--limit", 3, "--fit")
    assert fitted.exit_code == 0, fitted.output
    assert "3 answerable and 2 unanswerable questions, AUROC" in fitted.stdout
    assert "random passages reach 0." in fitted.stdout
    assert "weight of shared words" in fitted.stdout and "(fitted to this split): refuses 0.0% of the answerable" in fitted.stdout
    assert "has no questions of the split 'train'" in invoke("abstention", "--unanswerable", unanswerable, "--split", "train").stderr


@pytest.mark.skipif(not HAS_GENERATOR, reason=NO_GENERATOR)
def test_without_a_command_everything_is_measured_and_written(unanswerable: Path, tmp_path: Path) -> None:
    out = tmp_path / "report"
    result = invoke("--unanswerable", unanswerable, "--limit", 1, "--out", out, "--json")
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout) == json.loads((out / "report.json").read_text(encoding="utf-8"))
    assert (out / "report.html").read_text(encoding="utf-8").startswith("<!doctype html>")
    shown = invoke("table", out / "report.json")
    assert shown.exit_code == 0
    assert "| RetriBERT |" in shown.stdout


def test_a_table_is_put_between_the_marks_of_a_file(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(f"a\n{BEGIN}\n{END}\nb\n", encoding="utf-8")
    assert invoke("table", "--write", page).exit_code == 0
    assert page.read_text(encoding="utf-8") == f"a\n{BEGIN}\n{invoke('table').stdout}{END}\nb\n"
    page.write_text("no marks", encoding="utf-8")
    assert invoke("table", "--write", page).exit_code == 2
    assert page.read_text(encoding="utf-8") == "no marks"
    assert invoke("table", tmp_path / "absent.json").exit_code == 2


@pytest.mark.parametrize(
    ("command", "line", "message"),
    [
        ("retrieval", '{"question": "q"}', "line 1: neither of {paragraph, questions}"),
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
