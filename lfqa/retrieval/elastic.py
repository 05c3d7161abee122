"""Both halves of a search by an Elasticsearch server: BM25 and vectors (kNN) in one index, whose rows are passage ids.

Nothing here needs more than a basic licence, and no scripts: the two lists are fused here (``search.py``), not by the server.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from lfqa.retrieval.elastic_client import Changed, Connection, ElasticProblem
from lfqa.retrieval.elastic_index import TEXT_FIELDS, VECTOR, ElasticManifest, Opened, document_id, open_index, passage_of
from lfqa.retrieval.filters import Filters
from lfqa.retrieval.sparse import FIELD_WEIGHTS
from lfqa.types import Passage

if TYPE_CHECKING:
    from elasticsearch import Elasticsearch

    from lfqa.retrieval.dense import Vectors

Query = TypeVar("Query", contravariant=True)

_MOST_WORDS, _MOST_CHARACTERS = 64, 2000  # of a question; bounds the work that a pasted document can cause
_WEIGHT = re.compile(r"weight\(\w+:(?P<term>.+) in \d+\)", re.DOTALL)
_CANDIDATES = 200  # vectors that are looked at in every shard, at least
_MOST_CANDIDATES = 10_000  # that a server allows


def inner_product(score: float) -> float:
    """Return the inner product that Elasticsearch turned into a positive score.

    ``max_inner_product`` scores p as ``1 / (1 - p)`` where p is negative and as ``p + 1`` elsewhere.
    """
    return score - 1.0 if score >= 1.0 else 1.0 - 1.0 / score


@dataclass(frozen=True)
class Half(Generic[Query]):
    """One of the two searches, in the shape that ``search.py`` asks for."""

    search: Callable[[Query, int], Sequence[tuple[str, float]]]


class Asked:
    """One question's view of an index: its two halves, and the passages that they found, by id."""

    def __init__(self, index: ElasticIndex, filters: Filters) -> None:
        self._index, self._filters = index, filters
        self._found: dict[str, Passage] = {}
        self.dense: Half[Vectors] = Half(self._dense)
        self.sparse: Half[str] = Half(self._sparse)

    @property
    def passages(self) -> Asked:
        """The passages: of those found, any; of the others, only how many there are."""
        return self

    def __len__(self) -> int:
        return self._index.manifest.passages

    def __getitem__(self, row: str) -> Passage:
        return self._found[row]

    def _dense(self, vector: Vectors, k: int) -> list[tuple[str, float]]:
        dimension = self._index.manifest.dimension
        if vector.shape != (dimension,):
            raise ValueError(f"the question's vector has shape {vector.shape}, the index holds vectors of {dimension}")
        knn = {
            "field": VECTOR,
            "query_vector": vector.tolist(),
            "k": k,
            "num_candidates": min(max(_CANDIDATES, 2 * k), _MOST_CANDIDATES),
            "filter": _clauses(self._filters),
        }
        return [(row, inner_product(score)) for row, score in self._search(k, {"knn": knn})]

    def _sparse(self, question: str, k: int) -> list[tuple[str, float]]:
        return self._search(k, _words_body(question, _clauses(self._filters)))

    def contributions(self, question: str, ids: Sequence[str]) -> list[dict[str, float]]:
        """Return for each of the passages `ids` what each term of `question` adds to its BM25 score, over all fields, the most first.

        Raises
        ------
        ElasticProblem
            When the server does not answer.
        """
        rows = [document_id(passage_id) for passage_id in ids]
        if not rows:
            return []
        body = {**_words_body(question, [{"ids": {"values": rows}}]), "explain": True}
        added = {str(hit["_id"]): _term_weights(hit["_explanation"]) for hit in self._index.search(len(rows), body)}
        return [dict(sorted(added.get(row, {}).items(), key=lambda entry: -entry[1])) for row in rows]

    def _search(self, k: int, body: Mapping[str, Any]) -> list[tuple[str, float]]:
        if k < 1:
            raise ValueError(f"k must be at least 1, not {k}")
        hits = self._index.search(k, body)
        try:
            for hit in hits:
                self._found[hit["_id"]] = passage_of(hit["_source"])
        except (KeyError, TypeError) as error:
            raise ElasticProblem(f"a passage of the index {self._index.name} lacks fields ({error})", "holds something else now") from error
        # equal scores in the order of their ids, whichever shard was faster
        ranked = [(str(hit["_id"]), float(hit["_score"])) for hit in hits if math.isfinite(float(hit["_score"]))]
        return sorted(ranked, key=lambda entry: (-entry[1], entry[0]))


