"""What an index on an Elasticsearch server looks like: mapping, documents, manifest; and finding one that is ours and whole.

The index of the name ``x`` is the alias ``lfqa-x`` of an index that does not change once it is finished; ``lfqa.indexing.elastic``
makes it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, Any

from lfqa.retrieval.elastic_client import Changed, Connection, ElasticProblem, Unfit
from lfqa.types import Passage

if TYPE_CHECKING:
    from lfqa.retrieval.dense import Vectors

FORMAT = 1  # of mapping, analyser and documents together: what reads one format asks no other
PREFIX = "lfqa-"
BUILDING = "~building"  # ends the alias of a half-built index; no index's name can hold the character
VECTOR = "vector"
TEXT_FIELDS = {"title": "article_title", "section": "section_title", "text": "passage_text"}

_LONGEST_ID = 512  # bytes, the server's limit
_LONGEST_KEYWORD = 2000  # characters; longer titles are found by their words, not by filters


@dataclass(frozen=True)
class ElasticManifest:
    """What an index on a server was made of, as its mapping's ``_meta`` says; the fields are those of the embedded manifest.

    Attributes
    ----------
    corpus
        Changes with the passages, whatever their order.
    model
        Digest of the retriever's checkpoint.
    """

    format: int
    corpus: str
    model: str
    passages: int
    dimension: int


@dataclass(frozen=True, slots=True)
class Origin:
    """What brought a passage in, by digests: the paths of the machine that builds are nobody else's business.

    Attributes
    ----------
    root
        Of the path or data set that was named.
    place
        Of the file or data set that it was read from.
    """

    root: str
    place: str

    @classmethod
    def of(cls, root: str, place: str) -> Origin:
        """Return the origin with these names."""
        return cls(name_digest(root), name_digest(place))


def name_digest(name: str) -> str:
    """Return what is stored for a root or place."""
    return _digest(name)


def alias_of(name: str) -> str:
    """Return the alias under which the index `name` is asked."""
    return PREFIX + name


def mapping(dimension: int) -> dict[str, Any]:
    """Return the properties of an index with vectors of that length."""
    title = {"type": "text", "analyzer": "english", "fields": {"exact": _keyword()}}
    return {
        "passage_id": {"type": "keyword"},
        "article_title": title,
        "section_title": title,
        "passage_text": {"type": "text", "analyzer": "english"},
        "source": _keyword(),
        "root": {"type": "keyword"},
        "place": {"type": "keyword"},
        "checksum": {"type": "integer", "index": False},
        VECTOR: {
            "type": "dense_vector",
            "dims": dimension,
            "index": True,
            "similarity": "max_inner_product",
            # neither quantised nor, as the default is, of a kind that changes with the server's version: scores are inner products
            "index_options": {"type": "hnsw", "m": 16, "ef_construction": 100},
        },
    }


def _keyword() -> dict[str, Any]:
    return {"type": "keyword", "normalizer": "lowercase", "ignore_above": _LONGEST_KEYWORD}


def document_id(passage_id: str) -> str:
    """Return the server's id for a passage: its own, or a digest where that is too long."""
    raw = passage_id.encode()
    return passage_id if len(raw) <= _LONGEST_ID else hashlib.sha256(raw).hexdigest()


def document_digest(passage: Passage, origin: Origin) -> str:
    """Return 16 hexadecimal digits that change with any field of `passage`, and with its origin."""
    return _digest(repr((origin, passage)))


def document(passage: Passage, origin: Origin, vector: Vectors) -> dict[str, Any]:
    """Return what is stored for a passage with its vector, shape (dimension,)."""
    checksum = int(_digest(repr(passage))[:7], 16)  # not of the origin: the same passages have the same sum wherever they were
    digest = document_digest(passage, origin)
    return {**asdict(passage), **asdict(origin), "digest": digest, "checksum": checksum, VECTOR: vector.tolist()}


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()[:16]


def passage_of(source: Mapping[str, Any]) -> Passage:
    """Return the passage in a stored document.

    Raises
    ------
    KeyError, TypeError
        When a field is missing.
    """
    return Passage(**{field.name: source[field.name] for field in fields(Passage) if field.name in source})


