"""Question-answer-passage records and the prompts that are drawn from them."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lfqa.generation.prompt import NO_ANSWER, RANK_MARKS
from lfqa.sentences import split_sentences
from lfqa.training import grounded
from lfqa.training.prepare import word_scorer
from lfqa.training.texts import HELD_OUT_DOMAIN, held_out
from tests.helpers import ASSETS
from tests.training_helpers import prose, write_data

seeds = st.integers(0, 10_000)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_data(tmp_path_factory.mktemp("data"))


def passage(title: str, text: str) -> dict[str, str]:
    return {"title": title, "section": "", "text": text}


def count(text: str) -> int:
    return len(text.split())


RECORD = {
    "source": "nq",
    "question": "How does the tide keep people warm?",
    "answer": prose("tide", 2),
    "passages": [
        passage("Tide", prose("tide", 6)),
        passage("tide", prose("neap tide", 4)),  # not gold, and of the gold passage's title
        passage("Bread", prose("bread", 6)),
        passage("Wolf", prose("wolf", 6)),
        passage("Glacier", prose("glacier", 6)),
    ],
    "gold": [0],
}


@given(seeds, st.integers(40, 300))
def test_a_prompt_keeps_its_budget_and_is_made_of_the_passages(seed: int, budget: int) -> None:
    prompt, target = grounded.training_prompt(RECORD, random.Random(seed), count, budget)
    assert count(prompt) <= budget
    assert prompt.startswith(f"question: {RECORD['question']} context:")
    assert target in (RECORD["answer"], NO_ANSWER)
    sentences = {s for p in RECORD["passages"] for s in split_sentences(p["text"])}
    for part in prompt.split("<P> ")[1:]:
        title, body = part.strip().split(": ", 1)
        assert title in {p["title"] for p in RECORD["passages"]}
        assert all(s in sentences for s in split_sentences(re.sub(r"<[1-4]> ", "", body)))
    assert [mark for mark in RANK_MARKS if mark in prompt] == list(RANK_MARKS[: len(re.findall(r"<[1-4]>", prompt))])


@given(seeds)
def test_without_an_answer_nothing_of_the_gold_passages_or_their_title_is_read(seed: int) -> None:
    prompt, target = grounded.training_prompt(RECORD, random.Random(seed), count, 300, unanswerable=1.0)
    assert target == NO_ANSWER
    assert "<P>" in prompt
    assert "tide of kind" not in prompt
    assert "Tide:" not in prompt


def test_a_record_with_fewer_than_two_foreign_passages_always_keeps_its_answer() -> None:
    record = {**RECORD, "passages": RECORD["passages"][:3]}
    targets = {grounded.training_prompt(record, random.Random(n), count, 200, unanswerable=1.0)[1] for n in range(50)}
    assert targets == {RECORD["answer"]}


def test_the_share_without_an_answer_is_the_one_asked_for() -> None:
    draws = [grounded.training_prompt(RECORD, random.Random(n), count, 200, unanswerable=0.3)[1] for n in range(400)]
    assert 0.22 < draws.count(NO_ANSWER) / 400 < 0.38
    assert all(grounded.training_prompt(RECORD, random.Random(n), count, 200, unanswerable=0)[1] != NO_ANSWER for n in range(100))


def test_the_sentences_that_the_answer_needs_are_nearly_always_read() -> None:
    needed = split_sentences(RECORD["answer"])
    prompts = [grounded.training_prompt(RECORD, random.Random(n), count, 160, unanswerable=0)[0] for n in range(300)]
    assert sum(s in p for p in prompts for s in needed) > 0.95 * len(needed) * len(prompts)
    assert any(s not in p for p in prompts for s in split_sentences(RECORD["passages"][0]["text"])), "not everything fits"


def test_gold_passages_often_come_first_but_not_always() -> None:
    first = [grounded.training_prompt(RECORD, random.Random(n), count, 300, unanswerable=0)[0].split("<P> ")[1] for n in range(300)]
    assert 0.6 < sum(part.startswith("Tide: ") for part in first) / 300 < 0.95


def test_a_question_that_leaves_no_room_is_refused() -> None:
    with pytest.raises(ValueError, match="shorten it"):
        grounded.training_prompt({**RECORD, "question": "why " * 50}, random.Random(0), count, 40)


@pytest.mark.parametrize(
    ("sentence", "tidied"),
    [
        ("However, the tide (a slow wave) rises.", "The tide rises."),
        ("- salt is needed.", "Salt is needed."),
        ("For example, wolves (Canis lupus) howl.", "Wolves howl."),
        ("Howeverland is a place.", "Howeverland is a place."),
    ],
)
def test_a_sentence_is_tidied(sentence: str, tidied: str) -> None:
    assert grounded.tidy(sentence) == tidied


@given(st.permutations(range(5)), st.integers(1, 4), st.integers(5, 90))
def test_the_closest_sentences_keep_their_order_and_their_bounds(order: Sequence[int], most: int, words: int) -> None:
    text = prose("tide", 5)
    sentences = split_sentences(text)
    chosen = grounded.closest_sentences("q", text, lambda _, found: [float(order[n]) for n in range(len(found))], most, words)
    positions = [sentences.index(s) for s in chosen]
    assert positions == sorted(positions)
    assert len(chosen) <= most
    assert sum(len(s.split()) for s in chosen) <= words
    best = max(range(5), key=lambda n: order[n])
    assert best in positions or len(sentences[best].split()) > words


def test_traces_and_scraps_are_never_closest_sentences() -> None:
    text = "Too short. See Figure 3.2 for all of the things. The tide rises twice a day."
    assert grounded.closest_sentences("q", text, lambda _, s: [1.0] * len(s), 3) == ["The tide rises twice a day."]
    assert grounded.closest_sentences("q", "Too short.", lambda _, s: [1.0] * len(s), 3) == []


def check(records: list[dict[str, Any]], source: str) -> None:
    """Assert the shape of records, and that every target's sentences are among the passages'."""
    assert records
    for record in records:
        assert list(record) == ["source", "question", "answer", "passages", "gold"]
        assert record["source"] == source
        assert record["question"].endswith("?")
        assert record["gold"] == list(range(len(record["passages"])))
        assert all(isinstance(p[key], str) for p in record["passages"] for key in ("title", "section", "text"))
        held = {grounded.tidy(s) for p in record["passages"] for s in split_sentences(p["text"])}
        assert set(split_sentences(record["answer"])) <= held


def found(texts: list[dict[str, str]]) -> grounded.Searcher:
    return lambda question, k: texts[:k]


def test_search_questions_have_sentences_of_their_paragraph_and_no_held_out_page(data: Path) -> None:
    test = {"why is the mountain bread so useful in winter"}
    records = list(grounded.natural_questions(data, word_scorer, test))
    check([r for r in records if r["source"] == "nq"], "nq")
    check([r for r in records if r["source"] == "clapnq"], "clapnq")
    assert len(records) == 19
    assert not {r["question"].rstrip("?") for r in records} & test
    assert not any("concealed" in r["answer"] for r in records)
    assert not any(" ." in r["answer"] or " ," in r["answer"] for r in records)


def test_forum_answers_leave_the_held_out_domain_out(data: Path) -> None:
    records = list(grounded.forum_answers(data))
    check(records, "lfrqa")
    assert len(records) == 10
    assert HELD_OUT_DOMAIN not in json.dumps(records)


def test_medical_questions_are_limited_and_take_records_without_a_subject(data: Path) -> None:
    records = list(grounded.medical_questions(data, word_scorer, 100))
    check(records, "medquad")
    assert len(records) == 8
    assert any(r["passages"][0]["title"] == "" for r in records)
    assert not any(held_out(r["passages"][0]["title"]) for r in records if r["passages"][0]["title"])
    assert records[0]["question"].startswith("What is ") and "(" not in records[0]["question"].replace("( are )", "")
    assert list(grounded.medical_questions(data, word_scorer, 3)) == records[:3]


def test_instructions_need_a_text_that_holds_the_response(data: Path) -> None:
    records = list(grounded.instructions(data))
    check(records, "dolly")
    assert len(records) == 10
    assert not any("Bananas" in r["answer"] or "Roses" in r["answer"] for r in records)


def test_exercises_need_passages_that_hold_the_answer(data: Path) -> None:
    records = list(grounded.exercises(data, found([passage("Bread", prose("book bread"))])))
    check(records, "exercises")
    assert [r["question"] for r in records] == ["What keeps the people warm?"]
    assert list(grounded.exercises(data, found([passage("Wolf", "Wolves howl at the moon.")]))) == []
    assert list(grounded.exercises(data, found([]))) == []


def test_the_glossary_defines_its_term_and_shows_it_in_use(data: Path) -> None:
    texts = [passage("Book", f"A {s} was there. People liked the {s} very much.") for s in ("bread", "river", "wolf")]
    records = list(grounded.glossary(data, found(texts), 100))
    check(records, "glossary")
    assert {r["passages"][0]["section"] for r in records} == {"bread", "river", "wolf"}
    assert all(r["passages"][0]["text"].lower().startswith(("a ", "an ")) for r in records)
    assert all(r["passages"][0]["section"] in r["question"] for r in records)
    assert not any(held_out(r["passages"][0]["title"]) for r in records)
    assert list(grounded.glossary(data, found(texts), 2)) == records[:2]


def test_encyclopedia_questions_ask_for_title_and_section() -> None:
    texts = [
        {"source": source, "section": "", **passage(f"Tide {source}", prose("tide"))} for source in ("openstax", "simplewiki", "lfrqa")
    ]
    texts.append({"source": "openstax", **passage("Trace", prose("tide") + " See Figure 3.")})
    records = list(grounded.encyclopedia(texts, word_scorer, 10))
    check(records, "encyclopedia")
    assert {r["passages"][0]["title"] for r in records} == {"Tide openstax", "Tide simplewiki"}
    assert all("Tide" in r["question"] for r in records)


def lines(name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (ASSETS / "corpus" / name).read_text(encoding="utf-8").splitlines()]


def test_own_questions_are_those_of_the_split_and_no_others() -> None:
    passages, asked = lines("passages.jsonl"), lines("questions.jsonl")
    by_split = {split: [r["question"] for r in grounded.own_questions(passages, asked, split)] for split in ("train", "validation", "test")}
    assert by_split == {split: [q["question"] for q in asked if q["split"] == split] for split in by_split}
    assert all(by_split.values())
    assert not set(by_split["train"]) & set(by_split["test"])
    assert not set(by_split["train"]) & set(by_split["validation"])
    texts = {p["passage_text"] for p in passages}
    assert all(p["text"] in texts for r in grounded.own_questions(passages, asked, "train") for p in r["passages"])


def test_a_question_about_a_passage_that_is_not_there_is_an_error() -> None:
    asked = [{"question": "Why?", "answer": "So.", "passage_ids": ["nowhere-1"], "split": "train"}]
    with pytest.raises(ValueError, match="'nowhere-1' is missing"):
        list(grounded.own_questions([], asked, "train"))


def test_distractors_come_after_the_gold_passages_and_repeat_none() -> None:
    record = {**RECORD, "passages": RECORD["passages"][:1]}
    extra = [{**p, "source": "x"} for p in RECORD["passages"]]
    whole = grounded.with_distractors(record, found(extra), 2)
    assert [p["title"] for p in whole["passages"]] == ["Tide", "tide", "Bread"]
    assert whole["gold"] == [0]
    assert all(set(p) == {"title", "section", "text"} for p in whole["passages"])
    assert len(record["passages"]) == 1, "the record itself is not changed"


def test_a_quoted_answer_is_made_of_the_sentences_that_the_answer_was_written_from() -> None:
    body = "Tides are raised by the Moon. The Sun adds a weaker tide. However, wind can raise the water too (a surge). Boats wait."
    passages = [{"title": "Tides", "section": "", "text": body}, {"title": "Bread", "section": "", "text": "The Moon raises no bread."}]
    answer = "The Moon raises tides. Wind can raise water as well. The Moon is what raises the tides."
    record = {"source": "own", "question": "Why are there tides?", "answer": answer, "passages": passages, "gold": [0]}
    assert grounded.quoted(record)["answer"] == "Tides are raised by the Moon. Wind can raise the water too."
    assert grounded.quoted(record)["passages"] == passages
    assert record["answer"] == answer


def test_an_answer_that_can_not_be_quoted_stays() -> None:
    passages = [{"title": "Tides", "section": "", "text": "Tides are raised by the Moon."}]
    record = {"source": "own", "question": "Why?", "answer": "Nobody knows. Chocolate is sweet.", "passages": passages, "gold": [0]}
    assert grounded.quoted(record) is record
