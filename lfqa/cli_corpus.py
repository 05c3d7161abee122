"""``lfqa corpus``: look after a corpus of passages and questions."""

from __future__ import annotations

import functools
import json
from pathlib import Path
from typing import Annotated

import typer

from lfqa.cli_common import JsonOption, clear_errors
from lfqa.corpus.check import SUPPORTED_AT, UNSUPPORTED, Report, check_corpus, read_corpus
from lfqa.settings import ASSETS

corpus_app = typer.Typer(help="Check a corpus of passages and questions.", no_args_is_help=True)


@corpus_app.command()
def check(
    folder: Annotated[
        Path, typer.Argument(help="Folder with passages.jsonl and questions.jsonl. [default: the bundled corpus]", show_default=False)
    ] = ASSETS / "corpus",
    unsupported: Annotated[
        float, typer.Option(min=0, max=1, help="Share of the answer sentences that no passage needs to support.")
    ] = UNSUPPORTED,
    show: Annotated[int, typer.Option(min=0, help="Faults of each kind to show.")] = 10,
    as_json: JsonOption = False,
) -> None:
    """Check fields, ids, lengths, references, splits, duplicates, support and links: exit code 1 when something is wrong."""
    with clear_errors():
        from lfqa.attribution import attribute

        report = check_corpus(read_corpus(folder), functools.partial(attribute, threshold=SUPPORTED_AT), unsupported)
        typer.echo(json.dumps(report.as_dict(), ensure_ascii=False, indent=2) if as_json else _text(report, show))
    if not report.passed:
        raise typer.Exit(1)


def _text(report: Report, show: int) -> str:
    counts, words = report.counts, report.counts["words"]
    lengths = f"{words['least']} to {words['most']} words (median {words['median']:g})"
    lines = [f"{counts['topics']} topics, {counts['passages']} passages of {lengths}"]
    for name, split in (("questions with answers", counts["questions"]), ("questions that no passage answers", counts["unanswerable"])):
        parts = ", ".join(f"{count} {part}" for part, count in split.items() if part != "all")
        lines.append(f"{split['all']} {name}" + (f": {parts}" if parts else ""))
    width = max(len(check.name) for check in report.checks)
    lines.append("")
    for check in report.checks:
        mark = typer.style("ok  ", fg="green") if check.passed else typer.style("FAIL", fg="red")
        wrong = f"{len(check.faults)} wrong" + (f", {check.allowed} allowed" if check.allowed else "") if check.faults else ""
        lines.append(f"{mark} {check.name:{width}}  {check.looked_at:6} looked at  {wrong}".rstrip())
    for check in report.checks:
        if check.passed:
            continue
        lines += ["", f"{check.name}:", *(f"  {fault.where}: {fault.what}" for fault in check.faults[:show])]
        if len(check.faults) > show:
            lines.append(f"  and {len(check.faults) - show} more (--show, --json)")
    return "\n".join(lines)
