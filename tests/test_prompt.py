"""The generator's input: within the budget, whole sentences, and no token smuggled in."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lfqa.generation.prompt import PASSAGE_MARK, RANK_MARKS, Source, compose, heading, passage_prompt, plain, sentence_prompt
from lfqa.sentences import sentence_spans
from tests.helpers import check_spans, texts

SPECIAL = re.compile(r"<(/?s|pad|unk|mask|P|[1-4])>", re.IGNORECASE)

# tokens as words, as characters, and as a tokenizer that puts two tokens around every text counts them
COUNTERS: list[Callable[[str], int]] = [lambda text: len(text.split()), len, lambda text: 2 + len(re.findall(r"\w+|[^\w\s]", text))]
pieces = st.sampled_from(["<", ">", "/", "s", "P", "p", "pad", "ma", "k", "unk", " ", "\n", "<P>", "</s>", "<s>", "1", "4", "<2>"])
marks = st.lists(pieces, max_size=14).map("".join)
bodies = st.one_of(texts, marks)


@st.composite
def sources(draw: st.DrawFn) -> Source:
    text = draw(bodies)
    score = st.floats(-1, 1)
    return Source(draw(marks), draw(st.sampled_from(["", "Part one"])), text, tuple((s, e, draw(score)) for s, e in sentence_spans(text)))


@settings(max_examples=150)
@given(bodies, st.lists(sources(), max_size=4), st.sampled_from(COUNTERS), st.integers(8, 300), st.booleans())
def test_a_prompt_fits_its_budget_and_says_what_is_read(
    question: str, given_sources: list[Source], count: Callable[[str], int], budget: int, by_sentence: bool
) -> None:
    fill = sentence_prompt if by_sentence else passage_prompt
    if count(compose(question, [])) >= budget:
        with pytest.raises(ValueError, match=f"tokens of the {budget}.*shorten"):
            fill(question, given_sources, count, budget)
        return
    prompt = fill(question, given_sources, count, budget)
    assert prompt.tokens == count(prompt.text) <= budget
    assert len(prompt.read) == len(given_sources)
    for source, spans in zip(given_sources, prompt.read, strict=True):
        assert list(spans) == sorted(spans)
        for start, end in spans:
            assert 0 <= start < end <= len(source.text)
            assert plain(source.text[start:end]) in prompt.text
        if by_sentence:
            check_spans(spans, source.text, longest=1)
        else:
            assert len(spans) <= 1
    # each mark in the prompt is ours: one for every source that is read, and no other special token
    assert prompt.text.count(PASSAGE_MARK) == len(SPECIAL.findall(prompt.text)) == sum(bool(spans) for spans in prompt.read)


@given(bodies)
def test_plain_text_holds_no_special_token_and_stays_as_it_is(text: str) -> None:
    tidy = plain(text)
    assert not SPECIAL.search(tidy)
    assert plain(tidy) == tidy == " ".join(tidy.split())


@pytest.mark.parametrize("text", ["<P>", "</s>", "<<P>>", "<ma<s>k>", "<</s>/s>", "<PAD>", "a<unk>b", "<1>", "<<4>>"])
def test_marks_are_defused_also_when_nested(text: str) -> None:
    assert not SPECIAL.search(plain(text))


def test_honest_angle_brackets_stay() -> None:
    assert plain("3 < 4 > 2,  <b>\nx") == "3 < 4 > 2, <b> x"


def scored(text: str, *scores: float) -> tuple[tuple[int, int, float], ...]:
    return tuple((start, end, score) for (start, end), score in zip(sentence_spans(text), scores, strict=True))


def test_the_closest_sentences_are_read_in_the_order_of_the_text() -> None:
    a, b = "One is far. Two is near. Three is nearest.", "Four is near too."
    given_sources = [Source("A", "S", a, scored(a, 0.1, 0.8, 0.9)), Source("B", "", b, scored(b, 0.5))]
    prompt = sentence_prompt("Why?", given_sources, COUNTERS[0], 19)
    assert prompt.text == "question: Why? context: <P> A. S: Two is near. Three is nearest. <P> B: Four is near too."
    assert [[given.text[s:e] for s, e in spans] for given, spans in zip(given_sources, prompt.read, strict=True)] == [
        ["Two is near.", "Three is nearest."],
        ["Four is near too."],
    ]


@settings(max_examples=100)
@given(st.lists(sources(), max_size=4), st.sampled_from(COUNTERS), st.integers(20, 300), st.integers(0, 4))
def test_marks_stand_once_each_before_sentences_that_are_read_best_first(
    given_sources: list[Source], count: Callable[[str], int], budget: int, how_many: int
) -> None:
    if count(compose("Why?", [])) >= budget:
        return
    prompt = sentence_prompt("Why?", given_sources, count, budget, RANK_MARKS[:how_many])
    assert prompt.tokens == count(prompt.text) <= budget
    read = sum(len(spans) for spans in prompt.read)
    found = [mark for mark in RANK_MARKS if mark in prompt.text]
    assert found == list(RANK_MARKS[: min(how_many, read)])
    assert all(prompt.text.count(mark) == 1 for mark in found)


def test_marks_can_follow_another_number_than_what_is_taken_first() -> None:
    text = "One is far. Two is near. Three is nearest."
    by_score = sentence_prompt("Why?", [Source("A", "", text, scored(text, 0.1, 0.8, 0.9))], COUNTERS[0], 99, ("<1>", "<2>"))
    assert by_score.text.endswith("A: One is far. <2> Two is near. <1> Three is nearest.")
    ranked = Source("A", "", text, scored(text, 0.1, 0.8, 0.9), (0.9, 0.1, 0.5))
    assert sentence_prompt("Why?", [ranked], COUNTERS[0], 99, ("<1>", "<2>")).text.endswith(
        "A: <1> One is far. Two is near. <2> Three is nearest."
    )


def test_whole_passages_are_read_in_rank_order_and_the_last_is_cut_at_a_word() -> None:
    given_sources = [Source("A", "", "One two three."), Source("B", "", "Four five six."), Source("C", "", "Seven.")]
    prompt = passage_prompt("Why?", given_sources, COUNTERS[0], 9)
    assert prompt.text == "question: Why? context: <P> One two three. <P> Four"
    assert prompt.read == (((0, 14),), ((0, 4),), ())


def test_a_question_that_takes_the_whole_budget_is_refused() -> None:
    for fill in (sentence_prompt, passage_prompt):
        with pytest.raises(ValueError, match="takes 12 tokens of the 12.*shorten"):
            fill("why " * 10, [], COUNTERS[0], 12)


def test_no_sources_make_an_empty_context() -> None:
    assert sentence_prompt("Why?", [], len, 99).text == passage_prompt("Why?", [], len, 99).text == "question: Why? context:"


@pytest.mark.parametrize(
    ("title", "section", "found"), [("A", "B", "A. B"), ("A", "", "A"), ("", "B", "B"), ("", "", ""), ("<P>", " ", "P")]
)
def test_headings(title: str, section: str, found: str) -> None:
    assert heading(title, section) == found
