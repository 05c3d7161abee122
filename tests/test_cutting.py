"""Cutting text into passages."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lfqa.corpus.cutting import cut_passages
from lfqa.sentences import sentence_spans
from tests.helpers import texts


@given(texts, st.integers(1, 40))
def test_passages_are_runs_of_whole_sentences_that_hold_all_of_the_text(text: str, words: int) -> None:
    passages = cut_passages(text, words)
    sentences = sentence_spans(text)
    starts, ends = {s for s, _ in sentences}, {e for _, e in sentences}
    assert all(start in starts and end in ends for start, end in passages)
    assert passages == sorted(passages)
    covered = [(s, e) for s, e in sentences if any(start <= s and e <= end for start, end in passages)]
    assert covered == sentences
    assert all(a[1] <= b[0] for a, b in zip(passages, passages[1:], strict=False))


def test_passages_come_out_about_equally_long() -> None:
    text = " ".join(f"Sentence number {n} has just seven words." for n in range(60))
    lengths = [len(text[start:end].split()) for start, end in cut_passages(text, 100)]
    assert sum(lengths) == len(text.split())
    assert all(90 <= length <= 119 for length in lengths)


def test_a_long_sentence_is_a_passage_of_its_own_uncut() -> None:
    long = "This " + "very " * 200 + "long sentence ends."
    text = f"Short one here. {long} Short again here."
    assert long in [text[start:end] for start, end in cut_passages(text, 20)]


def test_nothing_gives_nothing() -> None:
    assert cut_passages("") == cut_passages(" \n ") == []


@pytest.mark.parametrize("words", [0, -5])
def test_a_length_that_is_not_positive_is_refused(words: int) -> None:
    with pytest.raises(ValueError, match=f"at least 1, not {words}"):
        cut_passages("Some text.", words)
