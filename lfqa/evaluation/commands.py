"""``lfqa eval``: measure everything, or retrieval, answers, grounding and abstention one by one."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from lfqa.settings import ASSETS

if TYPE_CHECKING:
    from lfqa.evaluation.retrieval import Embed
    from lfqa.pipeline import Pipeline

eval_app = typer.Typer(help="Measure retrieval, answers, grounding and abstention; without a command, all of it.")

QUESTIONS = ASSETS / "corpus" / "questions.jsonl"
UNANSWERABLE = ASSETS / "corpus" / "unanswerable.jsonl"
REPORT = ASSETS / "eval.json"
PAIRS = ASSETS.parent / "tests" / "data" / "support_pairs.jsonl"

JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]
SplitOption = Annotated[str, typer.Option(help="Split of the corpus' questions.")]
LimitOption = Annotated[int | None, typer.Option(min=1, help="Only the first questions: a quick look.", show_default=False)]
IndexOption = Annotated[str | None, typer.Option("--index", help="An index made by `lfqa index add`, instead of the bundled corpus.")]
GeneratorOption = Annotated[
    Literal["bart", "extract"] | None,
    typer.Option(help="bart writes; extract quotes the three closest sentences. [default: bart]", show_default=False),
]
UnanswerableOption = Annotated[
    Path, typer.Option("--unanswerable", help="JSON lines of {question, split} that have no answer.", show_default=False)
]


@contextmanager
def _errors() -> Iterator[None]:
    """Turn what a person can mend into one line on standard error and exit code 2."""
    try:
        yield
    except (ValueError, OSError, ModuleNotFoundError) as error:
        typer.secho(f"lfqa: {error}", fg="red", err=True)
        raise typer.Exit(2) from None
    except KeyboardInterrupt:
        typer.secho("stopped; nothing was written", fg="yellow", err=True)
        raise typer.Exit(130) from None


@contextmanager
def _progress() -> Iterator[Callable[[str, int, int], None]]:
    """Yield a progress callback that draws a bar a part on standard error."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
    bars: dict[str, Any] = {}
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:

        def tell(part: str, done: int, total: int) -> None:
            if part not in bars:
                bars[part] = progress.add_task(part, total=total)
            progress.update(bars[part], completed=done, total=total)

        yield tell


def _counter(tell: Callable[[str, int, int], None], part: str, total: int) -> Callable[[], None]:
    done = iter(range(1, total + 1))
    return lambda: tell(part, next(done), total)


def _pipeline(**options: Any) -> Pipeline:
    from lfqa.pipeline import Pipeline
    from lfqa.settings import Settings

    return Pipeline(Settings().with_options(**options))


def _baseline() -> Embed | None:
    """Return all-MiniLM-L6-v2 where it is installed; Transformers' own bars and notices stay off standard error."""
    from transformers.utils import logging as transformers_logging

    from lfqa.evaluation.retrieval import minilm

    transformers_logging.disable_progress_bar()
    transformers_logging.set_verbosity_error()
    return minilm()


def _print(report: dict[str, dict[str, float]], as_json: bool) -> None:
    """Print the measurements by name: the names are the columns of the table."""
    if as_json:
        typer.echo(json.dumps(report, indent=2))
        return
    from rich.console import Console
    from rich.table import Table

    rows = list(dict.fromkeys(row for values in report.values() for row in values))
    table = Table("", *report)
    for row in rows:
        table.add_row(row, *(f"{values[row]:.3f}" if row in values else "" for values in report.values()))
    Console().print(table)


@eval_app.callback(invoke_without_command=True)
def everything(
    context: typer.Context,
    out: Annotated[Path, typer.Option("--out", help="Folder for report.json, report.html and every answer.")] = Path("evaluation"),
    split: SplitOption = "test",
    limit: LimitOption = None,
    unanswerable: UnanswerableOption = UNANSWERABLE,
    as_json: Annotated[bool, typer.Option("--json", help="Print the report's JSON instead of tables.")] = False,
) -> None:
    """Measure everything on the corpus' own questions and write the report to --out, or what the command names."""
    if context.invoked_subcommand is not None:
        return
    with _errors():
        from lfqa.evaluation.report import check_plotting, write_report

        check_plotting()
        from lfqa.evaluation.everything import Questions, evaluate
        from lfqa.evaluation.table import markdown

        with _progress() as tell:
            report, answers = evaluate(
                _pipeline(), Questions(QUESTIONS, unanswerable), split=split, limit=limit, baseline=_baseline(), tell=tell
            )
        written = write_report(report, answers, out)
        typer.echo(json.dumps(report, indent=1, ensure_ascii=False) if as_json else markdown(report), nl=as_json)
        typer.echo("written: " + ", ".join(map(str, written)), err=True)