def repair(name: str, url: str) -> str:
    """Return the command that makes the index `name` anew."""
    return f"`lfqa index add PATH... --name {name} --engine elasticsearch --url {url}`"


@dataclass(frozen=True)
class Opened:
    """An index as it is on the server, under the name that only it has."""

    concrete: str
    manifest: ElasticManifest


def open_index(connection: Connection, name: str, model: str | None = None) -> Opened:
    """Find the index `name`, and check that it is ours, whole, and of the retriever `model` where one is given.

    Raises
    ------
    Unfit
        When it is of another format or retriever, damaged, or has another mapping.
    ElasticProblem
        When there is none, it is foreign, or the server does not answer.
    """
    url, alias = connection.server.url, alias_of(name)
    try:
        found = dict(connection.ask(lambda client: client.indices.get(index=alias)))
    except Changed as problem:
        there = ", ".join(names(connection)) or "none yet"
        raise ElasticProblem(
            f"there is no index {name!r} at {url} (there: {there}); make it with {repair(name, url)}", "lacks this index"
        ) from problem
    concrete = next(iter(found))
    stated = manifest_of(found[concrete])
    if len(found) > 1 or concrete == alias or stated is None:
        raise ElasticProblem(
            f"the Elasticsearch index {alias} at {url} was not made by lfqa and is left alone: remove or rename it there, or make yours "
            "under another --name",
            "holds a foreign index under this name",
        )
    if stated.get("format") != FORMAT:
        raise Unfit(
            f"the index {name} at {url} has format {stated.get('format')}, this version reads {FORMAT}; "
            f"make it anew with {repair(name, url)}"
        )
    try:
        manifest = ElasticManifest(**{field.name: stated[field.name] for field in fields(ElasticManifest)})
        differing = _differences(mapping(manifest.dimension), found[concrete]["mappings"]["properties"])
    except KeyError as error:
        raise Unfit(f"the index {name} at {url} is damaged: it lacks {error}; make it anew with {repair(name, url)}") from error
    if differing:
        raise Unfit(f"the mapping of the index {name} at {url} was changed ({', '.join(differing)}); make it anew with {repair(name, url)}")
    if model is not None and manifest.model != model:
        raise Unfit(
            f"the index {name} at {url} holds vectors of another retriever ({manifest.model}, this one is {model}); "
            f"make it anew with {repair(name, url)}"
        )
    count = int(connection.ask(lambda client: client.count(index=concrete))["count"])
    if count != manifest.passages:
        raise Unfit(
            f"the index {name} at {url} is damaged: it holds {count} passages, its manifest says {manifest.passages}; "
            f"make it anew with {repair(name, url)}"
        )
    return Opened(concrete, manifest)


def manifest_of(index: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Return what we wrote into an index's ``_meta``, from the server's description of it; None where that is not ours."""
    stated = index.get("mappings", {}).get("_meta", {}).get("lfqa")
    return stated if isinstance(stated, dict) else None


def _differences(ours: Mapping[str, Any], theirs: Mapping[str, Any], path: str = "") -> list[str]:
    """Return what of `ours` is different in `theirs`; servers add properties of their own, which are let be."""
    found = []
    for key, value in ours.items():
        other = theirs.get(key)
        if isinstance(value, dict) and isinstance(other, dict):
            found += _differences(value, other, f"{path}{key}.")
        elif str(other).lower() != str(value).lower():
            found.append(path + key)
    return found


def names(connection: Connection) -> list[str]:
    """Return the names of the finished indexes of ours on the server, sorted."""
    try:
        found = connection.ask(lambda client: client.indices.get(index=f"{PREFIX}*"))
    except Changed:
        return []
    aliases = {alias for index in found.values() if manifest_of(index) is not None for alias in index.get("aliases", {})}
    return sorted(alias.removeprefix(PREFIX) for alias in aliases if alias.startswith(PREFIX) and not alias.endswith(BUILDING))
