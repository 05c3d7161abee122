"""From files and data sets into an index on an Elasticsearch server."""

from __future__ import annotations

import functools
import hashlib
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from lfqa.corpus.reading import Reading
from lfqa.corpus.sources import Roots, Skipped, Source, find_sources, read_source
from lfqa.indexing.build import IndexProblem, Progress, check_name
from lfqa.indexing.elastic import Embeds, add_documents
from lfqa.indexing.listing import READER
from lfqa.indexing.staging import Item, Staging
from lfqa.retrieval.elastic_client import Connection
from lfqa.retrieval.elastic_index import ElasticManifest, Origin
from lfqa.types import Passage


@dataclass(frozen=True)
class Added:
    """What came of adding to an index: its manifest, and how many sources were read and could not be read."""

    manifest: ElasticManifest
    read: int
    skipped: int


def add_sources(
    connection: Connection,
    name: str,
    roots: Roots,
    encoder: Embeds,
    model: str,
    folder: Path,
    *,
    reading: Reading | None = None,
    progress: Progress | None = None,
    skip: Callable[[Skipped], object] = lambda skipped: None,
) -> Added:
    """Bring the index `name` up to date with what is under `roots` now; what other roots brought in stays.

    Everything is read; what the server has already is neither embedded nor sent. A call that was killed is gone on with by the same call.
    What can not be read stays as it is on the server.

    Parameters
    ----------
    model
        Digest of the encoder's checkpoint.
    folder
        Where the passages are kept until they are on the server; removed at the end.
    skip
        Told of each file that can not be read.

    Raises
    ------
    IndexProblem
        When nothing is named, or nothing of it can be read.
    ElasticProblem
        When the server does not answer for long, or has a foreign index of this name.
    DocumentError, HubUnavailable
        When a data set is not there or can not be reached.
    """
    if not roots:
        raise IndexProblem("name the files, folders or data set to index: a server does not know where its passages came from")
    check_name(name)
    reading, tell = reading or Reading(), progress or (lambda step, done, total: None)
    sources, skipped = find_sources(roots)
    for each in skipped:
        skip(each)
    staging = Staging(folder, _plan(sources, reading))
    items = [Item(functools.partial(read_source, source, roots.datasets, reading)) for source in sources]
    staging.read(items, None, lambda done: tell("read", done, 0))
    for number, reason in staging.failed.items():
        skip(failed := Skipped(sources[number].place, reason))
        skipped.append(failed)
    if skipped and len(staging.failed) == len(sources):
        shutil.rmtree(folder)
        raise IndexProblem(f"nothing that was named can be read; the index {name} stays as it was")

    def documents() -> Iterator[tuple[Origin, Sequence[Passage]]]:
        for stretch, passages in staging.passages():
            source = sources[stretch.source]
            yield Origin.of(source.root, source.place), passages

    manifest = add_documents(
        connection, name, documents(), roots.names(), encoder, model, unread=[each.place for each in skipped], progress=progress,
        expected=sum(stretch.rows for stretch in staging.stretches()),
    )  # fmt: skip
    shutil.rmtree(folder)
    return Added(manifest, len(sources) - len(staging.failed), len(skipped))


def _plan(sources: Sequence[Source], reading: Reading) -> str:
    whole = hashlib.sha256(repr((READER, reading)).encode())
    for source in sources:
        whole.update(repr(source).encode(errors="surrogateescape"))
    return whole.hexdigest()
