"""The nearest answered question as HTML."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lfqa.types import NearestQuestion
from lfqa.ui.nearest import nearest_html
from tests.test_ui_render import HOSTILE, _Page, _shown


def near(question: str = "Why?", answer: str = "Because.", similarity: float = 0.8) -> NearestQuestion:
    return NearestQuestion(question, answer, ("a-1",), similarity)


@pytest.mark.parametrize(("similarity", "far"), [(0.699, True), (-0.2, True), (0.7, False), (1.0, False)])
def test_a_low_similarity_is_called_low_before_one_unfolds_it(similarity: float, far: bool) -> None:
    page = nearest_html(near(similarity=similarity), 0.7)
    summary = page.split("</summary>")[0]
    assert f"similarity {similarity:.2f}" in summary
    assert (", low" in summary) == ("lfqa-far" in summary) == ("probably about something else" in page) == far
    assert page.startswith("<details ") and " open" not in page.split(">")[0]


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_questions_and_answers_are_shown_and_do_nothing(text: str) -> None:
    page = nearest_html(near(text, text), 0.5)
    parsed = _Page(page)
    assert not parsed.open and set(parsed.tags) == {"details", "summary", "span", "h3", "p"}
    assert {name for name, _ in parsed.attributes} == {"class", "dir"}
    assert parsed.text.count(_shown(text)) >= 2
    page.encode("utf-8")


@given(st.text(min_size=1, max_size=60), st.text(min_size=1, max_size=60), st.floats(-1, 1))
def test_exactly_the_text_is_shown(question: str, answer: str, similarity: float) -> None:
    parsed = _Page(nearest_html(near(question, answer, similarity), 0.7))
    assert _shown(question) + _shown(answer) in parsed.text and not parsed.open
