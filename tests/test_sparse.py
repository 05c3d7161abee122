"""BM25 by Tantivy, held against BM25 written out by hand."""

from __future__ import annotations

import math
import random
import shutil
from pathlib import Path

import pytest

from lfqa.retrieval.filters import Filters
from lfqa.retrieval.sparse import FIELD_WEIGHTS, SparseIndex
from lfqa.types import Passage
from tests.helpers import FRUIT, passage

# no English stop words, and the same before and after stemming
VOCABULARY = [a + b + c for a in "bdgkz" for b in "aou" for c in ("rk", "lk", "nk", "mp")]


def words_of(p: Passage) -> dict[str, list[str]]:
    return {"title": p.article_title.split(), "section": p.section_title.split(), "text": p.passage_text.split()}


def bm25(passages: list[Passage], query: list[str], k1: float = 1.2, b: float = 0.75) -> list[float]:
    """Robertson & Zaragoza (2009), with the idf that can not be negative, each field for itself, weighted and summed."""
    fields = [words_of(p) for p in passages]
    scores = [0.0] * len(passages)
    for name, weight in FIELD_WEIGHTS.items():
        average = sum(len(f[name]) for f in fields) / len(fields)
        for term in query:
            frequency = sum(term in f[name] for f in fields)
            idf = math.log(1 + (len(fields) - frequency + 0.5) / (frequency + 0.5))
            for row, f in enumerate(fields):
                count = f[name].count(term)
                if count:
                    scores[row] += weight * idf * count * (k1 + 1) / (count + k1 * (1 - b + b * len(f[name]) / average))
    return scores


def random_passages(count: int, longest: int) -> list[Passage]:
    chance = random.Random(4)
    zipf = [1 / (rank + 1) for rank in range(len(VOCABULARY))]

    def some(low: int, high: int) -> str:
        return " ".join(chance.choices(VOCABULARY, zipf, k=chance.randint(low, high)))

    return [passage(n, some(4, longest), some(1, 3), some(0, 3)) for n in range(count)]


def test_scores_equal_bm25_where_tantivy_keeps_field_lengths_exactly(tmp_path: Path) -> None:
    passages = random_passages(80, 39)  # up to 39 words a length is stored as it is
    index = SparseIndex.build(passages, tmp_path / "sparse")
    chance = random.Random(5)
    for _ in range(20):
        query = chance.sample(VOCABULARY, chance.randint(1, 5))
        wanted = bm25(passages, query)
        found = dict(index.search(" ".join(query), 80))
        assert set(found) == {row for row, score in enumerate(wanted) if score}
        for row, score in found.items():
            assert score == pytest.approx(wanted[row], rel=1e-4)


def test_long_passages_rank_like_bm25_but_for_rounded_lengths(tmp_path: Path) -> None:
    passages = random_passages(80, 300)
    index = SparseIndex.build(passages, tmp_path / "sparse")
    chance = random.Random(6)
    for _ in range(20):
        query = chance.sample(VOCABULARY, 3)
        wanted = bm25(passages, query)
        found = index.search(" ".join(query), 80)
        for row, score in found:
            assert score == pytest.approx(wanted[row], rel=0.05)
        best = sorted(wanted, reverse=True)[:10]
        for (row, _), score in zip(found[:10], best, strict=True):
            assert wanted[row] >= 0.93 * score, "a passage stands much higher than BM25 puts it"


def test_the_best_come_first_and_never_more_than_k(tmp_path: Path) -> None:
    index = SparseIndex.build(random_passages(80, 60), tmp_path / "sparse")
    found = index.search("bark dolk", 7)
    assert len(found) == 7
    assert [score for _, score in found] == sorted((score for _, score in found), reverse=True)
    assert found == index.search("bark dolk", 80)[:7]
    assert len(index) == 80


def test_stems_and_case_match_and_stop_words_do_not(tmp_path: Path) -> None:
    index = SparseIndex.build(FRUIT, tmp_path / "sparse")
    assert index.search("BANANA", 3)[0][0] == index.search("bananas", 3)[0][0] == 1
    assert index.search("the and of", 3) == []
    assert index.terms("Growing grows the Trees") == ["grow", "tree"]


