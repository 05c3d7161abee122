"""``lfqa eval``: measure retrieval and answers."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from lfqa.settings import ASSETS

eval_app = typer.Typer(help="Measure retrieval and answers.", no_args_is_help=True)
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]


@contextmanager
def _errors() -> Iterator[None]:
    """Turn what a person can mend into one line on standard error and exit code 2."""
    try:
        yield
    except (ValueError, OSError, ModuleNotFoundError) as error:
        typer.secho(f"lfqa: {error}", fg="red", err=True)
        raise typer.Exit(2) from None


def _print(report: dict[str, dict[str, float]], as_json: bool) -> None:
    """Print the measurements (columns) by name (rows)."""
    if as_json:
        typer.echo(json.dumps(report, indent=2))
        return
    from rich.console import Console
    from rich.table import Table

    columns = list(next(iter(report.values())))
    table = Table("", *columns)
    for name, values in report.items():
        table.add_row(name, *(f"{values[column]:.3f}" if column in values else "" for column in columns))
    Console().print(table)


@eval_app.command()
def retrieval(
    file: Annotated[Path, typer.Argument(help="JSON lines of {paragraph, questions} or {question, answer}; .gz too.")],
    domain: Annotated[str | None, typer.Option(help="Only the records whose field domain is this.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Recall and MRR of dense, BM25 and hybrid search on FILE, beside all-MiniLM-L6-v2 where its package is installed."""
    with _errors():
        from lfqa.evaluation.retrieval import evaluate_retrieval, minilm, read_task
        from lfqa.pipeline import Pipeline

        texts, questions = read_task(file, domain)
        pipeline = Pipeline()
        report = evaluate_retrieval(texts, questions, pipeline.encoder(), rrf_constant=pipeline.settings.rrf_constant, baseline=minilm())
        typer.echo(f"{len(questions)} questions, {len(texts)} texts", err=True)
        _print(report, as_json)


@eval_app.command()
def answers(
    file: Annotated[
        Path | None, typer.Argument(help="JSON lines of {question, answers, passages}; the corpus' own test questions where none is given.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Write every answer, as `lfqa ask --json` prints it, to this file.")] = None,
    split: Annotated[str, typer.Option(help="Split of the corpus' questions.")] = "test",
    limit: Annotated[int | None, typer.Option(min=1, help="Only the first questions.", show_default=False)] = None,
    as_json: JsonOption = False,
) -> None:
    """ROUGE, support, length, copying and abstention of both writers, with baselines where passages are given."""
    with _errors():
        from rich.console import Console
        from rich.progress import track

        from lfqa.evaluation.answers import answer_all, baselines, corpus_tasks, measure_answers, read_tasks
        from lfqa.pipeline import Pipeline

        tasks = (read_tasks(file) if file else corpus_tasks(ASSETS / "corpus" / "questions.jsonl", split))[:limit]
        pipeline = Pipeline()
        report: dict[str, dict[str, float]] = {}
        for writer in ("bart", "extract"):
            settings = pipeline.settings.with_options(generator=writer)
            given = list(
                track(answer_all(tasks, pipeline, settings), writer, total=len(tasks), console=Console(stderr=True), transient=True)
            )
            report[writer] = measure_answers(tasks, given)
            if out is not None and writer == "bart":
                out.write_text("".join(json.dumps(a.as_dict(), ensure_ascii=False) + "\n" for a in given), encoding="utf-8")
        report.update(baselines(tasks))
        _print(report, as_json)
