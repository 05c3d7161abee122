"""What the commands share: options, errors in a line, a progress bar."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer
from pydantic import ValidationError

from lfqa.settings import Settings, describe

if TYPE_CHECKING:
    from lfqa.pipeline import Pipeline

USAGE_ERROR = 2

RetrieverOption = Annotated[
    Literal["dense", "sparse", "hybrid"] | None,
    typer.Option("--retriever", "-r", help="RetriBERT vectors, BM25, or both fused. [default: hybrid]", show_default=False),
]
KOption = Annotated[int | None, typer.Option("-k", help="Passages to retrieve and show. [default: 6]", show_default=False)]
IndexOption = Annotated[str | None, typer.Option("--index", help="An index made by `lfqa index add`, instead of the bundled corpus.")]
FusionOption = Annotated[
    Literal["rrf", "scores", "interleave"] | None,
    typer.Option(
        help="How hybrid joins its lists: reciprocal ranks, normalised scores, one of each in turn. [default: rrf]", show_default=False
    ),
]
WeightOption = Annotated[
    float | None, typer.Option("--weight", help="Of the dense list in hybrid: 0 is BM25, 1 is dense. [default: 0.5]", show_default=False)
]
ArticleOption = Annotated[list[str] | None, typer.Option("--article", help="Search only articles of this title.", show_default=False)]
SectionOption = Annotated[list[str] | None, typer.Option("--section", help="Search only sections of this title.", show_default=False)]
SourceOption = Annotated[list[str] | None, typer.Option("--source", help="Search only this file or address.", show_default=False)]
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


@contextmanager
def clear_errors() -> Iterator[None]:
    """Turn what a person can mend into one line on standard error and exit code 2."""
    try:
        yield
    except ValidationError as error:
        fail(describe(error))
    except BrokenPipeError:  # the reader, head for one, has what it wanted; nothing is left to flush to it at exit
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except (ValueError, OSError) as error:
        fail(str(error))
    except KeyboardInterrupt:
        typer.secho("stopped", fg="yellow", err=True)
        raise typer.Exit(130) from None


def fail(message: str) -> None:
    """End with `message` on standard error and exit code 2."""
    typer.secho(f"lfqa: {message}", fg="red", err=True)
    raise typer.Exit(USAGE_ERROR)


@contextmanager
def show_progress() -> Iterator[Callable[[str, int, int], None]]:
    """Yield a progress callback that draws bars, with speed and time left, on standard error.

    Nothing is drawn or imported before the first call, which is seldom. A total of 0 stands for one that is not known.
    """
    bars: dict[str, Any] = {}
    with ExitStack() as shown:

        def tell(step: str, done: int, total: int) -> None:
            if not bars:
                bars[""] = shown.enter_context(_bars())
            if step not in bars:
                bars[step] = bars[""].add_task(f"index: {step}", total=total or None)
            bars[""].update(bars[step], completed=done, total=total or None)

        yield tell


def _bars() -> Any:
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        ProgressColumn,
        Task,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )
    from rich.text import Text

    class Speed(ProgressColumn):
        def render(self, task: Task) -> Text:
            return Text(f"{task.speed:,.0f}/s" if task.speed and task.completed > 10 else "")

    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), Speed(), TimeElapsedColumn(), TimeRemainingColumn()
    return Progress(*columns, console=Console(stderr=True), transient=True)


def quiet_transformers() -> None:
    """Keep Transformers' bars and notices off standard error, which is for our own; it reads these when it is imported, if it is."""
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")


def settings_from(**options: Any) -> Settings:
    """Return the settings with what was given on the command line."""
    settings = Settings(**{name: value for name, value in options.items() if value is not None})
    if options.get("elasticsearch_url") and settings.engine != "elasticsearch":
        raise ValueError("--url names an Elasticsearch server, which is asked only with --engine elasticsearch")
    return settings


def load_pipeline(**options: Any) -> Pipeline:
    """Return a pipeline with what was given on the command line, its models and index loaded."""
    from lfqa.pipeline import Pipeline

    pipeline = Pipeline(settings_from(**options))
    quiet_transformers()
    with show_progress() as tell:
        pipeline.progress = tell
        pipeline.warm_up()
        pipeline.progress = None
    return pipeline
