"""Building an index on an Elasticsearch server.

A build goes into an index of its own, which the alias that is asked moves to at the end, in one step. Where there is an index of the
name already, the build begins as the server's clone of it, and takes only what changed. A passage's id decides where it goes, and a
digest in each document says what it was made of: a build that was killed is gone on with by the same call, without any note of ours.
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from lfqa.indexing.build import Progress, check_name
from lfqa.indexing.elastic_documents import Rows, batches, pages, read, tally, write
from lfqa.retrieval.elastic_client import Changed, Connection, ElasticProblem, Unfit
from lfqa.retrieval.elastic_index import (
    BUILDING,
    FORMAT,
    VECTOR,
    ElasticManifest,
    Origin,
    alias_of,
    document,
    document_digest,
    document_id,
    manifest_of,
    mapping,
    name_digest,
    open_index,
    passage_of,
)
from lfqa.types import Passage

if TYPE_CHECKING:
    from elasticsearch import Elasticsearch

    from lfqa.retrieval.dense import Vectors

logger = logging.getLogger(__name__)

_BATCH = 1024  # passages embedded together
_WRITABLE = {"index.blocks.write": None, "index.refresh_interval": "-1"}

Known = tuple[Origin, Passage]


class Embeds(Protocol):
    """Turns passages into vectors."""

    @property
    def dimension(self) -> int:
        """Length of the vectors."""

    def passages(self, passages: Sequence[Passage]) -> Vectors:
        """Return the vectors, shape (len(passages), dimension)."""


def add_documents(
    connection: Connection,
    name: str,
    documents: Iterable[tuple[Origin, Sequence[Passage]]],
    roots: Iterable[str],
    encoder: Embeds,
    model: str,
    *,
    unread: Iterable[str] = (),
    progress: Progress | None = None,
    expected: int = 0,
) -> ElasticManifest:
    """Make the index `name` hold `documents` beside what other roots brought in, and let it be asked.

    Parameters
    ----------
    documents
        All that can be read of `roots` now: what they brought in before and is not among these goes. A passage with a known id replaces
        the old one.
    model
        Digest of the encoder's checkpoint. Passages in an index of another one are embedded anew.
    unread
        Places that can not be read: what they brought in before stays.
    expected
        How many passages there will be, for `progress`; 0 where that is not known.

    Raises
    ------
    ElasticProblem
        When the name belongs to a foreign index, or the server does not answer for long. The same call then goes on where this stopped.
    """
    tell = progress or (lambda step, done, total: None)
    build = ElasticBuild(connection, check_name(name), model, encoder.dimension, roots, unread)
    done = 0

    def take(passages: Iterable[Known]) -> None:
        nonlocal done
        for batch in batches(passages, _BATCH):
            lacking = build.lacking(batch)
            if lacking:
                build.put(lacking, encoder.passages([passage for _, passage in lacking]))
            done += len(batch)
            tell("embed", done, max(done, expected) if expected else 0)

    take((origin, passage) for origin, passages in documents for passage in passages)
    take(build.left_behind())
    tell("write", 0, 1)
    manifest = build.finish()
    tell("write", 1, 1)
    return manifest


class ElasticBuild:
    """An index in the making; what is put into it is not asked before `finish`.

    Parameters
    ----------
    roots, unread
        What brings passages in this time, and the places in it that can not be read.
    """

    def __init__(
        self, connection: Connection, name: str, model: str, dimension: int, roots: Iterable[str], unread: Iterable[str] = ()
    ) -> None:
        self._connection, self._name, self._dimension, self._model = connection, name, dimension, model
        self._roots = sorted({name_digest(root) for root in roots})
        self._unread = {name_digest(place) for place in unread}
        self._alias = alias_of(name) + BUILDING
        self._seen = Rows()
        self._old, fitting = self._find_old()
        self._cloned = self._old is not None and fitting
        self._task = {"format": FORMAT, "model": model, "dimension": dimension, "roots": self._roots, "from": self._old}
        self._concrete = self._go_on() or self._begin()

    # the beginning

    def _find_old(self) -> tuple[str | None, bool]:
        """Return the index that is asked now, and whether its documents can stay as they are."""
        found = _described(self._connection, alias_of(self._name))
        if not found:
            return None, False
        try:
            opened = open_index(self._connection, self._name)
        except Unfit as problem:
            logger.warning("%s", problem)
            return next(iter(found)), False
        return opened.concrete, (opened.manifest.model, opened.manifest.dimension) == (self._model, self._dimension)

    def _go_on(self) -> str | None:
        """Return the index of a build like this one that was stopped, and remove that of any other."""
        for concrete, index in _described(self._connection, self._alias).items():
            begun = manifest_of(index)
            if begun is None:
                raise ElasticProblem(
                    f"the Elasticsearch index {concrete} was not made by lfqa but has the alias {self._alias}; remove that"
                )
            if begun.get("task") == self._task:
                logger.info("going on with %s", concrete)
                self._connection.insist(
                    lambda client, index=concrete: client.indices.put_settings(index=index, settings=_WRITABLE)  # type: ignore[misc]
                )
                return concrete
            self._connection.insist(lambda client, index=concrete: client.indices.delete(index=index))  # type: ignore[misc]
        return None

    def _begin(self) -> str:
        insist, old = self._connection.insist, self._old
        concrete = f"{alias_of(self._name).lower()}-{secrets.token_hex(4)}"
        meta: dict[str, Any] = {"lfqa": {"task": self._task}}
        if old is not None and self._cloned:
            aliases: dict[str, Any] = {self._alias: {}}
            insist(lambda client: client.indices.put_settings(index=old, settings={"index.blocks.write": True}))
            insist(_once(lambda client: client.indices.clone(index=old, target=concrete, settings=_WRITABLE, aliases=aliases)))
            insist(lambda client: client.indices.put_mapping(index=concrete, meta=meta))
        else:
            layout = {"dynamic": False, "properties": mapping(self._dimension), "_meta": meta}
            settings: dict[str, Any] = {
                "index.number_of_shards": self._connection.server.shards,
                "index.auto_expand_replicas": "0-1",
                "index.refresh_interval": "-1",
            }
            aliases = {self._alias: {}}
            insist(_once(lambda client: client.indices.create(index=concrete, settings=settings, mappings=layout, aliases=aliases)))
        return concrete

    # the middle

    def lacking(self, passages: Iterable[Known]) -> list[Known]:
        """Return those of `passages`, each with its origin, that are not in the index as they are."""
        latest = {document_id(passage.passage_id): (origin, passage) for origin, passage in passages}
        self._seen.add(latest)
        there = read(self._connection, self._concrete, list(latest), ["digest"])
        return [
            (origin, passage)
            for row, (origin, passage) in latest.items()
            if there.get(row, {}).get("digest") != document_digest(passage, origin)
        ]

    def put(self, passages: Sequence[Known], vectors: Vectors) -> None:
        """Write passages and their vectors, shape (len(passages), dimension), over those with the same ids.

        Raises
        ------
        ElasticProblem
            When the server refuses one, or does not answer for long.
        ValueError
            When the vectors are not as many, not as long, or not finite.
        """
        if vectors.shape != (len(passages), self._dimension) or not np.isfinite(vectors).all():
            raise ValueError(f"{len(passages)} passages need as many finite vectors of {self._dimension}, not an array of {vectors.shape}")
        actions = (
            {"_op_type": "index", "_id": document_id(passage.passage_id), **document(passage, origin, vector)}
            for (origin, passage), vector in zip(passages, vectors, strict=True)
        )
        write(self._connection, self._alias, actions)

    def left_behind(self) -> Iterator[Known]:
        """Yield what other roots, and unread places, brought into the index that is asked now, where that is not taken over as it is.

        Raises
        ------
        ElasticProblem
            When it can not be read.
        """
        if self._old is None or self._cloned:
            return
        # what has no root was put there by somebody else
        for hit in pages(self._connection, self._old, {"exists": {"field": "root"}}, {"excludes": [VECTOR]}):
            if hit["_id"] in self._seen or (hit["_source"]["root"] in self._roots and hit["_source"].get("place") not in self._unread):
                continue
            try:
                yield Origin(hit["_source"]["root"], hit["_source"]["place"]), passage_of(hit["_source"])
            except (KeyError, TypeError) as error:
                raise ElasticProblem(
                    f"the index {self._name} holds documents that this version can not read; remove it with `lfqa index remove "
                    f"{self._name} --engine elasticsearch --url {self._connection.server.url}` and make it anew"
                ) from error

    # the end

    def finish(self) -> ElasticManifest:
        """Remove what the roots no longer hold, check that everything is there, let the index be asked and drop the old one.

        Raises
        ------
        ElasticProblem
            When there is nothing in it, something is lacking, or the server does not answer for long.
        """
        insist, concrete = self._connection.insist, self._concrete
        insist(lambda client: client.indices.refresh(index=concrete))
        mine = {"terms": {"root": self._roots}} if self._cloned else {"match_all": {}}
        held = pages(self._connection, concrete, mine, {"includes": ["place"]})
        gone = (hit["_id"] for hit in held if hit["_id"] not in self._seen and not self._stays(hit["_source"]))
        write(self._connection, self._alias, ({"_op_type": "delete", "_id": row} for row in gone))
        insist(lambda client: client.indices.refresh(index=concrete))
        total, checksum = tally(self._connection, concrete)
        if not total:
            insist(lambda client: client.indices.delete(index=concrete))
            raise ElasticProblem(f"there are no passages to index under {self._name}")
        if total < len(self._seen):
            raise ElasticProblem(f"the server holds {total} of {len(self._seen)} passages of {self._name}; run the same command again")
        manifest = ElasticManifest(FORMAT, f"{checksum:x}", self._model, total, self._dimension)
        meta = {"lfqa": {**asdict(manifest), "task": self._task}}
        insist(lambda client: client.indices.put_mapping(index=concrete, meta=meta))
        # without writes it stays as its manifest says, and can be cloned
        settings = {"index.refresh_interval": None, "index.blocks.write": True}
        insist(lambda client: client.indices.put_settings(index=concrete, settings=settings))
        self._publish()
        return manifest

    def _stays(self, source: Mapping[str, Any]) -> bool:
        return self._cloned and source.get("place") in self._unread

    def _publish(self) -> None:
        concrete, alias = self._concrete, alias_of(self._name)
        actions: list[dict[str, Any]] = [
            {"add": {"index": concrete, "alias": alias}},
            {"remove": {"index": concrete, "alias": self._alias, "must_exist": False}},
        ]
        if self._old is not None:
            actions.append({"remove_index": {"index": self._old}})
        try:
            self._connection.insist(lambda client: client.indices.update_aliases(actions=actions))
        except Changed:
            if list(_described(self._connection, alias)) != [concrete]:  # else it was done, and only the answer was lost
                raise


def _described(connection: Connection, alias: str) -> dict[str, Any]:
    """Return the server's description of the indexes behind `alias`, by name."""
    try:
        return dict(connection.insist(lambda client: client.indices.get(index=alias)))
    except Changed:
        return {}


def _all_ours(found: Mapping[str, Any], alias: str) -> bool:
    return all(concrete != alias and manifest_of(index) is not None for concrete, index in found.items())


def _once(make: Callable[[Elasticsearch], Any]) -> Callable[[Elasticsearch], Any]:
    """Let `make`, of an index whose name nobody else can have thought of, be tried again after its answer was lost."""

    def call(client: Elasticsearch) -> Any:
        from elasticsearch import BadRequestError

        try:
            return make(client)
        except BadRequestError as error:
            if error.error != "resource_already_exists_exception":
                raise
            return None

    return call


def remove_index(connection: Connection, name: str) -> None:
    """Delete the index `name`, and what is half-built of it; one that is not ours stays.

    Raises
    ------
    ElasticProblem
        When there is none of ours, or the server does not answer.
    """
    ours = []
    for alias in (alias_of(check_name(name)), alias_of(name) + BUILDING):
        found = _described(connection, alias)
        ours += list(found) if _all_ours(found, alias) else []
    if not ours:
        open_index(connection, name)  # says what stands there, or that nothing does
    for concrete in ours:
        connection.insist(lambda client, concrete=concrete: client.indices.delete(index=concrete))  # type: ignore[misc]
