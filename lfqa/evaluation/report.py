"""Writing what was measured: one JSON file, one HTML page that needs nothing beside it, and every answer."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from lfqa.types import Answer

_TEMPLATE = Path(__file__).with_name("report.html.j2")


def check_plotting() -> None:
    """Make sure that plots can be drawn, before minutes are spent on measuring.

    Raises
    ------
    ModuleNotFoundError
        When a package for the plots is missing; the message says how to install it.
    """
    missing = [package for module, package in (("altair", "altair"), ("vl_convert", "vl-convert-python")) if find_spec(module) is None]
    if missing:
        raise ModuleNotFoundError(f"the report's plots need {' and '.join(missing)}: run `make eval`, or pip install 'lfqa[eval]'")


def write_report(report: Mapping[str, Any], answers: Mapping[str, Sequence[Answer]], folder: Path) -> list[Path]:
    """Write ``report.json``, ``report.html`` and ``answers-WRITER.jsonl`` to `folder` and return their paths."""
    files = {
        "report.json": json.dumps(report, indent=1, ensure_ascii=False) + "\n",
        "report.html": html(report, answers),
        **{f"answers-{writer}.jsonl": answer_lines(given) for writer, given in answers.items()},
    }
    for name, text in files.items():
        write_whole(folder / name, text)
    return [folder / name for name in files]


def answer_lines(answers: Sequence[Answer]) -> str:
    """Return every answer as one line of JSON, the object that ``lfqa ask --json`` prints."""
    return "".join(json.dumps(answer.as_dict(), ensure_ascii=False) + "\n" for answer in answers)


def write_whole(path: Path, text: str) -> None:
    """Write `text` to `path` by way of a file beside it, so that nobody sees half of it; makes missing folders."""
    path.parent.mkdir(parents=True, exist_ok=True)
    work = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        work.write_text(text, encoding="utf-8")
        os.replace(work, path)
    finally:
        work.unlink(missing_ok=True)


def html(report: Mapping[str, Any], answers: Mapping[str, Sequence[Answer]]) -> str:
    """Return the report as one HTML page: no script, nothing loaded, every text escaped."""
    from jinja2 import Environment, StrictUndefined
    from markupsafe import Markup

    from lfqa.evaluation.charts import dots, refusals, svg

    found = report["abstention"]
    chosen = {name: found[name]["value"] for name in ("false_alarms", "refused")}
    plots = {
        "retrieval": Markup(svg(dots(report["retrieval"], ("recall@1", "recall@5", "recall@10", "mrr@10")))),
        "answers": Markup(svg(dots(report["answers"], ("rougeL", "supported", "cited_gold", "copied_5grams")))),
        "probe": {
            writer: Markup(svg(dots(conditions, ("abstained", "same", "supported_by_retrieved", "rougeL"))))
            for writer, conditions in report["probe"].items()
        },
        "abstention": Markup(svg(refusals(found["curve"], found["threshold"], chosen))),
    }
    template = Environment(autoescape=True, undefined=StrictUndefined).from_string(_TEMPLATE.read_text(encoding="utf-8"))
    return template.render(report=report, plots=plots, answers=answers)
