"""How surely a stretch of a passage bears out a sentence: ranges, and one case for everything that is looked at."""

from __future__ import annotations

import math

import pytest
from hypothesis import given

from lfqa.evidence import COEFFICIENTS, Statement, spans
from lfqa.wording import words
from tests.helpers import check_spans, passage, prose, texts

EVIDENCE = (
    "Canaries were carried into British mines until 1986, because the birds collapse from carbon monoxide sooner than people do. "
    "Cooking does not destroy the poison of the death cap, and silver spoons do not reveal it."
)


def score(claim: str, evidence: str = EVIDENCE, title: str = "Title") -> float:
    return max(span.evidence.score(Statement(words(claim))) for span in spans(passage(1, evidence, title)))


@given(texts, texts.filter(str.strip))
def test_scores_and_features_stay_in_range(claim: str, evidence: str) -> None:
    said = Statement(words(claim))
    found = list(spans(passage(1, evidence)))
    check_spans([(span.start, span.end) for span in found], evidence)
    for span in found:
        assert 0 <= span.evidence.score(said) <= 1 and 0 <= span.evidence.recall(said) <= 1 + 1e-9
        features = span.evidence.features(said)
        assert list(features) == list(COEFFICIENTS)
        assert all(math.isfinite(value) and value >= 0 for value in features.values())


@given(prose)
def test_what_it_says_word_for_word_is_certain(text: str) -> None:
    for span in spans(passage(1, text)):
        said = Statement(words(text[span.start : span.end]))
        if said.told:
            assert span.evidence.score(said) == 1.0


@pytest.mark.parametrize(
    "claim",
    [
        "Cooking does not destroy the death cap's poison, and silver spoons do not reveal it.",
        "Until 1986 canaries were carried into British mines.",
    ],
)
def test_the_same_in_other_words_counts(claim: str) -> None:
    assert score(claim) >= 0.5


@pytest.mark.parametrize(
    ("claim", "wrong"),
    [
        ("Canaries were carried into British mines until 1968.", "number"),
        ("Canaries were carried into Belgian mines until 1986.", "name"),
        ("Parrots were carried into British mines until 1986.", "word"),
        ("Canaries were carried into British mimes and mincs until 1986.", "broken word"),
        ("Cooking does destroy the poison of the death cap.", "denial left out"),
        ("Canaries were not carried into British mines until 1986.", "denial put in"),
        ("The birds collapse from carbon monoxide later than people do.", "opposite"),
        ("People collapse from carbon monoxide sooner than the birds do.", "turned round"),
        ("Canaries were carried into into British mines until 1986, mines until 1986, mines until 1986.", "said again and again"),
        ("Canaries were carried into the death cap, and silver spoons do not reveal it.", "spliced"),
        ("Glaciers grind the rock beneath them.", "something else"),
        ("", "nothing"),
        ("It is.", "no content"),
    ],
)
def test_a_slip_is_not_borne_out(claim: str, wrong: str) -> None:
    assert score(claim) < 0.5, wrong


def test_the_title_says_what_the_sentences_are_about() -> None:
    assert score("An owl hunts mice at night.", "It hunts mice at night.", "Owl") >= 0.5
    assert score("An owl hunts mice at night.", "It hunts mice at night.", "Cat") < 0.5
