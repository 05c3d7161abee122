"""Asking a real Elasticsearch: BM25, vectors, both fused, filters; against what FAISS' arithmetic and Tantivy say."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from lfqa.retrieval.elastic import ElasticIndex
from lfqa.retrieval.elastic_client import Connection, ElasticProblem
from lfqa.retrieval.filters import Filters
from lfqa.retrieval.search import search
from lfqa.retrieval.sparse import SparseIndex
from lfqa.types import Passage
from tests.integration.conftest import clean
from tests.integration.made import DIMENSION, MODEL, PROBE, Dice, build, made_up, opened

PASSAGES = made_up(400)
QUESTIONS = [
    "an apple by the river",
    "castle bread",
    "Glaciers melting in winter!",
    "market island bridge candle",
    "the zebra story of part 2",
]


@pytest.fixture(scope="module")
def index(connection: Connection) -> Iterator[ElasticIndex]:
    build(connection, "Test-asking", PASSAGES)
    yield opened(connection, "Test-asking")
    clean(connection, "Test-asking")


@pytest.fixture(scope="module")
def tantivy(tmp_path_factory: pytest.TempPathFactory) -> SparseIndex:
    return SparseIndex.build(PASSAGES, tmp_path_factory.mktemp("bm25") / "sparse")


def test_vectors_are_compared_by_inner_product_and_its_value_comes_back(index: ElasticIndex) -> None:
    products = Dice().texts([p.passage_text for p in PASSAGES]) @ PROBE
    order = np.argsort(-products)
    asked = index.asked()
    hits = asked.dense.search(PROBE, 400)
    assert len(hits) == 400 and products.min() < -1 and products.max() > 1, "both branches of the server's score are in it"
    assert [row for row, _ in hits] == [PASSAGES[n].passage_id for n in order]
    np.testing.assert_allclose([score for _, score in hits], products[order], rtol=1e-5, atol=1e-5)
    assert [asked.passages[row] for row, _ in hits[:50]] == [PASSAGES[n] for n in order[:50]], "passages come back whole"
    assert [row for row, _ in index.asked().dense.search(PROBE, 10)] == [row for row, _ in hits[:10]]


@pytest.mark.parametrize("question", QUESTIONS)
def test_words_are_ranked_much_as_the_embedded_engine_ranks_them(question: str, index: ElasticIndex, tantivy: SparseIndex) -> None:
    theirs = dict(index.asked().sparse.search(question, 20))
    ours = {PASSAGES[row].passage_id: score for row, score in tantivy.search(question, 20)}
    shared = set(theirs) & set(ours)
    assert len(shared) >= 18
    assert {row: theirs[row] for row in shared} == pytest.approx({row: ours[row] for row in shared}, rel=1e-4), "the same BM25"


def test_any_text_is_a_question_and_none_is_an_operator(index: ElasticIndex) -> None:
    sparse = index.asked().sparse
    assert sparse.search("the of and", 5) == [] == sparse.search("", 5) == sparse.search("xylophone", 5)
    plain = sparse.search("apple river", 5)
    assert sparse.search('APPLE^9 AND +"river', 5) != [] and sparse.search("apple apple river", 5) == plain
    assert len(sparse.search("apple " * 10_000, 5)) == 5
    assert sparse.search(" ".join(f"word{n}" for n in range(30_000)), 5) == []
    assert sparse.search("阿" * 20_000, 5) == []


def test_hybrid_search_works_as_it_does_over_embedded_halves(index: ElasticIndex) -> None:
    asked = index.asked()
    hits = search("apple river", PROBE, 10, retriever="hybrid", passages=asked.passages, dense=asked.dense, sparse=asked.sparse)
    dense, sparse = dict(index.asked().dense.search(PROBE, 50)), dict(index.asked().sparse.search("apple river", 50))
    assert [hit.rank for hit in hits] == list(range(1, 11)) and len({hit.passage for hit in hits}) == 10
    for hit in hits:
        row = hit.passage.passage_id
        assert hit.passage == PASSAGES[int(row.split("-")[1])]
        assert (hit.dense_score, hit.sparse_score) == (dense.get(row), sparse.get(row))
        expected = sum(1 / (60 + list(half).index(row) + 1) for half in (dense, sparse) if row in half)
        assert hit.fused_score == pytest.approx(expected)
    assert {h.dense_rank is None for h in hits} | {h.sparse_rank is None for h in hits} == {True, False}


@pytest.mark.parametrize(
    "filters",
    [
        Filters(articles=("apple story",)),
        Filters(articles=("Apple Story", "RIVER STORY"), sections=("Part 2",)),
        Filters(sources=("Tide.md",)),
        Filters(sources=("nothing.md",)),
        Filters(sections=("part",)),
    ],
)
def test_filters_let_pass_what_they_say_in_both_halves(filters: Filters, index: ElasticIndex) -> None:
    passing = {p.passage_id for p in PASSAGES if filters.passes(p)}
    asked = index.asked(filters)
    dense = asked.dense.search(PROBE, 400)
    assert {row for row, _ in dense} == passing
    sparse = asked.sparse.search("apple river tide moon castle bread story", 400)
    everywhere = {row for row, _ in index.asked().sparse.search("apple river tide moon castle bread story", 400)}
    assert {row for row, _ in sparse} == passing & everywhere
    assert all(filters.passes(asked.passages[row]) for row, _ in dense + sparse)


def test_what_the_terms_add_is_told_as_the_embedded_engine_tells_it(index: ElasticIndex, tantivy: SparseIndex) -> None:
    question = "The castles of bread, and an apple story"
    asked = index.asked()
    hits = asked.sparse.search(question, 30)
    told = asked.contributions(question, [row for row, _ in hits])
    rows = [int(row.split("-")[1]) for row, _ in hits]
    for (_, score), ours, theirs in zip(hits, told, tantivy.contributions(question, rows), strict=True):
        assert sum(ours.values()) == pytest.approx(score, rel=1e-5) and ours == pytest.approx(theirs, rel=1e-4)
        assert list(ours.values()) == sorted(ours.values(), reverse=True)
    assert set().union(*told) == {"castl", "bread", "appl", "stori"}
    assert asked.contributions(question, []) == [] and asked.contributions("xylophone", ["p-1"]) == [{}]


def test_odd_questions_are_refused_before_they_travel(index: ElasticIndex) -> None:
    with pytest.raises(ValueError, match=rf"\(3,\).*{DIMENSION}"):
        index.asked().dense.search(np.zeros(3, dtype=np.float32), 5)
    for half, query in ((index.asked().dense, PROBE), (index.asked().sparse, "apple")):
        with pytest.raises(ValueError, match="at least 1, not 0"):
            half.search(query, 0)  # type: ignore[operator]


def test_odd_passages_come_back_as_they_went(connection: Connection, name: str) -> None:
    odd = [
        Passage("x" * 2000, "Long id", "", "An apple."),
        Passage("/a b?c#d%20é\n", "Café – “Ünï”", "§ 1", "Ein Äpfel 😀 <b>apple</b> \\ \" '", "ordner/datei.md", None, None, None),
        Passage("_leading", "T" * 5000, "S" * 3000, "apple " * 3000),
        Passage("p\u00ad", "", "", "apple"),
    ]
    build(connection, name, odd)
    asked = opened(connection, name).asked()
    assert {asked.passages[row] for row, _ in asked.dense.search(PROBE, 10)} == set(odd)
    assert {asked.passages[row] for row, _ in asked.sparse.search("apple", 10)} == set(odd)


def test_several_shards_score_like_one(connection: Connection, new_name: Callable[[], str], url: str) -> None:
    from lfqa.retrieval.elastic_client import Server

    one, many = new_name(), new_name()
    build(connection, one, PASSAGES[:200])
    build(Connection(Server(url, shards=4)), many, PASSAGES[:200])
    for question in QUESTIONS:
        first, second = (opened(connection, n).asked() for n in (one, many))
        assert dict(first.sparse.search(question, 200)) == pytest.approx(dict(second.sparse.search(question, 200)))
        assert dict(first.dense.search(PROBE, 200)) == pytest.approx(dict(second.dense.search(PROBE, 200)))


def test_a_missing_index_is_named_with_those_that_are_there(connection: Connection, index: ElasticIndex) -> None:
    with pytest.raises(ElasticProblem, match="no index 'Test-nothing'.*Test-asking.*lfqa index add PATH... --name Test-nothing") as caught:
        opened(connection, "Test-nothing")
    assert connection.server.url in str(caught.value) and connection.server.url not in caught.value.short


def test_threads_share_an_index(index: ElasticIndex) -> None:
    from concurrent.futures import ThreadPoolExecutor

    def ask(number: int) -> list[tuple[str, float]]:
        asked = index.asked()
        found = list(asked.sparse.search(QUESTIONS[number % 5], 10))
        assert all(asked.passages[row].passage_id == row for row, _ in found)
        return found

    expected = [ask(number) for number in range(5)]
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(ask, range(40))) == expected * 8
    assert index.manifest.model == MODEL


def test_a_passage_file_of_ours_goes_in_whole(connection: Connection, name: str, small_corpus: Path) -> None:
    from lfqa.corpus.store import read_passages

    passages = list(read_passages(small_corpus))
    assert build(connection, name, passages).passages == len(passages)
    asked = opened(connection, name).asked()
    first = asked.sparse.search("Why do we get a fever when we are sick?", 3)[0][0]
    assert asked.passages[first].article_title == "Fever"
