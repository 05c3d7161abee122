"""The generator's byte-level BPE."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from transformers import AutoTokenizer

from lfqa.training.tokenizer import SPECIAL_TOKENS, train_tokenizer
from tests.training_helpers import SUBJECTS, prose

TOKENIZER = train_tokenizer([prose(subject, salt=n) for subject in SUBJECTS for n in range(3)], 500)


def ids(text: str) -> list[int]:
    return TOKENIZER(text)["input_ids"]


@given(st.text(max_size=80).filter(lambda text: not any(token in text for token in SPECIAL_TOKENS)))
@example("Café – “good” 😀👩‍👩‍👧 naïve\tØ\n\n٣ 漢字")
@example("")
@example("  two  spaces  ")
def test_any_text_comes_back(text: str) -> None:
    found = TOKENIZER.decode(ids(text), skip_special_tokens=True)
    assert found == (text if not text or text.startswith(" ") else " " + text)
    assert TOKENIZER.unk_token_id not in ids(text)


@given(st.sampled_from([*SUBJECTS, "The", "Zürich", "xyz", "17"]), st.sampled_from(["the tide", "A,", "😀"]))
def test_a_word_has_the_same_tokens_at_the_start_and_inside(word: str, before: str) -> None:
    alone = ids(word)[:-1]
    assert ids(f"{before} {word}")[-len(alone) - 1 : -1] == alone
    assert ids(f"<P> {word}")[1:-1] == alone or ids(f"<P> {word}")[2:-1] == alone


@given(st.text(max_size=30))
def test_an_encoded_text_ends_in_its_only_end_mark_and_has_no_start_mark(text: str) -> None:
    found = ids(text.replace("<", ""))
    assert found[-1] == TOKENIZER.eos_token_id
    assert found.count(TOKENIZER.eos_token_id) == 1
    assert TOKENIZER.bos_token_id not in found


def test_a_cut_text_still_ends_in_the_end_mark() -> None:
    found = TOKENIZER(prose("tide"), truncation=True, max_length=10)["input_ids"]
    assert len(found) == 10
    assert found[-1] == TOKENIZER.eos_token_id


def test_marks_are_one_token_each_with_the_first_numbers() -> None:
    assert [TOKENIZER.convert_tokens_to_ids(token) for token in SPECIAL_TOKENS] == list(range(10))
    assert ids("a <P> b").count(SPECIAL_TOKENS.index("<P>")) == 1
    assert ids("<P>") == [5, 2]
    assert ids("<mask>") == [4, 2]
    assert ids("<1> a")[0] == 6
    assert ids("<1> a")[1:] == ids("a"), "a marked sentence has the tokens that it has without the mark"


def test_case_is_kept_and_the_vocabulary_is_no_larger_than_asked() -> None:
    assert ids("The") != ids("the")
    assert 10 + 256 < len(TOKENIZER) <= 500


def test_it_is_the_same_after_saving(tmp_path: Path) -> None:
    TOKENIZER.save_pretrained(tmp_path)
    again: Any = AutoTokenizer.from_pretrained(tmp_path)
    text = "question: Why 😀? context: <P> Tide. Use: The tide rises."
    assert again(text)["input_ids"] == ids(text)
    assert set(again(text)) == {"input_ids", "attention_mask"}
    assert (again.bos_token_id, again.pad_token_id, again.eos_token_id, again.mask_token_id) == (0, 1, 2, 4)


@pytest.mark.parametrize("words", [["zebra"] * 9, ["zebra"] * 4])
def test_rare_words_get_no_token_of_their_own(words: list[str]) -> None:
    vocabulary = train_tokenizer(words, 400).get_vocab()
    assert ("Ġzebra" in vocabulary) == (len(words) >= 5)
