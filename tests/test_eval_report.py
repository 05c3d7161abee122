"""The whole report on two questions, its page, and the README's tables."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from copy import deepcopy
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from lfqa.evaluation.charts import dots, refusals, svg
from lfqa.evaluation.everything import Questions, evaluate, machine, versions
from lfqa.evaluation.report import answer_lines, check_plotting, html, write_report, write_whole
from lfqa.evaluation.table import BEGIN, END, markdown, number, read_report, replace_table
from lfqa.pipeline import Pipeline
from lfqa.types import Answer, Sentence
from tests.helpers import ASSETS, HAS_GENERATOR, NO_GENERATOR, check_answer_object

ROOT = ASSETS.parent
HOSTILE = '<script>alert(1)</script><img src=x onerror=alert(2)> & "quoted" \' </style></svg> {{ 7 * 7 }}'

Report = dict[str, Any]
Measured = tuple[Report, dict[str, list[Answer]]]


def figure(value: float) -> dict[str, float]:
    return {"value": value, "low": max(0.0, value - 0.1), "high": min(1.0, value + 0.1), "count": 9}


def made_report() -> Report:
    """Return a small report by hand."""
    answers = {name: figure(0.5) for name in "rouge1 rouge2 rougeL supported abstained cited_gold cites_two copied_5grams repeated".split()}
    answers |= {"words": {"value": 61.4, "low": 55.1, "high": 66.6, "count": 9}, "citation_precision": figure(1.0)}
    moved = {name: figure(0.2) for name in ("abstained", "same", "supported_by_retrieved", "rougeL")}
    return {
        "format": 1, "date": "2026-01-02T03:04:05+00:00", "split": "test", "limit": None, "passages": 12,
        "questions": {"answerable": 9, "unanswerable": 4},
        "revisions": {"retriever": "r1", "generator": "g1", "corpus": "c1"},
        "settings": {"k": 6}, "machine": {"cores": 2}, "versions": {"python": "3"}, "seconds": {"retrieval": 1.5},
        "retrieval": {
            "dense": {"recall@1": figure(0.25), "mrr@10": figure(0.5)},
            "sparse": {"recall@1": figure(0.3), "mrr@10": figure(0.4)},
        },
        "answers": {"bart": answers, "extract": answers},
        "probe": {"bart": {"retrieved": moved, "random": moved}},
        "abstention": {
            "answerable": 9, "unanswerable": 4, "auroc": figure(0.9), "threshold": 0.64,
            "false_alarms": figure(0.1), "refused": figure(0.8),
            "at_10_percent": {"threshold": 0.6, "false_alarms": 0.1, "refused": 0.75},
            "curve": [{"threshold": 0.1, "false_alarms": 0.0, "refused": 0.0}, {"threshold": 1.0, "false_alarms": 1.0, "refused": 1.0}],
            "by_the_whole_system": {"false_alarms": figure(0.1), "refused": figure(0.85)},
        },
    }  # fmt: skip


class Page(HTMLParser):
    """Collects what a browser would see and do."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: dict[str, set[str]] = {}
        self.shown = ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        for name, value in attrs:
            self.attributes.setdefault(name, set()).add(value or "")

    def handle_data(self, data: str) -> None:
        self.shown += data


# the whole


@pytest.fixture(scope="module")
def measured(pipeline: Pipeline, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Measured]:
    unanswerable = tmp_path_factory.mktemp("u") / "unanswerable.jsonl"
    asked = ["Who won the chess olympiad of 1986?", "How is ruby chocolate different from milk chocolate?"]
    unanswerable.write_text("".join(json.dumps({"question": q, "split": "test"}) + "\n" for q in asked), encoding="utf-8")
    told: dict[str, tuple[int, int]] = {}
    yield evaluate(
        pipeline,
        Questions(ASSETS / "corpus" / "questions.jsonl", unanswerable),
        limit=2,
        tell=lambda part, done, total: told.__setitem__(part, (done, total)),
    )
    assert told == {
        "retrieval": (2, 2), "answers: bart": (2, 2), "probe: bart": (2, 2), "answers: bart-as-written": (2, 2),
        "answers: extract": (2, 2), "probe: extract": (2, 2), "abstention": (6, 6),
    }  # fmt: skip


