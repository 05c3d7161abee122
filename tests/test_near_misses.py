"""Made near misses: each changes a sentence in its own way, or gives nothing."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lfqa.training.near_misses import (
    BROKEN,
    WRONG_FACTS,
    Maker,
    cut,
    denied,
    opposite,
    spliced,
    stuttered,
    swapped,
    word_pool,
    wrong_name,
    wrong_number,
)
from tests.helpers import prose

SAID = "In 1986 the miners of Wales kept 40 canaries below the ground, because the birds collapse sooner than people do in bad air."
POOL = word_pool(["The tunnels of Belgium took 75 parrots and their handlers above 300 metres.", "Old lamps were brighter than new ones."])


@given(prose, prose, st.sampled_from(WRONG_FACTS + BROKEN), st.integers(0, 99))
def test_a_slip_changes_the_sentence_or_there_is_none(text: str, other: str, maker: Maker, seed: int) -> None:
    made = maker(text, word_pool([other]), random.Random(seed))
    assert made is None or made != text
    assert made == maker(text, word_pool([other]), random.Random(seed)), "a seed says which"


@pytest.mark.parametrize(
    ("maker", "text", "wanted"),
    [
        (denied, "Cold does not kill germs.", "Cold kill germs."),
        (denied, "Germs can be killed.", "Germs can not be killed."),
        (denied, "Germs die.", None),
        (opposite, "Above it lies ice.", "Below it lies ice."),
        (wrong_name, "no name in it", None),
        (wrong_number, "no number in it", None),
        (stuttered, "Too short.", None),
        (cut, "Too short to cut.", None),
    ],
)
def test_what_each_does(maker: Maker, text: str, wanted: str | None) -> None:
    assert maker(text, POOL, random.Random(0)) == wanted


def test_numbers_names_and_places_change_and_the_rest_stays() -> None:
    for seed in range(20):
        rng = random.Random(seed)
        assert sum(a != b for a, b in zip(SAID.split(), str(wrong_number(SAID, POOL, rng)).split(), strict=True)) == 1
        assert str(wrong_name(SAID, POOL, rng)) == SAID.replace("Wales", "Belgium")
        kept = [said.translate({ord(","): None, ord("."): None}) for said in (SAID, str(swapped(SAID, POOL, rng) or SAID))]
        assert sorted(kept[0].split()) == sorted(kept[1].split())


def test_a_stutter_repeats_a_cut_shortens_and_a_splice_joins() -> None:
    rng = random.Random(1)
    assert len(str(stuttered(SAID, POOL, rng)).split()) > len(SAID.split()) > len(str(cut(SAID, POOL, rng)).split())
    other = "Glaciers grind the rock beneath them with the stones that they carry along."
    joined = str(spliced(SAID, other, rng))
    assert joined.split()[:3] == SAID.split()[:3] and joined.split()[-3:] == other.split()[-3:]
