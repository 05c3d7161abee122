"""The engine that is not embedded: from settings to an Elasticsearch index, which is let alone for a while after it failed."""

from __future__ import annotations

import hashlib
import logging
import shutil
import threading
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from lfqa.retrieval.elastic_client import Connection, ElasticProblem, Server, check_version
from lfqa.retrieval.elastic_index import ElasticManifest, names, open_index
from lfqa.settings import Settings

if TYPE_CHECKING:
    from lfqa.corpus.reading import Reading
    from lfqa.corpus.sources import Roots, Skipped
    from lfqa.indexing.build import Progress
    from lfqa.indexing.elastic import Embeds
    from lfqa.indexing.elastic_sources import Added
    from lfqa.retrieval.elastic import ElasticIndex

logger = logging.getLogger(__name__)

Result = TypeVar("Result")

CORPUS = "corpus"
"""The index that is asked on a server where none is named."""

_REST = 30.0  # seconds in which a server that failed is not asked: nobody waits for it again and again


def connect(settings: Settings) -> Connection:
    """Return a connection to the server that `settings` name; nothing is sent yet.

    Raises
    ------
    ElasticProblem
        When there is none, or address, credentials or certificate can not be used.
    """
    if settings.elasticsearch_url is None:
        raise ElasticProblem("the engine elasticsearch needs a server: give --url URL, or set LFQA_ELASTICSEARCH_URL", "is not set up")
    password, key = settings.elasticsearch_password, settings.elasticsearch_api_key
    try:
        server = Server(
            settings.elasticsearch_url,
            settings.elasticsearch_user,
            password.get_secret_value() if password is not None else None,
            key.get_secret_value() if key is not None else None,
            settings.elasticsearch_ca,
            settings.elasticsearch_timeout,
            settings.elasticsearch_patience,
            settings.elasticsearch_shards,
        )
    except ElasticProblem:
        raise
    except ValueError as error:
        raise ElasticProblem(str(error), "is not set up") from None
    return Connection(server)


class ElasticEngine:
    """The indexes on servers that have been asked; one object serves many threads and settings."""

    def __init__(self) -> None:
        self._open: dict[tuple[str | None, str, str], ElasticIndex] = {}
        self._resting: dict[tuple[str | None, str, str], tuple[float, ElasticProblem]] = {}
        self._lock = threading.Lock()

    def ask(self, settings: Settings, model: str, question: Callable[[ElasticIndex], Result]) -> Result:
        """Return what `question` returns for the index that `settings` name, opened first where that is needed.

        Parameters
        ----------
        model
            Digest of the checkpoint that embeds the questions.

        Raises
        ------
        ElasticProblem
            When it can not be asked; and again, at once, for half a minute.
        """
        key = (settings.elasticsearch_url, settings.index or CORPUS, model)
        try:
            return question(self._opened(key, settings))
        except ElasticProblem as problem:
            with self._lock:
                self._open.pop(key, None)
                if key not in self._resting:
                    logger.warning("%s", problem)
                    self._resting[key] = (time.monotonic() + _REST, problem)
            raise

    def _opened(self, key: tuple[str | None, str, str], settings: Settings) -> ElasticIndex:
        from lfqa.retrieval.elastic import ElasticIndex

        if (index := self._open.get(key)) is not None:
            return index
        with self._lock:
            until, problem = self._resting.get(key, (0.0, None))
            if problem is not None and time.monotonic() < until:
                raise problem
            self._resting.pop(key, None)
            if key not in self._open:
                self._open[key] = ElasticIndex(connect(settings), key[1], key[2])
            return self._open[key]


def stands_in(settings: Settings, names: Collection[str]) -> bool:
    """Say whether there is an embedded index, among `names` or of a file, for the questions that a server can not answer."""
    return settings.index in names if settings.index else Path(settings.corpus).is_file()


def add_to_server(
    settings: Settings,
    name: str,
    roots: Roots,
    encoder: Embeds,
    model: str,
    *,
    reading: Reading | None = None,
    progress: Progress | None = None,
    skip: Callable[[Skipped], object] = lambda skipped: None,
) -> Added:
    """Bring an index of the server that `settings` name up to date with `roots`; see `lfqa.indexing.elastic_sources.add_sources`.

    Raises
    ------
    IndexProblem
        When nothing is named, or nothing of it can be read.
    ElasticProblem
        When the server does not answer, is too old, or has a foreign index of this name.
    """
    from lfqa.indexing.elastic_sources import add_sources

    connection = connect(settings)
    check_version(connection)
    with building(settings, name) as folder:
        return add_sources(connection, name, roots, encoder, model, folder, reading=reading, progress=progress, skip=skip)


def server_indexes(settings: Settings) -> dict[str, ElasticManifest | str]:
    """Return the manifests of our indexes on the server, by name; in place of one that can not be used, why."""
    connection = connect(settings)
    found: dict[str, ElasticManifest | str] = {}
    for name in names(connection):
        try:
            found[name] = open_index(connection, name).manifest
        except ElasticProblem as problem:
            found[name] = str(problem)
    return found


def server_manifest(settings: Settings, name: str) -> ElasticManifest:
    """Return the manifest of the index `name` on the server.

    Raises
    ------
    ElasticProblem
        When there is none, or it can not be used.
    """
    return open_index(connect(settings), name).manifest


def remove_from_server(settings: Settings, name: str) -> None:
    """Delete the index `name` on the server.

    Raises
    ------
    ElasticProblem
        When there is none of ours.
    """
    from lfqa.indexing.elastic import remove_index

    connection = connect(settings)
    with building(settings, name) as folder:
        shutil.rmtree(folder, ignore_errors=True)
        remove_index(connection, name)


@contextmanager
def building(settings: Settings, name: str) -> Iterator[Path]:
    """Keep other processes of this machine from building the index `name` on the same server; yield a folder for the build."""
    from filelock import FileLock

    folder = settings.cache / "elasticsearch"
    folder.mkdir(parents=True, exist_ok=True)
    place = hashlib.sha256(f"{settings.elasticsearch_url} {name}".encode()).hexdigest()[:16]
    with FileLock(folder / f".{place}.lock"):
        yield folder / place
