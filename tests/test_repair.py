"""From what a model wrote to what is shown: properties first, then every slip by itself."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lfqa.attribution import Attributor
from lfqa.repair import (
    FEWEST,
    MOST,
    Editor,
    asks_again,
    complete_sentences,
    edit,
    in_the_case_of,
    is_finished,
    is_of_a_textbook,
    quotables,
    repeats_itself,
    tidy,
    without_heading,
)
from lfqa.sentences import sentence_spans, split_sentences
from lfqa.types import Passage, SentenceWritten, Token
from tests.helpers import passage, prose, texts

QUESTION = "Why do we get a fever?"
FEVER = passage(
    1,
    "A fever is a body temperature above the usual range. The hypothalamus of Galen raises the set point of the body during an infection. "
    "Heat slows many germs down, and it speeds up immune cells. It often ends after 3 days. As Figure 2 shows, shivering makes heat.",
    "Fever",
)
REFUSAL = "The passages found do not answer this question."
MADE_UP = "Robots from Mars eat cheese every night."


def editor(*passages: Passage, mends: bool = True) -> Editor:
    read = [(p, [(start, end, 0.9 - 0.01 * n) for n, (start, end) in enumerate(sentence_spans(p.passage_text))]) for p in passages]
    return Editor(QUESTION, Attributor(passages), quotables(read), mends)


def shown(written: str, *passages: Passage, mends: bool = True) -> list[tuple[str, bool, bool]]:
    chosen = editor(*passages or (FEVER,), mends=mends)
    list(edit([written[i : i + 7] for i in range(0, len(written), 7)], chosen, REFUSAL))
    return [(s.text, s.supported, s.quoted) for s in chosen.shown]


@settings(max_examples=80)
@given(texts, st.lists(texts.filter(str.strip), max_size=3), st.integers(1, 9), st.booleans())
def test_what_is_shown_is_supported_new_and_bounded(written: str, bodies: list[str], size: int, mends: bool) -> None:
    passages = [passage(number, body) for number, body in enumerate(bodies)]
    chosen = editor(*passages, mends=mends)
    events = list(edit([written[i : i + size] for i in range(0, len(written), size)], chosen))
    assert [event.sentence for event in events if isinstance(event, SentenceWritten)] == chosen.shown
    assert written.startswith("".join(event.text for event in events if isinstance(event, Token)))
    assert len(chosen.shown) <= MOST
    assert chosen.counts.total() - chosen.counts["dropped"] == len(chosen.shown)
    for sentence in chosen.shown:
        assert sentence.supported == bool(sentence.citations) or not mends
        if sentence.quoted:
            assert mends and any(sentence.text in p.passage_text for p in passages)
    if mends:
        assert all(sentence.supported or sentence.quoted for sentence in chosen.shown)
        assert len({sentence.text for sentence in chosen.shown}) == len(chosen.shown)


@given(prose)
def test_sentences_come_out_as_a_growing_text_is_read(text: str) -> None:
    pending, found = "", []
    for letter in text:
        complete, pending = complete_sentences(pending + letter)
        found += complete
    assert "".join("".join([*found, pending]).split()) == "".join(text.split())


@given(texts)
def test_tidy_changes_blanks_and_the_first_letter_only(text: str) -> None:
    done = tidy(text)
    assert "".join(done.split()).casefold() == "".join(text.split()).casefold()
    assert tidy(done) == done


@given(prose, prose)
def test_case_is_all_that_is_taken_over(text: str, evidence: str) -> None:
    assert in_the_case_of(text, evidence).casefold().replace("- ", "-") == text.casefold().replace("- ", "-")


def test_a_supported_sentence_is_kept_in_the_passages_case() -> None:
    written = "the hypothalamus of galen raises the Set point of the body during an infection. Heat slows many germs down."
    assert shown(written)[:2] == [
        ("The hypothalamus of Galen raises the set point of the body during an infection.", True, False),
        ("Heat slows many germs down.", True, False),
    ]


@pytest.mark.parametrize(
    "slip",
    [
        "The hypothalamus of Galen raises the set pxzoint of the body during an infection.",
        "The hypothalamus of Galen lowers the set point of the body during an infection.",
        "The hypothalamus of Galen raises the set point of the body, body, body during an infection.",
        "The hypothalamus of Galen raises the set point of the bo",
    ],
)
def test_a_slip_is_replaced_by_the_sentence_it_came_from(slip: str) -> None:
    assert shown(f"Heat slows many germs down. {slip}")[:2] == [
        ("Heat slows many germs down.", True, False),
        ("The hypothalamus of Galen raises the set point of the body during an infection.", True, True),
    ]


@pytest.mark.parametrize(
    "slip", [MADE_UP, "As we saw, heat slows many germs down.", "So why do we get a fever?", "Heat slows many germs down."]
)
def test_what_can_not_be_mended_is_left_out_and_the_answer_filled_up(slip: str) -> None:
    found = shown(f"Heat slows many germs down. {slip}")
    added = [
        "A fever is a body temperature above the usual range.",
        "The hypothalamus of Galen raises the set point of the body during an infection.",
    ]
    assert found == [("Heat slows many germs down.", True, False), *((text, True, True) for text in added)]


def test_nothing_is_added_to_nothing_and_a_refusal_is_no_sentence() -> None:
    assert shown(MADE_UP) == []
    assert shown(REFUSAL) == []
    chosen = editor(FEVER)
    (*_,) = edit([REFUSAL], chosen, REFUSAL)
    assert chosen.shown == []


def test_without_mending_unsupported_sentences_are_shown_as_that() -> None:
    assert shown(f"Heat slows many germs down. {MADE_UP}", mends=False) == [
        ("Heat slows many germs down.", True, False),
        (MADE_UP, False, False),
    ]


def test_what_leans_on_another_sentence_or_on_a_figure_is_not_quoted() -> None:
    spans = [(start, end, 0.9) for start, end in sentence_spans(FEVER.passage_text)]
    assert [q.text for q in quotables([(FEVER, spans)])] == split_sentences(FEVER.passage_text)[:3]
    far = [(start, end, 0.9 if not start else 0.1) for start, end, _ in spans]
    assert len(quotables([(FEVER, far)])) == 1 and quotables([]) == []


def test_an_answer_has_at_least_three_sentences_where_the_passages_hold_them() -> None:
    assert len(shown("Heat slows many germs down.")) == FEWEST
    assert len(shown("Heat slows germs down.", passage(2, "Heat slows germs down."))) == 1


@pytest.mark.parametrize(
    ("text", "wanted"),
    [("So is it.", True), ('He said "no."', True), ("It ends (here!)", True), ("It does n", False), ("", False)],
)
def test_a_finished_sentence_ends_with_a_mark(text: str, wanted: bool) -> None:
    assert is_finished(text) is wanted


def test_the_question_said_over_again_is_seen() -> None:
    assert asks_again("Why do we get a fever", QUESTION) and asks_again("Is that so?", QUESTION)
    assert not asks_again("We get a fever because heat slows germs.", QUESTION)


def test_traces_of_a_textbook_are_seen() -> None:
    assert all(map(is_of_a_textbook, ("Figure 2 shows it.", "See the table below.", "As we saw, it is.", "In this chapter we look at it.")))
    assert not any(map(is_of_a_textbook, ("She was a key figure.", "They sat at the table.", "A chapter of the party met.")))


def test_repetition_is_seen() -> None:
    assert repeats_itself("The Moon raises tides in the sea. Wind adds waves to the sea. The moon raises the tides.")
    assert not repeats_itself("The Moon raises tides in the sea. Wind adds waves to the sea.")
    assert not repeats_itself("")


def test_blanks_before_marks_go() -> None:
    assert tidy("  heat ( a lot ) helps , they say .") == "Heat (a lot) helps, they say."


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        ("Use of bread: Bread keeps well.", "Bread keeps well."),
        ("Bread.", ""),
        ("Use of bread", ""),
        ("Two things matter: salt and water.", "Two things matter: salt and water."),
        ("Bread keeps well.", "Bread keeps well."),
        ("", ""),
    ],
)
def test_a_heading_copied_with_a_sentence_is_no_part_of_it(written: str, kept: str) -> None:
    assert without_heading(written, {"bread", "use of bread", "bread. use of bread"}) == kept