@pytest.mark.parametrize("question", ["", "???", "the", "quantum", "日本", "x" * 200, "\x00"])
def test_a_question_without_a_term_of_the_index_finds_nothing(question: str, tmp_path: Path) -> None:
    assert SparseIndex.build(FRUIT, tmp_path / "sparse").search(question, 3) == []


@pytest.mark.parametrize(
    "question", ['title:"apple" AND (', "apple^1000 OR *", "-apple +banana", "row:0", "apple~2 [a TO z]", "apple\\", "apple " * 4000]
)
def test_operators_are_just_text(question: str, tmp_path: Path) -> None:
    index = SparseIndex.build(FRUIT, tmp_path / "sparse")
    found = dict(index.search(question, 3))
    assert all(score > 0 for score in found.values())
    assert (0 in found) == ("apple" in question)


def test_k_must_be_positive(tmp_path: Path) -> None:
    index = SparseIndex.build(FRUIT, tmp_path / "sparse")
    for k in (0, -1):
        with pytest.raises(ValueError, match=f"at least 1, not {k}"):
            index.search("apple", k)


@pytest.mark.parametrize("damage", ["missing", "empty", "no meta", "bad meta", "no segments"])
def test_what_is_no_index_is_refused(damage: str, tmp_path: Path) -> None:
    folder = tmp_path / "sparse"
    SparseIndex.build(FRUIT, folder)
    if damage in ("missing", "empty"):
        shutil.rmtree(folder)
    if damage == "empty":
        folder.mkdir()
    if damage == "no meta":
        (folder / "meta.json").unlink()
    if damage == "bad meta":
        (folder / "meta.json").write_text("{")
    if damage == "no segments":
        for file in folder.iterdir():
            if file.name not in ("meta.json", ".managed.json"):
                file.unlink()
    with pytest.raises(ValueError, match=f"{folder}.*no readable BM25 index"):
        SparseIndex(folder)


# filters and terms


SHELF = [
    Passage("1", "Tides", "Causes", "The Moon pulls at the sea.", "sea.md"),
    Passage("2", "Tides", "Effects", "The sea falls, and boats lie dry.", "sea.md"),
    Passage("3", "Moon", "", "The Moon goes round the Earth.", "Sky.html"),
    Passage("4", "Moon", "Effects", "The Moon lights the night, and pulls at the sea.", "Sky.html"),
]


@pytest.mark.parametrize(
    ("filters", "rows"),
    [
        (Filters(), [0, 1, 2, 3]),
        (Filters(articles=("tides",)), [0, 1]),
        (Filters(sections=("Effects",)), [1, 3]),
        (Filters(sections=("",)), [2]),
        (Filters(sources=("sky.HTML",)), [2, 3]),
        (Filters(articles=("Moon", "Tides"), sections=("Effects", "Causes")), [0, 1, 3]),
        (Filters(articles=("Tides",), sources=("Sky.html",)), []),
        (Filters(articles=("Tid",)), []),
    ],
)
def test_a_filter_lets_whole_titles_and_sources_pass(filters: Filters, rows: list[int], tmp_path: Path) -> None:
    index = SparseIndex.build(SHELF, tmp_path / "sparse")
    assert index.rows(filters).tolist() == rows == [row for row, passage in enumerate(SHELF) if not filters or filters.passes(passage)]
    free = dict(index.search("Does the Moon pull the sea?", 10))
    kept = index.search("Does the Moon pull the sea?", 10, filters)
    assert {row: score for row, score in free.items() if row in rows} == pytest.approx(dict(kept)), "scores stay as they are"


def test_what_the_terms_add_is_the_score(tmp_path: Path) -> None:
    index = SparseIndex.build(SHELF, tmp_path / "sparse")
    question = "Which moons pull at the tides of the sea, and why?"
    hits = index.search(question, 10)
    added = index.contributions(question, [row for row, _ in hits])
    for (_, score), terms in zip(hits, added, strict=True):
        assert sum(terms.values()) == pytest.approx(score, rel=1e-5)
        assert set(terms) <= {"moon", "pull", "tide", "sea"}
    assert index.contributions(question, [2])[0].keys() == {"moon"}
    assert index.contributions("nothing of it", [2, 0]) == [{}, {}]
    assert index.contributions(question, []) == []