def _words_body(question: str, passing: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return a search by the words of `question`, each once, as the embedded engine has it."""
    words = list(dict.fromkeys(question[:_MOST_CHARACTERS].lower().split()))[:_MOST_WORDS]
    matches = [{"match": {TEXT_FIELDS[field]: {"query": " ".join(words), "boost": weight}}} for field, weight in FIELD_WEIGHTS.items()]
    query = {"bool": {"should": matches, "minimum_should_match": 1, "filter": passing}}
    # term statistics over all shards: a score does not depend on how the passages are spread
    return {"query": query, "search_type": "dfs_query_then_fetch"}


def _term_weights(explanation: Mapping[str, Any]) -> dict[str, float]:
    """Return the sums of Lucene's weights by term, from its explanation of a score."""
    found = _WEIGHT.match(explanation["description"])
    if found:
        return {found["term"]: float(explanation["value"])}
    weights: dict[str, float] = {}
    for part in explanation.get("details", ()):
        for term, weight in _term_weights(part).items():
            weights[term] = weights.get(term, 0.0) + weight
    return weights


def _clauses(filters: Filters) -> list[dict[str, Any]]:
    return [{"terms": {field if field == "source" else f"{field}.exact": list(values)}} for field, values in filters.by_field().items()]


class ElasticIndex:
    """An index on a server that answers questions; safe to share between threads.

    What is asked is the index that the name stood for when it was opened, not the alias: vectors of two retrievers can not get mixed up.
    When that is gone or empty-handed, the name is looked up once more.

    Parameters
    ----------
    model
        Digest of the checkpoint that embeds the questions.

    Raises
    ------
    ElasticProblem
        See `open_index`.
    """

    def __init__(self, connection: Connection, name: str, model: str) -> None:
        self.name, self._connection, self._model = name, connection, model
        self._opened = open_index(connection, name, model)

    @property
    def manifest(self) -> ElasticManifest:
        """What the index was made of."""
        return self._opened.manifest

    def asked(self, filters: Filters | None = None) -> Asked:
        """Return the view of one question, over the passages that pass `filters`."""
        return Asked(self, filters or Filters())

    def search(self, k: int, body: Mapping[str, Any]) -> list[dict[str, Any]]:
        """Return at most `k` hits, best first, each with its passage and without its vector.

        Raises
        ------
        ElasticProblem
            When the server does not answer, or what stands under the name is no longer ours.
        """
        before, refusal = self._opened, None
        hits: list[dict[str, Any]] = []
        try:
            hits = self._hits(before, k, body)
        except Changed as problem:
            refusal = problem
        if hits:
            return hits
        self._opened = open_index(self._connection, self.name, self._model)
        if self._opened.concrete != before.concrete:
            return self._hits(self._opened, k, body)
        if refusal is not None:
            raise refusal
        return hits

    def _hits(self, opened: Opened, k: int, body: Mapping[str, Any]) -> list[dict[str, Any]]:
        def call(client: Elasticsearch) -> Any:
            return client.search(
                index=opened.concrete, size=k, source_excludes=[VECTOR], allow_partial_search_results=False, track_total_hits=False, **body
            )

        return list(self._connection.ask(call)["hits"]["hits"])
