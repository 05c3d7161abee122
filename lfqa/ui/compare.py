"""The compare page: one question, the three retrievers beside each other."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import streamlit as st

from lfqa.settings import Settings
from lfqa.types import Answer, Source
from lfqa.ui import ask, examples, resources, sidebar, uploads
from lfqa.ui.live import follow
from lfqa.ui.overlap import column_head_html, column_html, overlap_html, ranks_of
from lfqa.ui.problems import Problem, explain
from lfqa.ui.render import answer_html, heading, note_html, question_html, steps_html

if TYPE_CHECKING:
    from lfqa.pipeline import Pipeline

TITLE = "Compare retrievers"
LEAD = (
    "One question, three ways to find passages: by meaning (dense), by words (BM25), and both fused (hybrid). See which passages they "
    "share, where each puts them, and how the answer changes with them."
)
NAMES = ("dense", "sparse", "hybrid")

# keys of this visitor's session
QUESTION, PENDING, RESULT = "compare_question", "compare_pending", "compare_result"


@dataclass(frozen=True)
class Comparison:
    """The answers of the three retrievers to one question, by retriever, and the settings they share."""

    question: str
    settings: Settings
    outcome: dict[str, Answer] | Problem


@dataclass(frozen=True)
class _Column:
    steps: Any
    answer: Any
    passages: Any


def page() -> None:
    """Draw the page."""
    state = st.session_state
    if (handed_over := state.pop(ask.COMPARE, None)) is not None:
        _submit(handed_over)
    fresh = PENDING not in state and RESULT not in state
    st.html(heading(TITLE, LEAD if fresh else ""))
    pipeline, base, writer_problem = resources.ready()
    settings = sidebar.choose(base, writer_problem, with_retriever=False, indexes=pipeline.catalog(base).names())
    settings = uploads.choose(pipeline, settings)
    _form()
    if not fresh:
        examples.draw_next(_submit, state[PENDING] if PENDING in state else state[RESULT].question)
    examples.draw(_submit, folded=not fresh)
    if fresh:
        return
    notice, head, overlap = st.empty(), st.empty(), st.empty()
    columns = _columns()
    if PENDING in state:
        state[RESULT] = _compare(pipeline, state[PENDING], settings, head, overlap, columns)
        del state[PENDING]
    else:
        _show(state[RESULT], head, overlap, columns)
    made = state[RESULT].settings.with_options(retriever=settings.retriever)
    changed = sidebar.differences(made, settings)
    if changed and not isinstance(state[RESULT].outcome, Problem):
        with notice.container(key="compare-changed", horizontal=True, vertical_alignment="center"):
            st.html(note_html(f"Compared with other settings ({', '.join(changed)})."))
            st.button("Compare again with these", key="compare_again", on_click=_submit, args=(state[RESULT].question,))


def _form() -> None:
    state = st.session_state
    if QUESTION not in state and isinstance(asked := state.get(ask.RESULT), ask.Result):
        state[QUESTION] = asked.question  # what was asked last is what one wants to compare
    with (
        st.form("compare-form", border=False),
        st.container(key="compare-box", horizontal=True, vertical_alignment="bottom", gap="small"),
    ):
        st.text_input("Question", key=QUESTION, placeholder="Why is the sky blue?", persist_state="session", label_visibility="collapsed")
        st.form_submit_button("Compare", type="primary", on_click=_submit)


def _submit(question: str | None = None) -> None:
    if question is not None:
        st.session_state[QUESTION] = question
    st.session_state[PENDING] = st.session_state[QUESTION]


def _columns() -> dict[str, _Column]:
    slots = {}
    for name, place in zip(NAMES, st.columns(len(NAMES), gap="medium"), strict=True):
        with place:
            slots[name] = _Column(st.empty(), st.empty(), st.empty())
    return slots


def _compare(pipeline: Pipeline, question: str, settings: Settings, head: Any, overlap: Any, columns: dict[str, _Column]) -> Comparison:
    try:
        # all three lists first, in no time; then the answers, one after the other
        chosen = {name: settings.with_options(retriever=name) for name in NAMES}
        lists = {name: [Source(hit) for hit in pipeline.retrieve(question, chosen[name])] for name in NAMES}
        ranks = ranks_of(lists)
        head.html(question_html(question))
        overlap.html(overlap_html(ranks))
        for name, column in columns.items():
            column.steps.html(column_head_html(name))
            column.passages.html(column_html(name, lists[name], ranks))
        answers = {}
        for name, column in columns.items():
            answers[name] = follow(pipeline, question, chosen[name], _Below(column.steps, column_head_html(name)), column.answer)
            column.answer.html(answer_html(answers[name], name))
        outcome: dict[str, Answer] | Problem = answers
    except Exception as error:
        outcome = explain(error)
    result = Comparison(question, settings, outcome)
    _show(result, head, overlap, columns)
    return result


@dataclass(frozen=True)
class _Below:
    """A slot that keeps a head above what is drawn."""

    slot: Any
    head: str

    def html(self, body: str) -> None:
        self.slot.html(self.head + body)


def _show(result: Comparison, head: Any, overlap: Any, columns: dict[str, _Column]) -> None:
    if isinstance(result.outcome, Problem):
        head.html(result.outcome.html())
        overlap.empty()
        for column in columns.values():
            for slot in (column.steps, column.answer, column.passages):
                slot.empty()
        return
    answers = result.outcome
    ranks = ranks_of({name: answer.sources for name, answer in answers.items()})
    head.html(question_html(next(iter(answers.values())).question))
    overlap.html(overlap_html(ranks))
    for name, column in columns.items():
        answer = answers[name]
        column.steps.html(column_head_html(name) + steps_html(answer.timings))
        column.answer.html(answer_html(answer, name))
        read = result.settings.generator != "extract"
        column.passages.html(column_html(name, answer.sources, ranks, answer.sentences, reading_known=read))
