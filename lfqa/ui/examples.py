"""Example questions to click."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import cache

import streamlit as st

from lfqa.settings import ASSETS
from lfqa.ui.markup import plain_markdown

AT_FIRST = 5
NEXT_KEY = "Alt+N"


@cache
def examples() -> tuple[str, ...]:
    """Return the example questions; none where their file is missing."""
    try:
        return tuple(json.loads((ASSETS / "examples.json").read_text(encoding="utf-8")))
    except FileNotFoundError:
        return ()


def following(question: str) -> str | None:
    """Return the example after `question`, the first after the last or after what is none; None where there are no examples."""
    questions = examples()
    if not questions:
        return None
    return questions[(questions.index(question) + 1) % len(questions)] if question in questions else questions[0]


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


def draw_next(submit: Callable[[str], None], asked: str) -> None:
    """Draw a button, with a key for it, that hands the example after the question `asked` to `submit`."""
    question = following(asked)
    if question is not None:
        st.button("Next example", key="next_example", type="tertiary", shortcut=NEXT_KEY, on_click=submit, args=(question,))


def _buttons(questions: tuple[str, ...], first: int, submit: Callable[[str], None]) -> None:
    with st.container(key=f"examples-{first}", gap=None):
        for number, question in enumerate(questions, first):
            st.button(
                plain_markdown(question), key=f"example_{number}", type="tertiary", on_click=submit, args=(question,), width="stretch"
            )
