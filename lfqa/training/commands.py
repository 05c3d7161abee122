"""``lfqa train``: prepare the data, train the retriever, train the generator."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from lfqa.settings import ASSETS

train_app = typer.Typer(help="Train the two checkpoints from question-answer-passage files.", no_args_is_help=True)

OutOption = Annotated[Path, typer.Option("--out", help="Folder of the run; the result is in its subfolder model.")]
PreparedArgument = Annotated[Path, typer.Argument(help="Folder that `lfqa train prepare` wrote.")]
CorpusOption = Annotated[Path, typer.Option(help="Folder with passages.jsonl and questions.jsonl; its train split is trained on.")]
SettingsOption = Annotated[Path | None, typer.Option("--settings", help="JSON file with fields of the recipe to change.")]
ResumeOption = Annotated[bool, typer.Option("--resume", help="Go on with the run in --out after a stop or a kill.")]
SeedOption = Annotated[int | None, typer.Option(help="Seed of every random choice. [default: 0]", show_default=False)]
CompileOption = Annotated[bool, typer.Option("--compile/--no-compile", help="Compile the model; pays off after a few minutes.")]
ThreadsOption = Annotated[int | None, typer.Option(min=1, help="Threads on the CPU. [default: all cores]", show_default=False)]

DEFAULT_CORPUS = ASSETS / "corpus"
SHIPPED_RETRIEVER = ASSETS / "models" / "retriever"


@contextmanager
def _errors() -> Iterator[None]:
    """Turn what a person can mend into one line on standard error and exit code 2, and Ctrl-C into a hint and 130."""
    try:
        yield
    except (ValueError, OSError, ModuleNotFoundError, FloatingPointError) as error:
        typer.secho(f"lfqa: {error}", fg="red", err=True)
        raise typer.Exit(2) from None
    except KeyboardInterrupt:
        typer.secho("stopped; the last checkpoint is kept, go on with --resume", fg="yellow", err=True)
        raise typer.Exit(130) from None


def _set_up(threads: int | None) -> None:
    """Log the measurements while training, and use `threads` of the CPU."""
    import logging

    import torch

    logging.getLogger("lfqa").setLevel(logging.INFO)
    if threads is not None:
        torch.set_num_threads(threads)


@train_app.command()
def prepare(
    data: Annotated[Path, typer.Argument(help="Folder of gzipped JSON-lines sources (README: Training).")],
    out: Annotated[Path, typer.Option("--out", help="Folder for the prepared files.")],
) -> None:
    """Turn the sources in DATA into passages and grounded records; about five minutes on two cores."""
    with _errors():
        from lfqa.training.prepare import prepare as run_preparation
        from lfqa.training.retriever import Teacher
        from lfqa.training.warmstart import teacher_folder

        run_preparation(data, out, Teacher(teacher_folder()), lambda source, count: typer.echo(f"{source}: {count}", err=True))


@train_app.command()
def retriever(
    prepared: PreparedArgument,
    out: OutOption,
    corpus: CorpusOption = DEFAULT_CORPUS,
    settings: SettingsOption = None,
    steps: Annotated[int | None, typer.Option(help="Optimiser steps.", show_default=False)] = None,
    init: Annotated[Path | None, typer.Option(help="Checkpoint to go on from, instead of all-MiniLM-L6-v2's layers.")] = None,
    seed: SeedOption = None,
    resume: ResumeOption = False,
    compile_model: CompileOption = True,
    threads: ThreadsOption = None,
) -> None:
    """Distil all-MiniLM-L6-v2 into a RetriBERT, then train it on pairs."""
    with _errors():
        from lfqa.training.recipes import RetrieverRecipe, read_recipe
        from lfqa.training.run import train_retriever

        _set_up(threads)
        recipe = read_recipe(RetrieverRecipe(), settings, steps=steps, seed=seed)
        measured = train_retriever(prepared, corpus, out, recipe, init=init, resume=resume, compile_model=compile_model)
        typer.echo(f"{out / 'model'}: {measured}")


@train_app.command()
def generator(
    prepared: PreparedArgument,
    out: OutOption,
    corpus: CorpusOption = DEFAULT_CORPUS,
    settings: SettingsOption = None,
    by: Annotated[Path, typer.Option("--retriever", help="RetriBERT that ranks the sentences of a prompt.")] = SHIPPED_RETRIEVER,
    init: Annotated[Path | None, typer.Option(help="Checkpoint to go on from, instead of all-MiniLM-L6-v2's layers.")] = None,
    seed: SeedOption = None,
    resume: ResumeOption = False,
    compile_model: CompileOption = True,
    threads: ThreadsOption = None,
) -> None:
    """Train a BPE and a BART: copying, then answering from passages."""
    with _errors():
        from lfqa.training.recipes import GeneratorRecipe, read_recipe
        from lfqa.training.run import train_generator

        _set_up(threads)
        recipe = read_recipe(GeneratorRecipe(), settings, seed=seed)
        measured = train_generator(prepared, corpus, out, recipe, retriever=by, init=init, resume=resume, compile_model=compile_model)
        typer.echo(f"{out / 'model'}: {measured}")


@train_app.command()
def average(
    checkpoints: Annotated[list[Path], typer.Argument(help="Two or more checkpoints of one line of training.")],
    out: Annotated[Path, typer.Option("--out", help="Folder for the averaged checkpoint.")],
) -> None:
    """Average the weights of checkpoints; what is measured of it decides whether it is kept."""
    with _errors():
        from lfqa.training.average import average_checkpoints

        average_checkpoints(checkpoints, out)
        typer.echo(str(out))
