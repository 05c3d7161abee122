"""Words, their weights and denials."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lfqa.wording import content, coverage, is_common, opposites, stem, weight, words
from tests.helpers import texts


def keys(text: str) -> list[str]:
    return [word.key for word in words(text) if word.weight]


@given(texts)
def test_weights_and_denials_stay_in_range(text: str) -> None:
    for word in words(text):
        assert 0 <= word.weight <= 1 and word.denied in (0, 1, 2)
        assert word.key and word.key == word.key.lower()


@given(texts, texts)
def test_coverage_is_a_share_and_of_a_text_by_itself_whole(one: str, other: str) -> None:
    a, b = content(one), content(other)
    assert 0 <= coverage(a, b) <= 1
    assert coverage(a, a) in (0.0, 1.0)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("The tide begins.", "The tides started."),
        ("10 per cent", "10%"),
        ("1,000 metres", "1000 meters"),
        ("three days", "3 days"),
        ("an organised colour", "organized colors"),
        ("Dogs’ behaviour", "dogs' behavior"),
    ],
)
def test_other_spellings_and_common_synonyms_share_a_key(one: str, other: str) -> None:
    assert keys(one) == keys(other) != []


def test_a_negation_reaches_three_content_words_and_ends_with_its_clause() -> None:
    def denied(text: str) -> dict[str, int]:
        return {word.key: word.denied for word in words(text) if word.weight}

    assert denied("Cold does not kill many tough germs quickly.") == {"cold": 0, "kill": 2, "tough": 1, "germ": 1, "quick": 0}
    assert denied("Not salt, but sugar.") == {"salt": 2, "sugar": 0}
    assert denied("Salt is not only white.") == {"salt": 0, "white": 0}
    assert denied("Bats can't see.") == {"bat": 0, "see": 2}


def test_names_and_numbers_are_particular_but_not_the_first_word() -> None:
    found = {word.key: word.particular for word in words("Bees in Paris made 41 jars. Honey keeps.")}
    assert (found["pari"], found["41"], found["bee"], found["honey"]) == (True, True, False, False)


def test_rare_words_weigh_more_and_broken_ones_are_not_common() -> None:
    assert 0 < weight(stem("people")) < weight(stem("glacier")) < weight(stem("cyclasts")) == 1
    assert is_common(stem("glaciers")) and not is_common(stem("cyclasts"))


@given(st.sampled_from(sorted(opposites())))
def test_opposites_go_both_ways(key: str) -> None:
    assert all(key in opposites()[other] and other != key for other in opposites()[key])
