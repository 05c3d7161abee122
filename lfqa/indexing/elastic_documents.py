"""Reading and writing many documents of an Elasticsearch index, in requests that can be repeated."""

from __future__ import annotations

import hashlib
from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from lfqa.retrieval.elastic_client import Connection, ElasticProblem, Passing

if TYPE_CHECKING:
    from elasticsearch import Elasticsearch

Value = TypeVar("Value")

_PAGE = 500
_LARGEST_REQUEST = 20 << 20  # bytes; the server refuses 100 MB


def write(connection: Connection, alias: str, actions: Iterable[dict[str, Any]]) -> None:
    """Do `actions`, in the form of the client's bulk helpers, on the index behind `alias`.

    Raises
    ------
    ElasticProblem
        When the server refuses one, the alias is gone, or the server does not answer for long. What was done stays.
    """
    from elasticsearch import helpers

    def send(client: Elasticsearch, part: list[dict[str, Any]]) -> None:
        # an alias is demanded, so that no index springs up where somebody removed ours
        options: dict[str, Any] = {"index": alias, "require_alias": True, "raise_on_error": False, "raise_on_exception": False}
        results = helpers.streaming_bulk(client, part, chunk_size=_PAGE, max_chunk_bytes=_LARGEST_REQUEST, **options)
        _raise_for([next(iter(item.values())) for good, item in results if not good], alias)

    for part in batches(actions, _PAGE):
        connection.insist(lambda client, part=part: send(client, part))  # type: ignore[misc]


def _raise_for(failed: Sequence[Mapping[str, Any]], alias: str) -> None:
    failed = [item for item in failed if item.get("result") != "not_found"]  # to be deleted, and not there
    if not failed:
        return
    first = failed[0].get("error") or {}
    reason = str(first.get("reason", first) if isinstance(first, Mapping) else first)[:300]
    if any(item.get("status") in (429, 502, 503, 504) for item in failed):
        raise Passing(reason)
    if failed[0].get("status") == 404:
        raise ElasticProblem(f"the index behind {alias} was removed meanwhile, perhaps by another build; run the same command again")
    raise ElasticProblem(f"the server refuses {len(failed)} documents for {alias}, the first, {failed[0].get('_id')!r}: {reason}")


def read(connection: Connection, index: str, rows: Sequence[str], fields: Sequence[str]) -> dict[str, Mapping[str, Any]]:
    """Return the fields of the documents among `rows` that are in `index`, by id; written ones count at once."""

    def call(client: Elasticsearch) -> dict[str, Mapping[str, Any]]:
        found = {}
        for item in client.mget(index=index, ids=rows, source_includes=fields, realtime=True)["docs"]:
            if "error" in item:
                raise Passing(str(item["error"].get("reason", item["error"]))[:300])
            if item.get("found"):
                found[item["_id"]] = item["_source"]
        return found

    return connection.insist(call) if rows else {}


def pages(connection: Connection, index: str, query: Mapping[str, Any], source: Mapping[str, Any] | bool) -> Iterator[dict[str, Any]]:
    """Yield all hits in the order of their passage ids; nothing on the server remembers how far we are."""
    after: list[Any] | None = None
    while True:
        page = connection.insist(
            lambda client, after=after: client.search(  # type: ignore[misc]
                index=index, query=query, size=_PAGE, sort=[{"passage_id": "asc"}], source=source, search_after=after,
                track_total_hits=False, allow_partial_search_results=False,
            )
        )["hits"]["hits"]  # fmt: skip
        yield from page
        if len(page) < _PAGE:
            return
        after = page[-1]["sort"]


def tally(connection: Connection, index: str) -> tuple[int, int]:
    """Return how many documents `index` holds, and the sum of their checksums."""
    found = connection.insist(
        lambda client: client.search(
            index=index, size=0, track_total_hits=True, aggs={"sum": {"sum": {"field": "checksum"}}}, allow_partial_search_results=False
        )
    )
    # 28 bits each: the sum of a hundred million is exact
    return int(found["hits"]["total"]["value"]), int(found["aggregations"]["sum"]["value"])


class Rows:
    """A set of documents' ids in eight bytes each, for more of them than a set of text could hold."""

    def __init__(self) -> None:
        self._new = array("Q")
        self._held = np.empty(0, dtype=np.uint64)

    def add(self, rows: Iterable[str]) -> None:
        """Add ids."""
        self._new.extend(map(_number, rows))

    def __contains__(self, row: object) -> bool:
        held, number = self._ordered(), _number(str(row))
        place = int(np.searchsorted(held, np.uint64(number)))
        return place < len(held) and int(held[place]) == number

    def __len__(self) -> int:
        return len(self._ordered())

    def _ordered(self) -> np.ndarray:
        if self._new:
            self._held = np.union1d(self._held, np.array(self._new, dtype=np.uint64))
            self._new = array("Q")
        return self._held


def _number(row: str) -> int:
    return int.from_bytes(hashlib.blake2b(row.encode(errors="surrogatepass"), digest_size=8).digest(), "little")


def batches(values: Iterable[Value], size: int) -> Iterator[list[Value]]:
    """Yield `values` in lists of `size`, the last one shorter."""
    rest = iter(values)
    while batch := list(islice(rest, size)):
        yield batch
