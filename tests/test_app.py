"""The page with the real pipeline, without a browser."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from lfqa.settings import Settings
from lfqa.types import Answer
from lfqa.ui import examples, resources, sidebar

ROOT = Path(__file__).resolve().parent.parent
QUESTION = "Why do we get a fever when we are sick?"
PATIENCE = 120


@pytest.fixture(scope="module", autouse=True)
def _extract() -> Iterator[None]:
    """Start with the writer that needs no model; the answers of BART are tested where BART is."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LFQA_GENERATOR", "extract")
        st.cache_resource.clear()
        yield
        st.cache_resource.clear()


@pytest.fixture
def other_engine(monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    """Load the engine anew in this test, with the environment the test sets, and forget it afterwards."""
    st.cache_resource.clear()
    yield monkeypatch
    st.cache_resource.clear()


def _visit() -> AppTest:
    at = AppTest.from_file(str(ROOT / "app.py"), default_timeout=PATIENCE).run()
    assert not at.exception
    return at


def _compare_page() -> None:
    from lfqa.ui import compare

    compare.page()


def _ask(at: AppTest, question: str, page: str = "ask") -> AppTest:
    at.text_input(key=f"{page}_question").input(question)
    button = next(b for b in at.button if b.label == page.capitalize())
    button.click().run()
    assert not at.exception
    return at


def _html(at: AppTest) -> str:
    return "\n".join(element.value for element in at.html if not element.value.startswith("<style>"))


def _answer(at: AppTest) -> Answer:
    outcome = at.session_state["ask_result"].outcome
    assert isinstance(outcome, Answer)
    return outcome


def test_the_first_sight_says_what_this_is_and_offers_examples() -> None:
    at = _visit()
    page = _html(at)
    assert "Ask a question and read a paragraph" in page
    assert "lfqa-answer" not in page and "lfqa-passages" not in page
    there = json.loads((ROOT / "assets" / "examples.json").read_text(encoding="utf-8"))
    assert len([b for b in at.button if (b.key or "").startswith("example_")]) == len(there) == 14


def test_a_question_gets_steps_a_cited_answer_and_passages() -> None:
    at = _ask(_visit(), QUESTION)
    page, answer = _html(at), _answer(at)
    assert not answer.abstained and answer.sentences
    for step in ("Retrieve", "Read", "Write", "Cite", "Total"):
        assert re.search(rf"<span>{step}</span> <b>\d+\.\d\d s</b>", page)
    assert page.count("popovertarget=") >= 2 and "<mark>" in page
    assert page.count('class="lfqa-passage"') == len(answer.sources) == 6
    assert "Hybrid · 6 passages · Extract · 3 sentences" in page


def test_an_answer_survives_what_happens_around_it_and_says_when_settings_changed() -> None:
    at = _ask(_visit(), QUESTION)
    first = _answer(at)
    at.segmented_control(key="set_retriever").set_value("sparse").run()
    assert _answer(at) is first
    assert "retriever Hybrid → BM25" in _html(at)
    at.button(key="ask_again").click().run()
    assert _answer(at) is not first and _answer(at).settings["retriever"] == "sparse"
    assert "Answered with other settings" not in _html(at)


def test_an_example_is_asked_with_one_click() -> None:
    at = _visit()
    at.button(key="example_1").click().run()
    assert not at.exception
    assert _answer(at).question == "How do people make chocolate?"
    assert at.text_input(key="ask_question").value == "How do people make chocolate?"


def test_the_next_example_follows_the_one_asked_and_after_the_last_comes_the_first() -> None:
    there = examples.examples()
    assert examples.following(there[3]) == there[4]
    assert examples.following(there[-1]) == examples.following("Who knows?") == there[0]
    at = _visit()
    assert not [b for b in at.button if b.key == "next_example"]
    at.button(key="example_1").click().run()
    at.button(key="next_example").click().run()
    assert not at.exception
    assert _answer(at).question == at.text_input(key="ask_question").value == there[2]


def test_what_was_asked_can_be_compared_with_one_click() -> None:
    at = _ask(_visit(), QUESTION)
    assert any(b.key == "ask_compare" for b in at.button)
    at = AppTest.from_function(_compare_page, default_timeout=PATIENCE)
    at.session_state["ask_compare_now"] = QUESTION
    at.run()
    assert not at.exception and at.text_input(key="compare_question").value == QUESTION
    assert {answer.question for answer in at.session_state["compare_result"].outcome.values()} == {QUESTION}
    assert "ask_compare_now" not in at.session_state
    at.button(key="next_example").click().run()
    assert not at.exception and at.session_state["compare_result"].question == examples.following(QUESTION)


@pytest.mark.parametrize(
    ("question", "says"),
    [
        ("", "There is no question"),
        ("   ", "There is no question"),
        ("x" * 20_000, "20,000 characters"),
        ("Warum ist der Himmel am Tag blau und am Abend rot?", "German"),
        ("<b>Why</b> is the sky blue?", "HTML"),
        ("Why \x00 is the sky blue?", "binary"),
    ],
)
def test_what_can_not_be_asked_is_explained(question: str, says: str) -> None:
    at = _ask(_visit(), question)
    page = _html(at)
    assert 'role="alert"' in page and says in page
    assert "Traceback" not in page and "lfqa-passages" not in page
    _ask(at, QUESTION)
    assert "lfqa-problem" not in _html(at), "the next question is answered as if nothing had been"


def test_markup_in_a_question_is_shown_as_it_was_typed() -> None:
    at = _ask(_visit(), "Why is $x^2$ **bold** and a & b < c in [mathematics](of the)?")
    assert "Why is $x^2$ **bold** and a &amp; b &lt; c in [mathematics](of the)?" in _html(at)


def test_two_visitors_do_not_see_each_others_settings() -> None:
    one, other = _visit(), _visit()
    one.slider(key="set_k").set_value(2)
    one.segmented_control(key="set_retriever").set_value("dense").run()
    other.run()
    assert other.slider(key="set_k").value == 6
    _ask(one, QUESTION)
    other.run()
    assert not other.text_input(key="ask_question").value and "lfqa-answer" not in _html(other)
    _ask(other, QUESTION)
    assert (len(_answer(one).sources), _answer(one).settings["retriever"]) == (2, "dense")
    assert (len(_answer(other).sources), _answer(other).settings["retriever"]) == (6, "hybrid")


def test_nothing_of_a_visit_stays_in_what_visitors_share() -> None:
    at = _visit()
    at.slider(key="set_k").set_value(3).run()
    _ask(at, QUESTION)
    engine = resources._engine()
    assert engine.pipeline is not None and engine.pipeline.settings.k == 6
    assert engine.settings is not None and engine.settings.k == 6


HOSTILE_QUESTION = "Why do we get a <b>fever</b> when we are $sick$ & **ill**?"


def test_the_closest_answered_question_is_folded_below_the_answer(
    other_engine: pytest.MonkeyPatch, small_corpus: Path, tmp_path: Path
) -> None:
    (tmp_path / "passages.jsonl").write_bytes(small_corpus.read_bytes())
    records = [
        {"question": QUESTION, "answer": "Kept back.", "split": "test"},
        {
            "question": HOSTILE_QUESTION,
            "answer": "</p><img src=x onerror=alert(1)><script>alert(1)</script> [a](javascript:b).",
            "split": "train",
        },
    ]
    (tmp_path / "questions.jsonl").write_text("\n".join(map(json.dumps, records)), encoding="utf-8")
    other_engine.setenv("LFQA_CORPUS", str(tmp_path / "passages.jsonl"))
    at = _ask(_visit(), QUESTION)
    page = _html(at)
    near = at.session_state["ask_result"].nearest
    assert '<details class="lfqa-nearest"><summary><span>Closest question we have a written answer to</span>' in page
    assert page.index("lfqa-answer") < page.index("lfqa-nearest") < page.index("lfqa-passages")
    assert f"similarity {near.similarity:.2f}" in page and near.similarity > 0.7 and "lfqa-far" not in page
    assert "Kept back." not in page and "<img" not in page and "<script" not in page
    assert "Why do we get a &lt;b&gt;fever&lt;/b&gt; when we are $sick$ &amp; **ill**?" in page
    page = _html(_ask(at, "How do people make chocolate?"))
    assert re.search(r"lfqa-far\">similarity -?0\.\d\d, low<", page) and "probably about something else" in page
    page = _html(_ask(at, ""))
    assert "lfqa-nearest" not in page


def test_a_corpus_without_answered_questions_says_nothing_and_a_broken_file_costs_no_answer(
    other_engine: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    at = _ask(_visit(), QUESTION)
    assert "lfqa-nearest" not in _html(at) and at.session_state["ask_result"].nearest is None
    st.cache_resource.clear()
    (tmp_path / "broken.jsonl").write_bytes(b"\xff")
    other_engine.setenv("LFQA_QUESTIONS", str(tmp_path / "broken.jsonl"))
    at = _ask(_visit(), QUESTION)
    assert "lfqa-nearest" not in _html(at) and not _answer(at).abstained


def test_compare_shows_three_lists_with_answers_and_overlap() -> None:
    at = AppTest.from_function(_compare_page, default_timeout=PATIENCE).run()
    assert not at.exception and "three ways to find passages" in _html(at)
    _ask(at, "What's the difference between viruses and bacteria?", "compare")
    page = _html(at)
    assert page.count('<section class="lfqa-answer"') == 3
    assert page.count('class="lfqa-passage"') == 18
    assert "In all three lists" in page and "Rank in the other lists" in page
    assert set(at.session_state["compare_result"].outcome) == {"dense", "sparse", "hybrid"}
    _ask(at, "", "compare")
    assert "There is no question" in _html(at) and "lfqa-passage" not in _html(at)


def test_abstention_is_an_answer(other_engine: pytest.MonkeyPatch) -> None:
    other_engine.setenv("LFQA_ANSWERABLE_THRESHOLD", "1")
    at = _ask(_visit(), QUESTION)
    page = _html(at)
    assert _answer(at).abstained and "<h3>No answer</h3>" in page
    assert page.count('class="lfqa-passage"') == 6


def test_without_bart_the_page_starts_with_extracts_and_says_so(other_engine: pytest.MonkeyPatch, tmp_path: Path) -> None:
    other_engine.setenv("LFQA_GENERATOR", "bart")
    other_engine.setenv("LFQA_GENERATOR_MODEL", str(tmp_path / "nothing"))
    at = _visit()
    assert "BART is not installed" in _html(at) and at.segmented_control(key="set_writer").value == "extract"
    at.segmented_control(key="set_writer").set_value("bart").run()
    page = _html(_ask(at, QUESTION))
    assert "A model is missing" in page and "choose Extract" in page


def test_a_page_that_can_not_load_says_why_and_offers_another_try(other_engine: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with other_engine.context() as patch:
        patch.setenv("LFQA_RETRIEVER_MODEL", str(tmp_path / "nothing"))
        at = AppTest.from_file(str(ROOT / "app.py"), default_timeout=PATIENCE).run()
        assert "A model is missing" in _html(at) and not at.text_input
    next(b for b in at.button if b.label == "Try again").click().run()
    assert at.text_input(key="ask_question") and "lfqa-problem" not in _html(at)


def test_a_question_that_a_click_interrupted_is_taken_up_again() -> None:
    at = _visit()
    at.session_state["ask_pending"] = QUESTION
    at.run()
    assert _answer(at).question == QUESTION and "ask_pending" not in at.session_state


def test_loading_says_what_it_does_and_how_far_it_is() -> None:
    _visit()
    engine = resources._engine()
    engine._tell("embed", 512, 1024)
    assert engine.progress == ("Embedding the passages (512 of 1,024)", 0.5)
    engine._tell("write", 0, 0)
    assert engine.progress == ("Writing the index", 0.0)


def test_what_nobody_foresaw_is_not_shown_as_a_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    at = _visit()

    def fail(*_: object) -> Iterator[object]:
        raise RuntimeError("secret inner detail")
        yield

    monkeypatch.setattr(resources._engine().pipeline, "stream", fail)
    page = _html(_ask(at, QUESTION))
    assert "Something went wrong here" in page and "secret" not in page


def test_differences_name_only_what_matters() -> None:
    base = Settings(generator="bart")
    assert sidebar.differences(base, base) == []
    assert sidebar.differences(base, base.with_options(temperature=1.5, seed=3)) == []
    assert sidebar.differences(base, base.with_options(generator="extract", beams=2)) == ["writer BART → Extract"]
    sampled = base.with_options(decoding="sample")
    assert sidebar.differences(sampled, sampled.with_options(seed=3)) == ["seed 0 → 3"]
    assert sidebar.differences(base, base.with_options(max_answer_tokens=64)) == ["longest answer 128 → 64"]
