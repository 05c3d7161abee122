"""The README's quality table, from a report's values, and nothing else: so it can not drift from what was measured."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

BEGIN, END = "<!-- lfqa eval table: begin -->", "<!-- lfqa eval table: end -->"

_ENGINES = {"dense": "RetriBERT", "sparse": "BM25", "hybrid": "hybrid", "baseline": "all-MiniLM-L6-v2"}
_WRITERS = {"bart": "BART", "bart-as-written": "BART, nothing mended", "extract": "three closest sentences"}
_CONDITIONS = {
    "retrieved": "retrieved",
    "random": "random",
    "none": "none",
    "random-unchecked": "random, no check before, nothing mended after",
}


def read_report(path: Path) -> dict[str, Any]:
    """Return the report that `lfqa eval` wrote.

    Raises
    ------
    OSError
        When there is no such file.
    ValueError
        When it is no report.
    """
    try:
        report = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{path} is no JSON: {error}") from error
    if not isinstance(report, dict) or not {"date", "retrieval", "answers", "probe", "abstention"} <= set(report):
        raise ValueError(f"{path} is no report of `lfqa eval`: it lacks retrieval, answers, probe or abstention")
    return report


def markdown(report: Mapping[str, Any]) -> str:
    """Return the tables of `report` as Markdown; each figure with its 95% interval where there is one."""
    asked, refused = report["questions"]["answerable"], report["questions"]["unanswerable"]
    quick = " A quick look at the first questions only." if report["limit"] else ""
    revisions = ", ".join(f"{name} {report['revisions'][name]}" for name in ("retriever", "generator", "corpus"))
    parts = [
        f"Measured by `lfqa eval` on {report['date'][:10]} on the {report['split']} split of the corpus: {asked} questions, {refused} that "
        f"it can not answer, {report['passages']} passages ({revisions}).{quick} In brackets: 95% intervals, by bootstrap over questions.",
        _table("Passages found", report["retrieval"], _ENGINES, ("recall@1", "recall@5", "recall@10", "recall@100", "mrr@10")),
        _table("Answers", report["answers"], _WRITERS, ("rouge1", "rouge2", "rougeL", "words", "supported", "quoted", "abstained")),
        _table(
            "Answers",
            report["answers"],
            _WRITERS,
            ("citation_precision", "citation_recall", "cited_gold", "cites_two", "copied_5grams", "repeated"),
        ),
        _table("BART with these passages", report["probe"]["bart"], _CONDITIONS, ("abstained", "same", "supported_by_retrieved", "rougeL")),
        _abstention(report["abstention"]),
    ]
    return "\n\n".join(parts) + "\n"


def _table(head: str, rows: Mapping[str, Mapping[str, Any]], names: Mapping[str, str], columns: Sequence[str]) -> str:
    shown = [column for column in columns if any(column in figures for figures in rows.values())]
    lines = [f"| {head} | " + " | ".join(shown) + " |", "|---" * (len(shown) + 1) + "|"]
    for key, figures in rows.items():
        cells = [number(figures[column]) if column in figures else "" for column in shown]
        lines.append(f"| {names.get(key, key)} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def number(figure: Mapping[str, float]) -> str:
    """Return a figure as text: two places, or none from 10 on, and its interval; a dash where no question counted."""
    if not figure["count"]:
        return "–"
    places = 0 if abs(figure["value"]) >= 10 else 2
    shown = [f"{figure[key]:.{places}f}" for key in ("value", "low", "high")]
    return f"{shown[0]} ({shown[1]}–{shown[2]})"


def _abstention(found: Mapping[str, Any]) -> str:
    own, whole = found["at_10_percent"], found["by_the_whole_system"]
    rows = [
        ("check before writing, default threshold", number(found["false_alarms"]), number(found["refused"])),
        ("check before writing, at 10% false alarms", f"{own['false_alarms']:.2f}", f"{own['refused']:.2f}"),
        ("whole system", number(whole["false_alarms"]), number(whole["refused"])),
    ]
    head = f"| No answer given (AUROC of the check {number(found['auroc'])}) | answerable questions | unanswerable questions |"
    return f"{head}\n|---|---|---|\n" + "\n".join(f"| {' | '.join(row)} |" for row in rows)


def replace_table(text: str, table: str) -> str:
    """Return `text` with `table` between the two marks.

    Raises
    ------
    ValueError
        When the marks are not both there once, in order.
    """
    if text.count(BEGIN) != 1 or text.count(END) != 1 or text.index(BEGIN) > text.index(END):
        raise ValueError(f"the table goes between the lines {BEGIN} and {END}, each there once; they are not")
    return re.sub(f"{re.escape(BEGIN)}.*{re.escape(END)}", lambda _: f"{BEGIN}\n{table}{END}", text, flags=re.DOTALL)