@pytest.mark.skipif(not HAS_GENERATOR, reason=NO_GENERATOR)
def test_everything_is_measured_and_says_what_it_was_measured_on(measured: Measured, pipeline: Pipeline) -> None:
    report, answers = measured
    assert json.loads(json.dumps(report)) == report
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00", report["date"])
    assert report["questions"] == {"answerable": 2, "unanswerable": 2}
    assert (report["split"], report["limit"]) == ("test", 2)
    manifest = pipeline.index().manifest
    assert report["passages"] == manifest.passages
    assert (report["revisions"]["corpus"], report["revisions"]["retriever"]) == (manifest.corpus, manifest.model)
    assert all(re.fullmatch(r"[0-9a-f]{16}", report["revisions"][name]) for name in ("generator", "questions", "unanswerable"))
    assert report["settings"] == pipeline.settings.reproduction()
    assert report["machine"]["cores"] >= 1
    assert {"python", "lfqa", "torch", "transformers"} <= set(report["versions"])
    assert list(report["retrieval"]) == ["dense", "sparse", "hybrid"]
    assert list(report["answers"]) == ["bart", "bart-as-written", "extract"]
    assert not any(s.quoted for answer in answers["bart-as-written"] for s in answer.sentences[1:]), "but the opening nothing is quoted"
    assert list(report["probe"]) == ["bart", "extract"]
    assert report["probe"]["extract"]["none"]["abstained"]["value"] == 1.0
    assert report["abstention"]["refused"]["count"] == 2
    assert report["abstention"]["by_the_whole_system"]["refused"]["value"] >= report["abstention"]["refused"]["value"]
    assert len(report["seconds"]) == 7
    groups = [*report["retrieval"].values(), *report["answers"].values(), *(c for p in report["probe"].values() for c in p.values())]
    for found in (each for group in groups for each in group.values()):
        assert list(found) == ["value", "low", "high", "count"]
        assert found["low"] <= found["value"] <= found["high"]
    assert [len(given) for given in answers.values()] == [2, 2, 2]


@pytest.mark.skipif(not HAS_GENERATOR, reason=NO_GENERATOR)
def test_the_report_is_three_kinds_of_files(measured: Measured, tmp_path: Path) -> None:
    folder = tmp_path / "new" / "folder"
    written = write_report(*measured, folder)
    assert sorted(folder.iterdir()) == sorted(written)
    assert [path.name for path in written] == [
        "report.json", "report.html", "answers-bart.jsonl", "answers-bart-as-written.jsonl", "answers-extract.jsonl",
    ]  # fmt: skip
    assert read_report(folder / "report.json") == measured[0]
    for line in (folder / "answers-bart.jsonl").read_text(encoding="utf-8").splitlines():
        check_answer_object(json.loads(line))
    page = Page((folder / "report.html").read_text(encoding="utf-8"))
    assert measured[1]["bart"][0].question in page.shown
    assert markdown(measured[0]).count("\n|") > 15


def test_a_missing_question_file_is_said_before_anything_is_measured(pipeline: Pipeline, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="absent"):
        evaluate(pipeline, Questions(ASSETS / "corpus" / "questions.jsonl", tmp_path / "absent.jsonl"), limit=1)


def test_machine_and_versions_are_plain() -> None:
    assert machine()["processor"]
    assert versions()["numpy"] == __import__("numpy").__version__


# the page


def test_the_page_needs_nothing_beside_it_and_runs_nothing() -> None:
    text = html(made_report(), {"bart": []})
    page = Page(text)
    assert text.count("<svg") == 4
    assert not page.tags & {"script", "link", "img", "iframe", "object", "embed", "form", "base", "image"}
    assert not {name for name in page.attributes if name.startswith("on")} | page.attributes.keys() & {
        "src",
        "href",
        "srcset",
        "xlink:href",
    }
    assert "url(" not in text and "@import" not in text
    assert set(re.findall(r"https?://[^\s\"'<>]+", text)) <= {"http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"}
    for shown in ("0.250", "0.900", "12 passages", "r1", "threshold 0.64"):
        assert shown in page.shown


