"""Citation precision and recall: ALCE's cases with judges made for them, then the project's own judge."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lfqa.attribution import attribute
from lfqa.evaluation.citations import citation_scores, cited_gold, cited_passages, supported_by
from lfqa.types import Answer, Citation, Hit, Passage, Sentence, Source
from tests.helpers import passage

TIDE = passage(1, "The tide rises twice a day because of the Moon. Salt is white.", "Tide")
WOLF = passage(2, "Wolves howl at night to find their pack. They hunt elk.", "Wolf")


def answer(*cited: tuple[str, Sequence[str]]) -> Answer:
    """Make an answer of sentences with the passages they cite, each passage one letter."""
    names = sorted({name for _, group in cited for name in group})
    sources = tuple(Source(Hit(Passage(name, name, "", name), rank), ((0, 1),)) for rank, name in enumerate(names, start=1))
    sentences = tuple(Sentence(text, bool(group), tuple(Citation(name, 1.0, 0, 1) for name in group)) for text, group in cited)
    return Answer("q", " ".join(text for text, _ in cited), False, sentences, sources)


def judge(*enough: str) -> Callable[[str, Sequence[Passage]], bool]:
    """Return a judge for which a text is support when it holds all letters of one of `enough`."""
    return lambda _, evidence: any(set(letters) <= {p.passage_id for p in evidence} for letters in enough)


@pytest.mark.parametrize(
    ("cited", "enough", "precision", "recall"),
    [
        (["A"], ["A"], 1, 1),
        (["A"], ["B"], 0, 0),
        (["A", "B"], ["A"], 0.5, 1),  # B is neither enough alone nor needed beside A
        (["A", "B"], ["A", "B"], 1, 1),  # each is enough alone
        (["A", "B"], ["AB"], 1, 1),  # neither is enough alone, both are needed
        (["A", "B", "C"], ["AB"], 2 / 3, 1),  # C is not needed
        (["A", "B", "C"], ["AB", "C"], 1 / 3, 1),  # with C there, neither A nor B is needed
        (["A", "B"], ["C"], 0, 0),  # precision counts only citations of supported sentences
    ],
)
def test_the_cases_of_alce(cited: list[str], enough: list[str], precision: float, recall: float) -> None:
    assert citation_scores(answer(("s", cited)), judge(*enough)) == pytest.approx((precision, recall))


def test_a_sentence_without_citations_costs_recall_only() -> None:
    assert citation_scores(answer(("s", ["A"]), ("t", [])), judge("A")) == (1.0, 0.5)
    assert citation_scores(answer(("t", [])), judge("A")) == (0.0, 0.0)
    assert citation_scores(Answer("q", "", False, (), ()), judge("A")) == (0.0, 0.0)


def alce(cited: list[list[str]], enough: set[str]) -> tuple[float, float]:
    """Return precision and recall by the letter of the paper, for one answer."""

    def holds(group: list[str]) -> bool:
        return any(set(letters) <= set(group) for letters in enough)

    recall = [holds(group) for group in cited]
    precise = [
        holds(group) and (holds([name]) or not holds([other for other in group if other != name])) for group in cited for name in group
    ]
    return sum(precise) / len(precise) if precise else 0.0, sum(recall) / len(recall)


groups = st.lists(st.lists(st.sampled_from("ABC"), max_size=3, unique=True), min_size=1, max_size=4)


@given(groups, st.sets(st.sampled_from(["A", "B", "C", "AB", "BC", "ABC"]), min_size=1))
def test_any_citations_score_as_the_paper_says(cited: list[list[str]], enough: set[str]) -> None:
    made = answer(*((f"s{number}", group) for number, group in enumerate(cited)))
    assert citation_scores(made, judge(*enough)) == pytest.approx(alce(cited, enough))


def test_the_judge_reads_the_cited_span_only() -> None:
    sources = (Source(Hit(TIDE, 1), ((0, 47),)),)
    rises, salt = Citation("p-1", 0.9, 0, 47), Citation("p-1", 0.9, 48, 62)
    right = Answer("q", "x", False, (Sentence("The tide rises twice a day.", True, (rises,)),), sources)
    wrong = Answer("q", "x", False, (Sentence("The tide rises twice a day.", True, (salt,)),), sources)
    assert TIDE.passage_text[48:62] == "Salt is white."
    assert citation_scores(right) == (1.0, 1.0)
    assert citation_scores(wrong) == (0.0, 0.0)


def test_the_judge_has_the_threshold_that_the_answer_was_made_with() -> None:
    half = Sentence("The tide rises twice a day under clouds of steam.", True, (Citation("p-1", 0.9, 0, 47),))
    sources = (Source(Hit(TIDE, 1), ((0, 47),)),)
    assert not supported_by(half.text, [TIDE], 0.01), "too much of it is made up, whatever the threshold"
    most = Sentence("Twice a day the tide rises again.", True, half.citations)
    lenient, strict = (Answer("q", "x", False, (most,), sources, {}, {"support_threshold": at}) for at in (0.2, 0.999))
    assert citation_scores(lenient) == (1.0, 1.0)
    assert citation_scores(strict) == (0.0, 0.0)


def test_the_judge_takes_texts_together() -> None:
    claim = "The tide rises twice a day, and wolves howl at night."
    assert supported_by(claim, [TIDE, WOLF])
    assert not supported_by(claim, [TIDE])
    assert not supported_by("The tide rises 7 times a day.", [TIDE, WOLF])
    assert not supported_by(claim, [])


def test_what_attribution_cites_is_precise_by_the_same_judge() -> None:
    sentences = attribute("The tide rises twice a day. Wolves howl at night to find their pack. Cows sing opera.", [TIDE, WOLF])
    made = Answer("q", "x", False, sentences, (Source(Hit(TIDE, 1), ((0, 1),)), Source(Hit(WOLF, 2), ((0, 1),))))
    assert citation_scores(made) == pytest.approx((1.0, 2 / 3))
    assert cited_passages(made) == {"p-1", "p-2"}
    assert cited_gold(made, ["p-2", "p-9"]) == (1, 2)
    assert cited_gold(made, []) == (0, 2)
