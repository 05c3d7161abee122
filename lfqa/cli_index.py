"""``lfqa index``: make, list, describe and remove indexes of one's own documents."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from lfqa.cli_common import EngineOption, ProfileOption, UrlOption, clear_errors, quiet_transformers, settings_from, show_progress
from lfqa.settings import ASSETS

if TYPE_CHECKING:
    from lfqa.corpus.sources import Roots, Skipped
    from lfqa.indexing.listing import Changes

index_app = typer.Typer(help="Make, list and remove indexes of your own documents.", no_args_is_help=True)

_SHOWN = 20  # files that could not be read; the rest are counted

PathsArgument = Annotated[
    list[Path] | None,
    typer.Argument(
        help="Files and folders: Markdown, text, HTML, PDF, DOCX, CSV, TSV, Parquet, JSON lines of title and text, or of passage_id, "
        "article_title, section_title, passage_text; gzipped too. None brings the index up to date with what it was made of.",
        show_default=False,
    ),
]
NameOption = Annotated[str, typer.Option("--name", help="The index's name; an existing one is added to.")]
DatasetOption = Annotated[
    str | None,
    typer.Option(
        "--dataset",
        help="A Hugging Face data set with a passage's fields, or title and text, like wikimedia/wikipedia; or a local folder of one.",
        show_default=False,
    ),
]
ConfigOption = Annotated[
    str | None, typer.Option("--config", help="The data set's configuration, like 20231101.simple.", show_default=False)
]
SplitOption = Annotated[str, typer.Option("--split", help="The data set's split.")]
ShardOption = Annotated[
    str,
    typer.Option("--shard", help="Part of the data set to take: 1/4 is the first of four, for `lfqa index merge`.", show_default=False),
]
EncodingOption = Annotated[str | None, typer.Option("--encoding", help="Of text files that are not UTF-8.", show_default=False)]
LargestOption = Annotated[
    int | None, typer.Option("--largest", min=1, help="MiB from which a file is refused. [default: 256]", show_default=False)
]
IndexTypeOption = Annotated[
    Literal["auto", "flat", "ivf-fp16", "ivf-sq8"] | None,
    typer.Option(
        help="How FAISS keeps the vectors: each compared (flat), or in lists, in half precision or a byte a number. "
        "[default: by their number]",
        show_default=False,
    ),
]


@index_app.command("add")
def index_add(
    name: NameOption,
    paths: PathsArgument = None,
    dataset: DatasetOption = None,
    config: ConfigOption = None,
    split: SplitOption = "train",
    shard: ShardOption = "",
    encoding: EncodingOption = None,
    largest: LargestOption = None,
    index_type: IndexTypeOption = None,
    engine: EngineOption = None,
    url: UrlOption = None,
    profile: ProfileOption = None,
) -> None:
    """Index documents under NAME: only what changed since the last time, and what is gone is removed.

    A run that was stopped or killed is gone on with by the same command. Files that can not be read are named and left out.
    """
    skipped: list[Skipped] = []
    with clear_errors():
        from lfqa.corpus.reading import Reading
        from lfqa.indexing.build import check_name
        from lfqa.pipeline import Pipeline

        check_name(name)
        roots = _roots(paths or (), dataset, config, split, shard)
        given = {"encoding": encoding, "largest": largest << 20 if largest is not None else None}
        given = {option: value for option, value in given.items() if value is not None}
        reading = Reading(**given) if given else None  # type: ignore[arg-type]
        pipeline = Pipeline(settings_from(engine=engine, elasticsearch_url=url, profile=profile))
        quiet_transformers()
        try:
            with show_progress() as tell:
                if pipeline.settings.engine == "elasticsearch":
                    from lfqa.engines import add_to_server

                    if index_type is not None:
                        raise ValueError("--index-type is for FAISS, which an Elasticsearch server does not use")
                    model = pipeline.catalog().model
                    added = add_to_server(
                        pipeline.settings, name, roots, pipeline.encoder(), model, reading=reading, progress=tell, skip=skipped.append
                    )
                    said = f"{added.manifest.passages:,} passages; sources: {added.read:,} read"
                    said += f", {added.skipped:,} skipped" if added.skipped else ""
                else:
                    outcome = pipeline.catalog().add(
                        name,
                        roots,
                        pipeline.encoder(),
                        tell,
                        reading=reading,
                        index_type=index_type,
                        questions=_questions(),
                        skip=skipped.append,
                    )
                    if outcome.changes.skipped and not outcome.changes.readable:
                        raise ValueError(f"nothing that was named can be read; the index {name} stays as it was")
                    said = f"{outcome.index.manifest.passages:,} passages; {_counts(outcome.changes)}"
        except KeyboardInterrupt:
            typer.secho("the same command goes on from here", fg="yellow", err=True)
            raise
        finally:
            _print_skipped(skipped)
        typer.echo(f"{name}: {said}")


def _roots(paths: Sequence[Path], dataset: str | None, config: str | None, split: str, shard: str) -> Roots:
    from lfqa.corpus.dataset import DatasetName
    from lfqa.corpus.sources import Roots, check_paths

    if dataset is None and (config is not None or shard):
        raise ValueError("--config and --shard are a data set's: name that with --dataset")
    return Roots(check_paths(paths), (DatasetName(dataset, config, split, shard),) if dataset is not None else ())


def _questions() -> list[str]:
    """Return questions that the search of a large index is tuned with: those of the bundled corpus."""
    from lfqa.corpus.questions import read_answered

    file = ASSETS / "corpus" / "questions.jsonl"
    return [each.question for each in read_answered(file)] if file.is_file() else []


def _counts(changes: Changes) -> str:
    counted = [("added", changes.added), ("changed", changes.changed), ("removed", changes.removed), ("unchanged", changes.unchanged)]
    said = ", ".join(f"{count:,} {what}" for what, count in counted if count) or "none"
    return f"sources: {said}" + (f", {len(changes.skipped):,} skipped" if changes.skipped else "")


def _print_skipped(skipped: Sequence[Skipped]) -> None:
    for each in skipped[:_SHOWN]:
        place = each.place.encode("utf-8", "replace").decode()
        typer.secho(f"lfqa: skipped {place}: {each.reason}", fg="yellow", err=True)
    if len(skipped) > _SHOWN:
        typer.secho(f"lfqa: skipped {len(skipped) - _SHOWN:,} more", fg="yellow", err=True)


@index_app.command("merge")
def index_merge(
    indexes: Annotated[list[str], typer.Argument(help="Names of indexes, or folders of indexes made on other machines.")],
    name: Annotated[str, typer.Option("--name", help="The name of the merged index; an existing one is replaced.")],
    index_type: IndexTypeOption = None,
    profile: ProfileOption = None,
) -> None:
    """Make one index of several, without reading or embedding anything again."""
    with clear_errors():
        from lfqa.indexing.build import check_name
        from lfqa.pipeline import Pipeline

        check_name(name)
        pipeline = Pipeline(settings_from(profile=profile))
        quiet_transformers()
        catalog = pipeline.catalog()
        folders = [Path(each) if Path(each).is_dir() else catalog.named / check_name(each) for each in indexes]
        with show_progress() as tell:
            merged = catalog.merge(name, folders, pipeline.encoder(), tell, index_type=index_type or "auto", questions=_questions())
        typer.echo(f"{name}: {merged.manifest.passages:,} passages of {len(folders)} indexes")


@index_app.command("list")
def index_list(engine: EngineOption = None, url: UrlOption = None) -> None:
    """List the indexes and their sizes."""
    with clear_errors():
        settings = settings_from(engine=engine, elasticsearch_url=url)
        if settings.engine == "elasticsearch":
            from lfqa.engines import server_indexes

            for name, manifest in server_indexes(settings).items():
                typer.echo(f"{name}\t" + (manifest if isinstance(manifest, str) else f"{manifest.passages} passages"))
            return
        from lfqa.indexing.build import IndexProblem

        catalog = _catalog()
        names = catalog.names()
        for name in names:
            try:
                typer.echo(f"{name}\t{catalog.info(name)[0].passages} passages")
            except IndexProblem as problem:
                typer.echo(f"{name}\t{problem}")
        if not names:
            typer.echo("no index yet: make one with `lfqa index add PATH --name NAME`")


@index_app.command("info")
def index_info(name: Annotated[str, typer.Argument(help="The index's name.")], engine: EngineOption = None, url: UrlOption = None) -> None:
    """Print the manifest of an index, and what it was made of, as JSON."""
    with clear_errors():
        from dataclasses import asdict

        settings = settings_from(engine=engine, elasticsearch_url=url)
        if settings.engine == "elasticsearch":
            from lfqa.engines import server_manifest

            typer.echo(json.dumps(asdict(server_manifest(settings, name)), indent=2))
            return
        manifest, listing = _catalog().info(name)
        made_of = {"roots": listing.roots.names(), "sources": len(listing.held)}
        typer.echo(json.dumps({**asdict(manifest), "bytes": sum(manifest.files.values()), **made_of}, indent=2))


@index_app.command("remove")
def index_remove(
    name: Annotated[str, typer.Argument(help="The index's name.")], engine: EngineOption = None, url: UrlOption = None
) -> None:
    """Delete an index."""
    with clear_errors():
        settings = settings_from(engine=engine, elasticsearch_url=url)
        if settings.engine == "elasticsearch":
            from lfqa.engines import remove_from_server

            remove_from_server(settings, name)
        else:
            _catalog().remove(name)
        typer.echo(f"{name}: removed")


def _catalog() -> Any:
    from lfqa.pipeline import Pipeline

    return Pipeline().catalog()
