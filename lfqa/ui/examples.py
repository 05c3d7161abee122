"""Example questions to click."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import cache

import streamlit as st

from lfqa.settings import ASSETS
from lfqa.ui.markup import plain_markdown

AT_FIRST = 5


@cache
def examples() -> tuple[str, ...]:
    """Return the example questions; none where their file is missing."""
    try:
        return tuple(json.loads((ASSETS / "examples.json").read_text(encoding="utf-8")))
    except FileNotFoundError:
        return ()


def draw(submit: Callable[[str], None], folded: bool) -> None:
    """Draw the examples as buttons that hand their question to `submit`: some open, or all `folded` away."""
    questions = examples()
    if not questions:
        return
    if folded:
        with st.expander("Example questions"):
            _buttons(questions, 0, submit)
        return
    st.html('<h2 class="lfqa-small">For example</h2>')
    _buttons(questions[:AT_FIRST], 0, submit)
    if len(questions) > AT_FIRST:
        with st.expander("More examples"):
            _buttons(questions[AT_FIRST:], AT_FIRST, submit)


def _buttons(questions: tuple[str, ...], first: int, submit: Callable[[str], None]) -> None:
    with st.container(key=f"examples-{first}", gap=None):
        for number, question in enumerate(questions, first):
            st.button(
                plain_markdown(question), key=f"example_{number}", type="tertiary", on_click=submit, args=(question,), width="stretch"
            )
