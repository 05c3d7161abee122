"""Elasticsearch beside the embedded engines, on the same passages: part of ``make bench``.

``python -m tests.bench_elasticsearch [OTHERS [QUESTIONS]]``
The passages are those of SQuADShifts' new Wikipedia among others, as many as asked for; made-up ones where those are not on this machine.
"""

from __future__ import annotations

import gzip
import json
import os
import random
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np

from lfqa.types import Hit, Passage
from tests.bench_index import articles
from tests.integration.node import SERVE, Node

SQUAD = Path(__file__).resolve().parents[2] / "shared" / "data" / "squadshifts_wiki.jsonl.gz"
RETRIEVERS = ("dense", "sparse", "hybrid")
NAME = "bench"


def task(others: int, questions: int) -> tuple[list[Passage], list[tuple[str, int]]]:
    """Return the passages, and questions with the row that answers them."""
    draw = random.Random(0)
    passages: list[Passage] = []
    asked: list[tuple[str, int]] = []
    if SQUAD.is_file():
        with gzip.open(SQUAD, "rt", encoding="utf-8") as lines:
            for row, line in enumerate(lines):
                record = json.loads(line)
                passages.append(Passage(f"squad-{row}", record["title"], "", record["paragraph"]))
                asked += [(question["question"], row) for question in record["questions"]]
    passages += fillers(others)
    if not asked:
        asked = [(" ".join(draw.sample(passage.passage_text.split(), 6)) + "?", row) for row, passage in enumerate(passages[:2000])]
    return passages, draw.sample(asked, min(questions, len(asked)))


def fillers(count: int) -> list[Passage]:
    """Return the first `count` passages of Simple Wikipedia, or of made-up articles."""

    def every() -> Iterator[Passage]:
        from lfqa.corpus.records import passages_of_record

        for number, article in enumerate(articles(), start=1):
            yield from passages_of_record(article, number, "others", "")

    found = every()
    return [passage for passage, _ in zip(found, range(count), strict=False)]


class Stored:
    """Gives the vectors that were made before."""

    def __init__(self, passages: Sequence[Passage], vectors: np.ndarray) -> None:
        self.dimension = int(vectors.shape[1])
        self._vectors = {passage.passage_id: vector for passage, vector in zip(passages, vectors, strict=True)}

    def passages(self, passages: Sequence[Passage]) -> np.ndarray:
        return np.stack([self._vectors[passage.passage_id] for passage in passages])


def ask(engine: Any, questions: Sequence[str], vectors: np.ndarray, retriever: Any) -> tuple[list[list[str]], float]:
    """Return the ids of ten passages for each question, and the median of the milliseconds that it took."""
    from lfqa.retrieval.search import search

    lists, times = [], []
    for question, vector in zip(questions, vectors, strict=True):
        began = time.perf_counter()
        view = engine.asked()
        hits: tuple[Hit, ...] = search(
            question, vector, 10, retriever=retriever, passages=view.passages, dense=view.dense, sparse=view.sparse
        )
        times.append(time.perf_counter() - began)
        lists.append([hit.passage.passage_id for hit in hits])
    return lists, 1000 * float(np.median(times))


def main(others: int = 50_000, questions: int = 2000) -> None:
    from elasticsearch import Elasticsearch

    from lfqa import Pipeline
    from lfqa.corpus.store import PassageStore
    from lfqa.indexing.build import Asked, Half
    from lfqa.indexing.elastic import add_documents
    from lfqa.retrieval.dense import DenseIndex
    from lfqa.retrieval.elastic import ElasticIndex
    from lfqa.retrieval.elastic_client import Connection, Server
    from lfqa.retrieval.elastic_index import Origin, alias_of
    from lfqa.retrieval.sparse import SparseIndex

    given = os.environ.get("LFQA_TEST_ELASTICSEARCH_URL")
    if not given and not (SERVE.is_file() and shutil.which("java")):
        print("Elasticsearch: left out, no server here (shared/elasticsearch and Java, or LFQA_TEST_ELASTICSEARCH_URL)")
        return
    passages, asked = task(others, questions)
    encoder = Pipeline().encoder()
    vectors = encoder.passages(passages)
    texts, gold = [question for question, _ in asked], [passages[row].passage_id for _, row in asked]
    asking = encoder.questions(texts)
    with ExitStack() as stack:
        work = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        dense, sparse = DenseIndex.build(vectors), SparseIndex.build(passages, work / "sparse")
        store = PassageStore.write(passages, work / "passages")

        class Embedded:
            def asked(self) -> Asked:
                return Asked(store, Half(dense.search), Half(sparse.search), sparse.contributions)  # type: ignore[arg-type]

        url = given or stack.enter_context(Node()).url
        connection = Connection(Server(url))
        began = time.perf_counter()
        add_documents(connection, NAME, [(Origin.of("bench", "bench"), passages)], ["bench"], Stored(passages, vectors), "bench")
        seconds = time.perf_counter() - began
        client = Elasticsearch(url)
        size = client.indices.stats(index=alias_of(NAME), metric="store")["_all"]["primaries"]["store"]["size_in_bytes"] / 2**20
        print(
            f"Elasticsearch {client.info()['version']['number']}: {len(passages):,} passages and their vectors sent in {seconds:.0f} s "
            f"({len(passages) / seconds:.0f} a second), {size:.0f} MiB there; {len(asked):,} questions",
            flush=True,
        )
        there = ElasticIndex(connection, NAME, "bench")
        for retriever in RETRIEVERS:
            ours, our_time = ask(Embedded(), texts, asking, retriever)
            theirs, their_time = ask(there, texts, asking, retriever)
            shared = [len(set(one) & set(other)) / max(len(one), 1) for one, other in zip(ours, theirs, strict=True)]
            recalls = [np.mean([wanted in found for wanted, found in zip(gold, lists, strict=True)]) for lists in (ours, theirs)]
            print(
                f"  {retriever}: R@10 embedded {recalls[0]:.3f}, Elasticsearch {recalls[1]:.3f}; top-10 overlap {np.mean(shared):.3f}; "
                f"median {our_time:.1f} ms and {their_time:.1f} ms a question"
            )
        from lfqa.indexing.elastic import remove_index

        remove_index(connection, NAME)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