@eval_app.command()
def retrieval(
    file: Annotated[
        Path | None,
        typer.Argument(
            help="JSON lines of {paragraph, questions}, {question, answer} or {question, passage_ids}; .gz too. "
            "The corpus' own questions where none is given."
        ),
    ] = None,
    index: IndexOption = None,
    domain: Annotated[str | None, typer.Option(help="Only the records of FILE whose field domain is this.")] = None,
    split: SplitOption = "test",
    limit: LimitOption = None,
    as_json: JsonOption = False,
) -> None:
    """Recall and MRR of dense, BM25 and hybrid search, and of all-MiniLM-L6-v2 where its package is installed."""
    with _errors():
        from lfqa.evaluation.figures import means
        from lfqa.evaluation.retrieval import RetrievalTask, corpus_task, measure, rank_passages, rank_texts, read_task

        task = read_task(file, domain) if file else corpus_task(QUESTIONS, split)
        task = RetrievalTask(task.questions[:limit], task.gold[:limit], task.texts)
        if task.texts is not None and index is not None:
            raise ValueError(f"{file} brings the texts to search itself; --index is for lines of {{question, passage_ids}}")
        pipeline = _pipeline(index=index)
        with _progress() as tell:
            if task.texts is None:
                rankings = rank_passages(task, pipeline, pipeline.settings, baseline=_baseline(), progress=tell)
                searched = f"{pipeline.index().manifest.passages} passages"
            else:
                rankings = rank_texts(task, pipeline.encoder(), pipeline.settings, baseline=_baseline(), progress=tell)
                searched = f"{len(task.texts)} texts"
        typer.echo(f"{len(task.questions)} questions, {searched}", err=True)
        _print({name: means(measure(lists, task.gold)) for name, lists in rankings.items()}, as_json)


