"""The baseline that quotes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lfqa.generation.extract import extract_answer
from lfqa.sentences import sentence_spans
from tests.helpers import FRUIT, check_spans, passage, texts


@given(st.lists(texts, max_size=4), st.integers(1, 6), st.randoms(use_true_random=False))
def test_the_answer_is_the_closest_sentences_in_the_order_of_the_passages(bodies: list[str], count: int, chance: object) -> None:
    passages = [passage(n, body) for n, body in enumerate(bodies)]
    scored = [tuple((s, e, chance.random()) for s, e in sentence_spans(p.passage_text)) for p in passages]  # type: ignore[attr-defined]
    answer, spans = extract_answer(passages, scored, count)
    assert len(spans) == len(passages)
    quoted = [p.passage_text[s:e] for p, read in zip(passages, spans, strict=True) for s, e in read]
    assert answer == " ".join(quoted)
    different = {p.passage_text[s:e] for p, bounds in zip(passages, scored, strict=True) for s, e, _ in bounds}
    assert len(quoted) == len(set(quoted)) == min(count, len(different))
    for p, read in zip(passages, spans, strict=True):
        check_spans(read, p.passage_text, longest=1)
    worst = min((score for q, read in zip(scored, spans, strict=True) for s, e, score in q if (s, e) in read), default=1.0)
    left = [score for p, q in zip(passages, scored, strict=True) for s, e, score in q if p.passage_text[s:e] not in quoted]
    assert all(score <= worst for score in left)


def test_a_sentence_that_two_passages_share_is_said_once() -> None:
    twin = passage(9, FRUIT[0].passage_text, "Twin")
    scored = [tuple((s, e, 0.9) for s, e in sentence_spans(p.passage_text)) for p in (FRUIT[0], twin)]
    answer, spans = extract_answer([FRUIT[0], twin], scored, 3)
    assert answer == FRUIT[0].passage_text
    assert spans[1] == ()


def test_nothing_to_quote_and_a_count_that_is_not_positive() -> None:
    assert extract_answer([], [], 3) == ("", [])
    assert extract_answer([FRUIT[0]], [()], 3) == ("", [()])
    with pytest.raises(ValueError, match="at least 1, not 0"):
        extract_answer([], [], 0)
