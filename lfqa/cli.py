"""The command line: ``lfqa ask | index | compare | corpus | eval | train | serve``."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from lfqa import __version__
from lfqa.cli_common import (
    ArticleOption,
    EngineOption,
    FusionOption,
    IndexOption,
    JsonOption,
    KOption,
    ProfileOption,
    RetrieverOption,
    SectionOption,
    SourceOption,
    UrlOption,
    WeightOption,
    clear_errors,
    load_pipeline,
)
from lfqa.cli_compare import compare
from lfqa.cli_corpus import corpus_app
from lfqa.cli_index import index_app
from lfqa.evaluation.commands import eval_app
from lfqa.settings import Settings
from lfqa.training.commands import train_app

if TYPE_CHECKING:
    from lfqa.pipeline import Pipeline
    from lfqa.types import Answer, NearestQuestion, Sentence, Source

app = typer.Typer(
    name="lfqa",
    help="Long-form question answering whose every sentence points at the passage that supports it. Works offline, on a CPU.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command()(compare)
app.add_typer(index_app, name="index")
app.add_typer(corpus_app, name="corpus")
app.add_typer(train_app, name="train")
app.add_typer(eval_app, name="eval")


def _version(show: bool) -> None:
    if show:
        typer.echo(f"lfqa {__version__}")
        raise typer.Exit


@app.callback()
def main(
    version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and exit.")] = False,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Log what is loaded and built.")] = False,
) -> None:
    """Set up logging; errors and progress go to standard error."""
    logging.basicConfig(level=logging.INFO if verbose else logging.ERROR, format="%(levelname)s %(name)s: %(message)s")
    logging.getLogger("lfqa").setLevel(logging.INFO if verbose else logging.WARNING)  # what is about to be downloaded, for one


@app.command()
def ask(
    question: Annotated[str, typer.Argument(help="The question; - reads it from standard input.")],
    retriever: RetrieverOption = None,
    k: KOption = None,
    generator: Annotated[
        Literal["bart", "extract"] | None,
        typer.Option(help="bart writes; extract quotes the three closest sentences. [default: bart]", show_default=False),
    ] = None,
    runtime: Annotated[
        Literal["ctranslate2", "transformers"] | None,
        typer.Option(help="What runs BART on the CPU. [default: ctranslate2]", show_default=False),
    ] = None,
    decoding: Annotated[
        Literal["greedy", "beam", "sample"] | None,
        typer.Option(help="greedy and sample stream, beam searches wider. [default: greedy]", show_default=False),
    ] = None,
    beams: Annotated[int | None, typer.Option(help="Beams, with --decoding beam. [default: 4]", show_default=False)] = None,
    temperature: Annotated[float | None, typer.Option(help="With --decoding sample. [default: 0.8]", show_default=False)] = None,
    top_p: Annotated[float | None, typer.Option(help="With --decoding sample. [default: 0.9]", show_default=False)] = None,
    seed: Annotated[int | None, typer.Option(help="With --decoding sample. [default: 0]", show_default=False)] = None,
    shortest: Annotated[int | None, typer.Option("--min-tokens", help="Shortest answer, in tokens.", show_default=False)] = None,
    longest: Annotated[int | None, typer.Option("--max-tokens", help="Longest answer, in tokens.", show_default=False)] = None,
    fusion: FusionOption = None,
    weight: WeightOption = None,
    article: ArticleOption = None,
    section: SectionOption = None,
    source: SourceOption = None,
    index: IndexOption = None,
    engine: EngineOption = None,
    url: UrlOption = None,
    corpus: Annotated[str | None, typer.Option(help="A passage file, or a folder of Parquet files like wiki_snippets.")] = None,
    profile: ProfileOption = None,
    nearest: Annotated[
        bool, typer.Option("--nearest", help="Show the most similar question with a written answer too, where the corpus has some.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Answer QUESTION with a paragraph whose sentences point at passages."""
    if question == "-":
        question = sys.stdin.buffer.read().decode("utf-8", errors="replace")
    with clear_errors():
        from lfqa.question import check_question

        given: dict[str, Any] = {"profile": profile} if profile else {}
        settings = Settings(**given)
        check_question(question, settings.max_question_characters)  # before anything is loaded
        pipeline = load_pipeline(
            retriever=retriever, k=k, generator=generator, runtime=runtime, decoding=decoding, beams=beams, temperature=temperature,
            top_p=top_p, seed=seed, min_answer_tokens=shortest, max_answer_tokens=longest, index=index, corpus=corpus, profile=profile,
            engine=engine, elasticsearch_url=url, fusion=fusion, weight=weight, articles=article, sections=section, sources=source,
        )  # fmt: skip
        near = next(iter(pipeline.nearest_question(question)), None) if nearest else None
        if as_json:
            answer = pipeline.ask(question)
            _print_notice(answer)
            found = answer.as_dict()
            if nearest:
                found["nearest"] = near.as_dict() if near else None
            typer.echo(json.dumps(found, ensure_ascii=False, indent=2))
        else:
            _stream(pipeline, question)
            if near:
                typer.echo("\n" + _nearest_lines(near, pipeline.settings.nearest_threshold))