def test_hostile_text_stays_text() -> None:
    report = made_report()
    report["settings"][HOSTILE] = HOSTILE
    report["revisions"]["retriever"] = HOSTILE
    report["retrieval"][HOSTILE] = deepcopy(report["retrieval"]["dense"])
    report["answers"][HOSTILE] = deepcopy(report["answers"]["bart"])
    report["probe"][HOSTILE] = deepcopy(report["probe"]["bart"])
    answers = [
        Answer(HOSTILE, HOSTILE, False, (Sentence(HOSTILE, True), Sentence("Plain.", False)), ()),
        Answer("q", HOSTILE, True, (), ()),
    ]
    text = html(report, {HOSTILE: answers})
    page = Page(text)
    assert not page.tags & {"script", "img"}
    assert "onerror" not in page.attributes
    assert "<script" not in text and "{{" in page.shown, "neither markup nor template"
    assert page.shown.count("alert(1)") > 8
    assert "Plain." in page.shown


def test_a_quick_look_is_called_one() -> None:
    assert "quick look" not in html(made_report(), {}) + markdown(made_report())
    quick = made_report() | {"limit": 3}
    assert "quick look" in html(quick, {})
    assert "quick look" in markdown(quick)


def test_plots_hold_every_row_and_figure() -> None:
    drawn = svg(dots(made_report()["retrieval"], ("recall@1", "mrr@10", "absent")))
    assert drawn.startswith("<svg")
    assert all(name in drawn for name in ("dense", "sparse", "recall@1", "mrr@10"))
    assert "absent" not in drawn
    found = made_report()["abstention"]
    drawn = svg(refusals(found["curve"], 0.64, {"false_alarms": 0.1, "refused": 0.8}))
    assert "threshold 0.64" in drawn


def test_missing_plotting_packages_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    check_plotting()
    monkeypatch.setattr("lfqa.evaluation.report.find_spec", lambda name: None if name == "vl_convert" else object())
    with pytest.raises(ModuleNotFoundError, match=r"need vl-convert-python: run `make eval`, or pip install 'lfqa\[eval\]'"):
        check_plotting()


def test_a_file_appears_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "a" / "report.json"
    write_whole(path, "one")
    with pytest.raises(UnicodeEncodeError):
        write_whole(path, "half \ud800")
    assert path.read_text(encoding="utf-8") == "one"
    assert list(path.parent.iterdir()) == [path]
    assert answer_lines([]) == ""


# the tables


def test_the_tables_have_every_measured_figure() -> None:
    text = markdown(made_report())
    assert "| RetriBERT | 0.25 (0.15–0.35) | 0.50 (0.40–0.60) |" in text
    assert "| Passages found | recall@1 | mrr@10 |\n|---|---|---|" in text
    assert "| BART | 0.50 (0.40–0.60) | 0.50 (0.40–0.60) | 0.50 (0.40–0.60) | 61 (55–67) |" in text
    assert "9 questions, 4 that it can not answer, 12 passages (retriever r1, generator g1, corpus c1)" in text
    assert "| whole system | 0.10 (0.00–0.20) | 0.85 (0.75–0.95) |" in text
    assert number({"value": 0.996, "low": 0.98, "high": 1.0, "count": 3}) == "1.00 (0.98–1.00)"
    assert number({"value": 0.0, "low": 0.0, "high": 0.0, "count": 0}) == "–"
    widths = [{line.count("|") for line in block.splitlines()} for block in text.split("\n\n")[1:]]
    assert all(len(width) == 1 for width in widths), "every row of a table has as many cells"


def test_only_what_stands_between_the_marks_is_replaced() -> None:
    text = f"before\n{BEGIN}\nold \\1\n{END}\nafter\n"
    assert replace_table(text, "new \\g<0>\n") == f"before\n{BEGIN}\nnew \\g<0>\n{END}\nafter\n"
    for wrong in ("none", f"{END} {BEGIN}", f"{BEGIN} {END} {BEGIN} {END}"):
        with pytest.raises(ValueError, match="each there once"):
            replace_table(wrong, "")


@pytest.mark.parametrize("text", ["{", "[]", '{"date": "2026"}'])
def test_what_is_no_report_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "report.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ValueError, match="is no"):
        read_report(path)


def test_the_readme_shows_the_committed_report() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    table = markdown(read_report(ASSETS / "eval.json"))
    assert replace_table(readme, table) == readme, "run `lfqa eval table --write README.md`"
