"""Filters: what they let pass."""

from __future__ import annotations

from dataclasses import replace

import pytest

from lfqa.retrieval.filters import Filters
from tests.helpers import passage

PEAR = replace(passage(1, "Pears.", "Pear", "Growing"), source="Fruit.md")


@pytest.mark.parametrize(
    ("filters", "passes"),
    [
        (Filters(), True),
        (Filters(articles=("PEAR",)), True),
        (Filters(articles=("Apple", "pear")), True),
        (Filters(articles=("Pea",)), False),
        (Filters(articles=("Pear",), sections=("growing",), sources=("fruit.MD",)), True),
        (Filters(articles=("Pear",), sections=("Eating",)), False),
        (Filters(sources=("Fruit",)), False),
    ],
)
def test_every_field_named_must_have_one_of_its_values(filters: Filters, passes: bool) -> None:
    assert filters.passes(PEAR) is passes
    assert bool(filters) is (filters != Filters())


def test_only_fields_with_values_are_named() -> None:
    assert Filters().by_field() == {}
    assert Filters(articles=("a",), sources=("b", "c")).by_field() == {"article_title": ("a",), "source": ("b", "c")}


def test_a_passage_without_a_source_passes_no_filter_by_source() -> None:
    assert not Filters(sources=("Fruit.md",)).passes(passage(2, "No source."))