@eval_app.command()
def answers(
    file: Annotated[
        Path | None,
        typer.Argument(
            help="JSON lines of {question, answers, passages: [{title, text}]}; with passages those are read and nothing is searched; .gz "
            "too. The corpus' own questions where none is given."
        ),
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Write every answer, as `lfqa ask --json` prints it, to this file.")] = None,
    generator: GeneratorOption = None,
    index: IndexOption = None,
    split: SplitOption = "test",
    limit: LimitOption = None,
    as_json: JsonOption = False,
) -> None:
    """ROUGE, support, citations, length, copying and abstention, with baselines beside: quoting, and given passages as they are.

    The JSON has the figures, and under "baselines" those of the others.
    """
    with _errors():
        from lfqa.evaluation.answers import answer_all, baselines, corpus_tasks, measure_answers, read_tasks
        from lfqa.evaluation.report import answer_lines, write_whole

        tasks = (read_tasks(file) if file else corpus_tasks(QUESTIONS, split))[:limit]
        pipeline = _pipeline(index=index, generator=generator)
        chosen = pipeline.settings.generator
        report: dict[str, dict[str, float]] = {}
        with _progress() as tell:
            for writer in dict.fromkeys((chosen, "extract")):
                given = []
                for answer in answer_all(tasks, pipeline, pipeline.settings.with_options(generator=writer)):
                    given.append(answer)
                    tell(writer, len(given), len(tasks))
                report[writer] = measure_answers(tasks, given)
                if out is not None and writer == chosen:
                    write_whole(out, answer_lines(given))
        report.update(baselines(tasks))
        if as_json:
            own = report.pop(chosen)
            typer.echo(json.dumps({**own, "questions": len(tasks), "generator": chosen, "baselines": report}, indent=2))
        else:
            _print(report, as_json=False)


@eval_app.command()
def probe(
    generator: GeneratorOption = None,
    split: SplitOption = "test",
    limit: LimitOption = None,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the random passages.")] = 0,
    as_json: JsonOption = False,
) -> None:
    """Ask the same questions with the passages retrieved, with random ones and with none, and show how far the answers move."""
    with _errors():
        from lfqa.evaluation.answers import answer_all, corpus_tasks
        from lfqa.evaluation.figures import means
        from lfqa.evaluation.probe import probe as run_probe

        tasks = corpus_tasks(QUESTIONS, split)[:limit]
        pipeline = _pipeline(generator=generator)
        with _progress() as tell:
            given = []
            for answer in answer_all(tasks, pipeline, pipeline.settings):
                given.append(answer)
                tell("retrieved", len(given), len(tasks))
            found = run_probe(tasks, given, pipeline, pipeline.settings, seed=seed, tell=_counter(tell, "random, none", len(tasks)))
        _print({name: means(measured) for name, measured in found.items()}, as_json)


@eval_app.command()
def abstention(
    split: SplitOption = "test",
    limit: LimitOption = None,
    unanswerable: UnanswerableOption = UNANSWERABLE,
    refit: Annotated[bool, typer.Option("--fit", help="Choose weight and threshold on this split, and print what to put in.")] = False,
    as_json: JsonOption = False,
) -> None:
    """How well the check before writing tells answerable questions from others, and the threshold for 10% false alarms.

    The weight in lfqa/answerable.py and the defaults of answerable_threshold and related_threshold come from --split validation --fit.
    """
    with _errors():
        from lfqa.answerable import WORD_WEIGHT
        from lfqa.evaluation.abstention import fit, look_up, measure_abstention, read_questions, scores, threshold_for
        from lfqa.evaluation.answers import corpus_tasks

        asked = [task.question for task in corpus_tasks(QUESTIONS, split)][:limit]
        others = read_questions(unanswerable, split)[:limit]
        pipeline = _pipeline()
        with _progress() as tell:
            step = _counter(tell, "search", len(asked) + len(others) + refit * len(asked))
            known, unknown = look_up(asked, pipeline, pipeline.settings, step), look_up(others, pipeline, pipeline.settings, step)
            everything = list(pipeline.index().passages) if refit else []
            strange = look_up(asked, pipeline, pipeline.settings, step, at_random=everything) if refit else []
        weight = fit(known, unknown) if refit else WORD_WEIGHT
        answerable, unknowable = scores(known, weight), scores(unknown, weight)
        threshold = threshold_for(answerable) if refit else pipeline.settings.answerable_threshold
        found = {"word_weight": weight, **measure_abstention(answerable, unknowable, threshold)}
        if refit:
            found["random_passages_reach"] = round(max(scores(strange, weight)), 4)
        if as_json:
            typer.echo(json.dumps(found, indent=2))
            return
        typer.echo(f"{len(asked)} answerable and {len(others)} unanswerable questions, AUROC {found['auroc']['value']:.3f}")
        typer.echo(f"weight of shared words {weight:.2f} ({'fitted to this split' if refit else 'as built in'})")
        rows = {
            "fitted to this split" if refit else "the setting": (threshold, found["false_alarms"]["value"], found["refused"]["value"]),
            "10% false alarms on this split": tuple(found["at_10_percent"].values()),
        }
        for name, (level, alarms, caught) in rows.items():
            typer.echo(f"threshold {level:.4f} ({name}): refuses {alarms:.1%} of the answerable and {caught:.1%} of the unanswerable")
        if refit:
            typer.echo(f"random passages reach {found['random_passages_reach']:.4f}: related_threshold should be a little above")


@eval_app.command()
def support(
    file: Annotated[
        Path, typer.Argument(help="JSON lines of {sentence, passage_title, passage_text, supported, kind, part}.", show_default=False)
    ] = PAIRS,
    part: Annotated[str, typer.Option(help="tune or test.")] = "test",
    threshold: Annotated[float | None, typer.Option(min=0, max=1, help="Support score. [default: the setting]", show_default=False)] = None,
    as_json: JsonOption = False,
) -> None:
    """How often the decision that a passage supports a sentence is right, on pairs labelled by reading."""
    with _errors():
        from dataclasses import asdict

        from lfqa.evaluation.support import judge_pairs, read_pairs, verdict_text
        from lfqa.settings import Settings

        pairs = [pair for pair in read_pairs(file) if pair.part == part]
        if not pairs:
            raise ValueError(f"{file} has no pairs of the part {part!r}")
        found = judge_pairs(pairs, threshold or Settings().support_threshold)
        typer.echo(json.dumps(asdict(found), indent=2) if as_json else verdict_text(found))


@eval_app.command()
def table(
    report: Annotated[Path, typer.Argument(help="A report.json.")] = REPORT,
    write: Annotated[
        Path | None, typer.Option(help="Put the tables into this file, between its two marks, instead of printing them.")
    ] = None,
) -> None:
    """Turn a report into the README's quality tables."""
    with _errors():
        from lfqa.evaluation.report import write_whole
        from lfqa.evaluation.table import markdown, read_report, replace_table

        text = markdown(read_report(report))
        if write is None:
            typer.echo(text, nl=False)
        else:
            write_whole(write, replace_table(write.read_text(encoding="utf-8"), text))
