"""The command line: ``lfqa ask | index | compare | corpus | eval | train | serve``."""

from __future__ import annotations

import json
import logging
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer
from pydantic import ValidationError

from lfqa import __version__
from lfqa.cli_corpus import corpus_app
from lfqa.evaluation.commands import eval_app
from lfqa.settings import Settings, describe
from lfqa.training.commands import train_app

if TYPE_CHECKING:
    from lfqa.pipeline import Pipeline
    from lfqa.types import Answer, NearestQuestion, Source

app = typer.Typer(
    name="lfqa",
    help="Long-form question answering whose every sentence points at the passage that supports it. Works offline, on a CPU.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
index_app = typer.Typer(help="Make, list and remove indexes of your own passages.", no_args_is_help=True)
app.add_typer(index_app, name="index")
app.add_typer(corpus_app, name="corpus")
app.add_typer(train_app, name="train")
app.add_typer(eval_app, name="eval")

USAGE_ERROR = 2

RetrieverOption = Annotated[
    Literal["dense", "sparse", "hybrid"] | None,
    typer.Option("--retriever", "-r", help="RetriBERT vectors, BM25, or both fused. [default: hybrid]", show_default=False),
]
KOption = Annotated[int | None, typer.Option("-k", help="Passages to retrieve and show. [default: 6]", show_default=False)]
IndexOption = Annotated[str | None, typer.Option("--index", help="An index made by `lfqa index add`, instead of the bundled corpus.")]
EngineOption = Annotated[
    Literal["embedded", "elasticsearch"] | None,
    typer.Option(help="What searches: FAISS and Tantivy here, or an Elasticsearch server. [default: embedded]", show_default=False),
]
UrlOption = Annotated[
    str | None,
    typer.Option("--url", help="The Elasticsearch server, https://host:9200; credentials go into LFQA_ELASTICSEARCH_*."),
]
ProfileOption = Annotated[
    Literal["embedded", "hub"] | None,
    typer.Option(
        "--profile",
        help="embedded: what is in the repository, offline. hub: the published checkpoints of 2020. [default: embedded]",
        show_default=False,
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON object instead of text.")]


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


@contextmanager
def _clear_errors() -> Iterator[None]:
    """Turn what a person can mend into one line on standard error and exit code 2."""
    try:
        yield
    except ValidationError as error:
        _fail(describe(error))
    except BrokenPipeError:  # the reader, head for one, has what it wanted; nothing is left to flush to it at exit
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except (ValueError, OSError) as error:
        _fail(str(error))
    except KeyboardInterrupt:
        typer.secho("stopped", fg="yellow", err=True)
        raise typer.Exit(130) from None


def _fail(message: str) -> None:
    typer.secho(f"lfqa: {message}", fg="red", err=True)
    raise typer.Exit(USAGE_ERROR)


@contextmanager
def _progress() -> Iterator[Callable[[str, int, int], None]]:
    """Yield a progress callback that draws a bar on standard error from the first call on, which is seldom: nothing is imported before."""
    bars: dict[str, Any] = {}
    with ExitStack() as shown:

        def tell(step: str, done: int, total: int) -> None:
            from rich.console import Console
            from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

            if not bars:
                columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
                bars[""] = shown.enter_context(Progress(*columns, console=Console(stderr=True), transient=True))
            if step not in bars:
                bars[step] = bars[""].add_task(f"index: {step}", total=total)
            bars[""].update(bars[step], completed=done, total=total)

        yield tell


def _quiet_transformers() -> None:
    """Keep Transformers' bars and notices off standard error, which is for our own; it reads these when it is imported, if it is."""
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")


def _settings(**options: Any) -> Settings:
    """Return the settings with what was given on the command line."""
    settings = Settings(**{name: value for name, value in options.items() if value is not None})
    if options.get("elasticsearch_url") and settings.engine != "elasticsearch":
        raise ValueError("--url names an Elasticsearch server, which is asked only with --engine elasticsearch")
    return settings


def _pipeline(**options: Any) -> Pipeline:
    from lfqa.pipeline import Pipeline

    pipeline = Pipeline(_settings(**options))
    _quiet_transformers()
    with _progress() as tell:
        pipeline.progress = tell
        pipeline.warm_up()
        pipeline.progress = None
    return pipeline


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
    with _clear_errors():
        from lfqa.question import check_question

        given: dict[str, Any] = {"profile": profile} if profile else {}
        settings = Settings(**given)
        check_question(question, settings.max_question_characters)  # before anything is loaded
        pipeline = _pipeline(
            retriever=retriever, k=k, generator=generator, runtime=runtime, decoding=decoding, beams=beams, temperature=temperature,
            top_p=top_p, seed=seed, min_answer_tokens=shortest, max_answer_tokens=longest, index=index, corpus=corpus, profile=profile,
            engine=engine, elasticsearch_url=url,
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
    from lfqa.types import Finished, Token

    terminal = sys.stdout.isatty()
    for event in pipeline.stream(question):
        if isinstance(event, Token) and terminal:
            typer.secho(event.text, nl=False, dim=True)
            sys.stdout.flush()
        elif isinstance(event, Finished):
            if terminal:
                typer.echo("\n")
            _print_notice(event.answer)
            _print_answer(event.answer)


def _print_notice(answer: Answer) -> None:
    if answer.notice:
        typer.secho(f"lfqa: {answer.notice}", fg="yellow", err=True)


def _print_answer(answer: Answer) -> None:
    numbers = {source.hit.passage.passage_id: source.hit.rank for source in answer.sources}
    if answer.abstained:
        typer.secho(answer.answer, fg="yellow")
    else:
        pieces = []
        for sentence in answer.sentences:
            marks = "".join(f"[{numbers[citation.passage_id]}]" for citation in sentence.citations) or "[unsupported]"
            pieces.append(f"{sentence.text} " + typer.style(marks, fg="cyan" if sentence.supported else "red"))
        typer.echo(" ".join(pieces))
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
    return f"{head}\n{passage.passage_text}\n"


def _nearest_lines(near: NearestQuestion, threshold: float) -> str:
    far = ": low, probably another question" if near.similarity < threshold else ""
    head = typer.style("Closest question with a written answer", bold=True)
    return f"{head}{typer.style(f'  (similarity {near.similarity:.2f}{far})', dim=True)}\n{near.question}\n{near.answer}"


@app.command()
def compare(
    question: Annotated[str, typer.Argument(help="The question.")],
    k: KOption = None,
    index: IndexOption = None,
    engine: EngineOption = None,
    url: UrlOption = None,
    profile: ProfileOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show what dense, BM25 and hybrid retrieval find for QUESTION, beside each other."""
    with _clear_errors():
        from lfqa.question import check_question
        from lfqa.types import Source, source_as_dict

        check_question(question, Settings().max_question_characters)
        pipeline = _pipeline(k=k, index=index, engine=engine, elasticsearch_url=url, profile=profile, generator="extract")
        found = {
            name: pipeline.retrieve(question, pipeline.settings.with_options(retriever=name)) for name in ("dense", "sparse", "hybrid")
        }
        if as_json:
            lists = {name: [source_as_dict(Source(hit)) for hit in hits] for name, hits in found.items()}
            typer.echo(json.dumps({"question": question, **lists}, ensure_ascii=False, indent=2))
            return
        from rich.console import Console
        from rich.table import Table
        from rich.text import Text

        table = Table("rank", *found, title=Text(question), show_lines=False)
        for rank in range(max(len(hits) for hits in found.values())):
            cells = []
            for hits in found.values():
                shown = ""
                if rank < len(hits):
                    passage = hits[rank].passage
                    shared = sum(passage.passage_id in {h.passage.passage_id for h in others} for others in found.values())
                    shown = f"{passage.article_title} – {passage.section_title}" + (" ●" if shared == len(found) else "")
                cells.append(Text(shown))
            table.add_row(str(rank + 1), *cells)
        Console().print(table)
        typer.echo("● found by all three")


@index_app.command("add")
def index_add(
    file: Annotated[Path, typer.Argument(help="JSON lines with passage_id, article_title, section_title, passage_text; .gz too.")],
    name: Annotated[str, typer.Option("--name", help="The index's name; an existing one is added to.")],
    engine: EngineOption = None,
    url: UrlOption = None,
    profile: ProfileOption = None,
) -> None:
    """Index the passages of FILE under NAME; a passage whose id is there already is replaced."""
    with _clear_errors():
        from lfqa.corpus.store import read_passages
        from lfqa.indexing.build import check_name
        from lfqa.pipeline import Pipeline

        check_name(name)
        passages = list(read_passages(file))
        pipeline = Pipeline(_settings(engine=engine, elasticsearch_url=url, profile=profile))
        _quiet_transformers()
        if pipeline.settings.engine == "elasticsearch":
            from lfqa.engines import add_to_server

            root = str(file.absolute())
            with _progress() as tell:
                manifest = add_to_server(
                    pipeline.settings, name, [(root, passages)], [root], pipeline.encoder(), pipeline.catalog().model, tell
                )
            typer.echo(f"{name}: {manifest.passages} passages ({len(passages)} from {file})")
            return
        with _progress() as tell:
            index = pipeline.catalog().add(name, passages, pipeline.encoder(), tell)
        typer.echo(f"{name}: {index.manifest.passages} passages ({len(passages)} from {file})")


@index_app.command("list")
def index_list(engine: EngineOption = None, url: UrlOption = None) -> None:
    """List the indexes and their sizes."""
    with _clear_errors():
        settings = _settings(engine=engine, elasticsearch_url=url)
        if settings.engine == "elasticsearch":
            from lfqa.engines import server_indexes

            for name, manifest in server_indexes(settings).items():
                typer.echo(f"{name}\t" + (manifest if isinstance(manifest, str) else f"{manifest.passages} passages"))
            return
        catalog = _catalog()
        names = catalog.names()
        for name in names:
            typer.echo(f"{name}\t{catalog.info(name).passages} passages")
        if not names:
            typer.echo("no index yet: make one with `lfqa index add FILE --name NAME`")


@index_app.command("info")
def index_info(name: Annotated[str, typer.Argument(help="The index's name.")], engine: EngineOption = None, url: UrlOption = None) -> None:
    """Print the manifest of an index as JSON."""
    with _clear_errors():
        from dataclasses import asdict

        settings = _settings(engine=engine, elasticsearch_url=url)
        if settings.engine == "elasticsearch":
            from lfqa.engines import server_manifest

            typer.echo(json.dumps(asdict(server_manifest(settings, name)), indent=2))
            return
        typer.echo(json.dumps(asdict(_catalog().info(name)), indent=2))


@index_app.command("remove")
def index_remove(
    name: Annotated[str, typer.Argument(help="The index's name.")], engine: EngineOption = None, url: UrlOption = None
) -> None:
    """Delete an index."""
    with _clear_errors():
        settings = _settings(engine=engine, elasticsearch_url=url)
        if settings.engine == "elasticsearch":
            from lfqa.engines import remove_from_server

            remove_from_server(settings, name)
        else:
            _catalog().remove(name)
        typer.echo(f"{name}: removed")


def _catalog() -> Any:
    from lfqa.pipeline import Pipeline

    return Pipeline().catalog()


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
