"""What may be asked, and what is said about what may not."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lfqa.question import QuestionError, check_question
from tests.helpers import ASSETS, texts

awkward = st.text(st.sampled_from("<>/aé\u0301\u200b\x00\ud800?! ß中я1"), max_size=30)
any_text = st.one_of(texts, st.text(st.characters(), max_size=60), awkward)


@given(any_text)
def test_nothing_but_a_question_error_is_raised_and_what_passes_is_tidy(text: str) -> None:
    try:
        tidy = check_question(text)
    except QuestionError as error:
        assert str(error).endswith((".", "?", '"'))
        return
    assert tidy and tidy == tidy.strip()
    assert "\n" not in tidy and "  " not in tidy
    assert unicodedata.is_normalized("NFC", tidy)
    assert check_question(tidy) == tidy


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "no question"),
        (" \n\t", "no question"),
        ("\u200b\u202e", "no question"),
        ("why " * 5000, "20,000 characters.*1,000"),
        ("What is \x00\x01\x02?", "binary"),
        ("\x7fELF\x02\x01", "binary"),
        (b"\xff\xfe\x00W".decode("utf-8", "replace"), "binary"),
        ("lone \ud800 surrogate", "binary"),
        ("<script>alert(1)</script>", "HTML"),
        ("What is <b>bold</b>?", "HTML"),
        ("<!-- hidden --> why?", "HTML"),
        ("???", "no words"),
        ("12 + 30 = ", "no words"),
        ("😀😀", "no words"),
        ("为什么天空是蓝色的？", "English"),
        ("Почему небо голубое?", "English"),
        ("لماذا السماء زرقاء؟", "English"),
        ("Warum ist der Himmel am Tag eigentlich blau und nicht grün?", "German"),
        ("Pourquoi le ciel est-il bleu pendant la journée et rouge le soir ?", "French"),
        ("¿Por qué el cielo es azul durante el día y rojo por la tarde?", "Spanish"),
    ],
)
def test_what_is_no_question_is_refused_with_a_reason(text: str, words: str) -> None:
    with pytest.raises(QuestionError, match=words):
        check_question(text)


@pytest.mark.parametrize(
    "text",
    [
        "Why is the sky blue?",
        "why sky blue",
        "chocolate",
        "How much is $5 in 1920? $x^2$",
        "Is 3 < 4 and 5 > 2?",
        "What's Schrödinger's cat?",
        "What does C'est la vie mean?",
        "drop table passages; -- what is SQL injection?",
        "What is in ../../etc/passwd?",
    ],
)
def test_odd_but_honest_questions_pass_unchanged(text: str) -> None:
    assert check_question(text) == text


def test_white_space_and_direction_marks_are_tidied_and_accents_composed() -> None:
    assert check_question("  Why\n is\tthe \u202esky\u200b blue? ") == "Why is the sky blue?"
    assert check_question("What is a cafe\u0301?") == "What is a café?"
    assert check_question("What is a cafe\u200b\u0301?") == "What is a café?"


def test_the_limit_is_the_callers() -> None:
    assert check_question("a" * 20, longest=20)
    with pytest.raises(QuestionError, match="21 characters; at most 20"):
        check_question("a" * 21, longest=20)


def test_no_question_of_the_bundled_corpus_is_refused() -> None:
    import json

    for line in (ASSETS / "corpus/questions.jsonl").read_text(encoding="utf-8").splitlines():
        assert check_question(json.loads(line)["question"])
