"""Sentence boundaries."""

from __future__ import annotations

import pytest
from hypothesis import given

from lfqa.sentences import sentence_spans, split_sentences
from tests.helpers import texts


@given(texts)
def test_spans_are_in_order_and_hold_every_character_that_is_not_white_space(text: str) -> None:
    spans = sentence_spans(text)
    held: set[int] = set()
    last = 0
    for start, end in spans:
        assert last <= start < end <= len(text)
        assert text[start:end] == text[start:end].strip()
        held.update(range(start, end))
        last = end
    assert all(character.isspace() for place, character in enumerate(text) if place not in held)
    assert split_sentences(text) == [text[start:end] for start, end in spans]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        (" \n\t ", []),
        ("One sentence without an end", ["One sentence without an end"]),
        ("Dr. Smith paid 3.50 for it. He left.", ["Dr. Smith paid 3.50 for it.", "He left."]),
        ("Is it? Yes! Good.", ["Is it?", "Yes!", "Good."]),
        ("😀 Café is “nice”. É so.", ["😀 Café is “nice”.", "É so."]),
        ("First paragraph\n\nSecond one.", ["First paragraph", "Second one."]),
    ],
)
def test_sentences_of_prose(text: str, expected: list[str]) -> None:
    assert split_sentences(text) == expected
