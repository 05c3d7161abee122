"""The ask page: a question, its answer, its passages."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import streamlit as st

from lfqa.settings import Settings
from lfqa.types import Answer, NearestQuestion
from lfqa.ui import examples, nearest, resources, sidebar, site, uploads
from lfqa.ui.live import follow
from lfqa.ui.problems import Problem, explain
from lfqa.ui.render import answer_html, heading, note_html, passages_html, question_html, steps_html

if TYPE_CHECKING:
    from lfqa.pipeline import Pipeline

TITLE = "Ask, and check the answer"
LEAD = (
    "Ask a question and read a paragraph made from the encyclopedic passages found for it, here on this machine. Every sentence points "
    "at the words of the passage that support it, or says that none do."
)

# keys of this visitor's session
QUESTION, PENDING, RESULT = "ask_question", "ask_pending", "ask_result"
COMPARE = "ask_compare_now"  # the question that the compare page is to take up

COMPARE_KEY = "Alt+P"


@dataclass(frozen=True)
class Result:
    """What came of a question, and the settings it was asked with."""

    question: str
    settings: Settings
    outcome: Answer | Problem
    nearest: NearestQuestion | None = None


def page() -> None:
    """Draw the page."""
    state = st.session_state
    fresh = PENDING not in state and RESULT not in state
    st.html(heading(TITLE, LEAD if fresh else ""))
    pipeline, base, writer_problem = resources.ready()
    settings = sidebar.choose(base, writer_problem, indexes=pipeline.catalog(base).names())
    settings = uploads.choose(pipeline, settings)
    _form()
    if fresh:
        examples.draw(_submit, folded=False)
        return
    with st.container(key="ask-go-on", horizontal=True, gap="small"):
        asked = state[PENDING] if PENDING in state else state[RESULT].question
        examples.draw_next(_submit, asked)
        if site.has("compare") and st.button("Compare retrievers", key="ask_compare", type="tertiary", shortcut=COMPARE_KEY):
            state[COMPARE] = asked
            site.go_to("compare")
    examples.draw(_submit, folded=True)
    notice = st.empty()
    slots = [st.empty() for _ in range(5)]
    if PENDING in state:
        # the question stays pending until its answer is there: a run that a click interrupts is taken up by the next
        state[RESULT] = _ask(pipeline, state[PENDING], settings, slots)
        del state[PENDING]
    else:
        _show(state[RESULT], slots)
    changed = sidebar.differences(state[RESULT].settings, settings)
    if changed and isinstance(state[RESULT].outcome, Answer):
        with notice.container(key="ask-changed", horizontal=True, vertical_alignment="center"):
            st.html(note_html(f"Answered with other settings ({', '.join(changed)})."))
            st.button("Ask again with these", key="ask_again", on_click=_submit, args=(state[RESULT].question,))


def _form() -> None:
    with st.form("ask-form", border=False), st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        st.text_input("Question", key=QUESTION, placeholder="Why is the sky blue?", persist_state="session", label_visibility="collapsed")
        st.form_submit_button("Ask", type="primary", on_click=_submit)


def _submit(question: str | None = None) -> None:
    if question is not None:
        st.session_state[QUESTION] = question
    st.session_state[PENDING] = st.session_state[QUESTION]


def _ask(pipeline: Pipeline, question: str, settings: Settings, slots: list[Any]) -> Result:
    head, steps, answer, near, passages = slots
    for slot in slots:
        slot.empty()
    try:
        if question.strip() and len(question) <= settings.max_question_characters:
            head.html(question_html(question))
        outcome: Answer | Problem = follow(
            pipeline, question, settings, steps, answer, lambda sources: passages.html(passages_html(sources, writer=settings.generator))
        )
    except Exception as error:
        outcome = explain(error)
    result = Result(question, settings, outcome, nearest.find(pipeline, question, settings) if isinstance(outcome, Answer) else None)
    _show(result, slots)
    return result


def _show(result: Result, slots: list[Any]) -> None:
    head, steps, answer, near, passages = slots
    if isinstance(result.outcome, Problem):
        head.empty()
        steps.empty()
        near.empty()
        passages.empty()
        answer.html(result.outcome.html())
        return
    found = result.outcome
    head.html(question_html(found.question))
    steps.html(steps_html(found.timings) + f'<p class="lfqa-made">{sidebar.summary(result.settings)}</p>')
    answer.html(answer_html(found))
    if result.nearest is None:
        near.empty()
    else:
        near.html(nearest.nearest_html(result.nearest, result.settings.nearest_threshold))
    passages.html(passages_html(found.sources, found.sentences, result.settings.generator))
