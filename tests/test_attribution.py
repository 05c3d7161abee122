"""Citations: ranges, spans, and the cases a reader would check by eye."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lfqa.attribution import Attributor, attribute
from lfqa.evidence import Statement
from lfqa.sentences import split_sentences
from lfqa.wording import words
from tests.helpers import check_spans, passage, prose, texts

FEVER = passage(
    1,
    "Body temperature is set by the hypothalamus. Immune cells release pyrogens when they meet germs. The pyrogens raise the set point. "
    "A fever above 41 °C is dangerous. Most fevers pass within 3 days.",
    "Fever",
)
TIDES = passage(2, "The Moon pulls at the sea. Tides follow the Moon. High tide comes twice a day.", "Tide")


@settings(max_examples=60)
@given(texts, st.lists(texts.filter(str.strip), max_size=4), st.floats(0.05, 1.0), st.integers(1, 3))
def test_scores_and_spans_stay_in_range(answer: str, bodies: list[str], threshold: float, most: int) -> None:
    passages = [passage(number, body, "Moon") for number, body in enumerate(bodies)]
    by_id = {p.passage_id: p for p in passages}
    sentences = attribute(answer, passages, threshold, most)
    assert [s.text for s in sentences] == split_sentences(answer)
    for sentence in sentences:
        assert sentence.supported == bool(sentence.citations)
        assert len(sentence.citations) <= most
        scores = [c.score for c in sentence.citations]
        assert scores == sorted(scores, reverse=True)
        assert all(threshold <= score <= 1 for score in scores)
        assert len({(c.passage_id, c.start, c.end) for c in sentence.citations}) == len(sentence.citations)
        for c in sentence.citations:
            check_spans([(c.start, c.end)], by_id[c.passage_id].passage_text)


@given(prose)
def test_a_sentence_copied_from_a_passage_is_supported_by_it(text: str) -> None:
    for sentence in split_sentences(text):
        if len(Statement(words(sentence)).told) > 1:
            found = Attributor([passage(1, text)]).sentence(sentence)
            assert found.supported and found.citations[0].score == pytest.approx(1.0)


def test_the_span_is_the_sentence_that_says_it() -> None:
    found = Attributor([TIDES, FEVER]).sentence("A fever above 41 °C can be dangerous.")
    [citation] = found.citations
    assert (citation.passage_id, FEVER.passage_text[citation.start : citation.end]) == ("p-1", "A fever above 41 °C is dangerous.")


def test_two_sentences_together_can_support_one() -> None:
    found = Attributor([FEVER]).sentence("Immune cells release pyrogens that raise the set point.")
    [citation] = found.citations
    assert FEVER.passage_text[citation.start : citation.end] == (
        "Immune cells release pyrogens when they meet germs. The pyrogens raise the set point."
    )


@pytest.mark.parametrize(
    "claim",
    [
        "Chocolate is made from roasted cacao beans.",
        "A fever above 43 °C is dangerous.",
        "Volcanoes release pyrogens into the upper atmosphere of Iceland.",
        "It is so.",
        "...",
    ],
)
def test_what_no_passage_says_is_unsupported(claim: str) -> None:
    found = Attributor([FEVER, TIDES]).sentence(claim)
    assert not found.supported and found.citations == ()


def test_a_sentence_in_two_parts_has_the_citations_of_both() -> None:
    found = Attributor([FEVER, TIDES]).sentence("Most fevers pass within three days, and high tide comes twice a day.")
    spans = {("p-1", FEVER.passage_text.index("Most")), ("p-2", TIDES.passage_text.index("High"))}
    assert {(c.passage_id, c.start) for c in found.citations} == spans
    assert not Attributor([FEVER]).sentence("Most fevers pass within three days, and high tide comes twice a day.").supported
    assert not Attributor([FEVER, TIDES], most=1).sentence("Most fevers pass within three days, and high tide comes twice a day.").supported


def test_two_passages_that_say_it_are_both_cited() -> None:
    again = passage(4, "Coasts differ. High tide comes twice a day.", "Coast")
    assert {c.passage_id for c in Attributor([TIDES, again]).sentence("High tide comes twice a day.").citations} == {"p-2", "p-4"}


def test_the_title_counts_for_sentences_that_say_it() -> None:
    animal = passage(3, "It hunts at night. It eats mice. It sleeps by day.", "Owl")
    assert Attributor([animal]).sentence("The owl hunts at night.").supported


def test_no_passages_support_nothing() -> None:
    assert attribute("The Moon pulls. The sea rises.", []) == tuple(
        Attributor([]).sentence(t) for t in ("The Moon pulls.", "The sea rises.")
    )
    assert not Attributor([]).sentence("The Moon pulls.").supported
    assert attribute("", [FEVER]) == ()


@pytest.mark.parametrize("threshold", [0, -1, 1.1])
def test_a_threshold_out_of_range_is_refused(threshold: float) -> None:
    with pytest.raises(ValueError, match=f"threshold.*{threshold}"):
        Attributor([], threshold)