def _stream(pipeline: Pipeline, question: str) -> None:
    """Print each sentence of the answer as soon as it is checked, then the passages."""
    from lfqa.types import Finished, Retrieved, SentenceWritten

    numbers: dict[str, int] = {}
    begun = False
    for event in pipeline.stream(question):
        if isinstance(event, Retrieved):
            numbers = {source.hit.passage.passage_id: source.hit.rank for source in event.sources}
        elif isinstance(event, SentenceWritten):
            typer.echo(" " * begun + _sentence_text(event.sentence, numbers), nl=False)
            sys.stdout.flush()
            begun = True
        elif isinstance(event, Finished):
            if begun:
                typer.echo()
            _print_notice(event.answer)
            _print_passages(event.answer)


def _sentence_text(sentence: Sentence, numbers: Mapping[str, int]) -> str:
    marks = "".join(f"[{number}]" for number in dict.fromkeys(numbers[c.passage_id] for c in sentence.citations)) or "[unsupported]"
    text = f"“{sentence.text}”" if sentence.quoted else sentence.text
    return f"{text} " + typer.style(marks, fg="cyan" if sentence.supported else "red")


def _print_notice(answer: Answer) -> None:
    if answer.notice:
        typer.secho(f"lfqa: {answer.notice}", fg="yellow", err=True)


def _print_passages(answer: Answer) -> None:
    if answer.abstained:
        typer.secho(answer.answer, fg="yellow")
    typer.echo()
    for source in answer.sources:
        typer.echo(_passage_lines(source))
    steps = ", ".join(f"{step} {seconds:.2f} s" for step, seconds in answer.timings.items())
    typer.secho(steps, dim=True)


def _passage_lines(source: Source) -> str:
    hit, passage = source.hit, source.hit.passage
    title = " – ".join(part for part in (passage.article_title, passage.section_title) if part)
    found = [f"{name} {rank}" for name, rank in (("dense", hit.dense_rank), ("BM25", hit.sparse_rank)) if rank is not None]
    note = "" if source.read else ", not read"
    head = typer.style(f"[{hit.rank}] {title}", bold=True) + typer.style(f"  ({', '.join(found)}{note})", dim=True)
    place = f"{passage.source}{f', page {passage.page}' if passage.page else ''}"
    return f"{head}\n{passage.passage_text}\n" + (typer.style(place, dim=True) + "\n" if place else "")


def _nearest_lines(near: NearestQuestion, threshold: float) -> str:
    far = ": low, probably another question" if near.similarity < threshold else ""
    head = typer.style("Closest question with a written answer", bold=True)
    return f"{head}{typer.style(f'  (similarity {near.similarity:.2f}{far})', dim=True)}\n{near.question}\n{near.answer}"


@app.command()
def serve(
    port: Annotated[int, typer.Option(help="Port of the page.", min=1, max=65535)] = 8501,
    host: Annotated[str, typer.Option(help="Address to listen on; 0.0.0.0 for every one of this machine's.")] = "127.0.0.1",
) -> None:
    """Open the page in a browser."""
    import subprocess

    page = Path(__file__).resolve().parent.parent / "app.py"
    command = [sys.executable, "-m", "streamlit", "run", str(page), "--server.port", str(port), "--server.address", host]
    # Streamlit takes its configuration from the folder it runs in
    raise typer.Exit(subprocess.call(command, cwd=page.parent))


if __name__ == "__main__":
    app()
