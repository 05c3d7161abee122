"""What an index on a server looks like: documents and their digests, without a server."""

from __future__ import annotations

from dataclasses import fields, replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lfqa.retrieval.elastic import inner_product
from lfqa.retrieval.elastic_index import (
    FORMAT,
    VECTOR,
    ElasticManifest,
    Origin,
    _differences,
    document,
    document_digest,
    document_id,
    manifest_of,
    mapping,
    passage_of,
)
from lfqa.types import Passage
from tests.helpers import FRUIT

passages = st.builds(
    Passage, st.text(min_size=1), st.text(), st.text(), st.text(), st.text(), st.none() | st.integers(1, 9), st.none() | st.integers(0, 9),
    st.none() | st.integers(0, 9),
)  # fmt: skip


@given(st.floats(-1e4, 1e4, width=32))
def test_a_score_turns_back_into_the_inner_product(product: float) -> None:
    score = product + 1 if product >= 0 else 1 / (1 - product)  # as Elasticsearch documents max_inner_product
    assert score > 0
    assert inner_product(score) == pytest.approx(product, rel=1e-6, abs=1e-6)


@given(passages, st.text(), st.text())
def test_a_document_gives_the_passage_back(passage: Passage, root: str, place: str) -> None:
    origin = Origin.of(root, place)
    made = document(passage, origin, np.ones(4, dtype=np.float32))
    assert passage_of(made) == passage
    assert made[VECTOR] == [1.0] * 4 and Origin(made["root"], made["place"]) == origin
    assert 0 <= made["checksum"] < 2**28, "a hundred million of them add up without rounding"
    assert made["checksum"] == document(passage, Origin.of("elsewhere", "other"), np.ones(4, dtype=np.float32))["checksum"]
    assert passage_of({key: value for key, value in made.items() if key != "page"}) == replace(passage, page=None)
    with pytest.raises(TypeError):
        passage_of({key: value for key, value in made.items() if key != "passage_text"})


def test_a_digest_changes_with_every_field_and_with_its_origin() -> None:
    one = Passage("id", "title", "section", "text", "source", 1, 2, 3)
    others = [replace(one, **{field.name: 9 if isinstance(getattr(one, field.name), int) else "other"}) for field in fields(Passage)]
    here, elsewhere, also = Origin.of("root", "file"), Origin.of("root", "another"), Origin.of("other", "file")
    digests = {document_digest(one, origin) for origin in (here, elsewhere, also)} | {document_digest(other, here) for other in others}
    assert len(digests) == 3 + len(others)
    assert document_digest(one, here) == document_digest(replace(one), here)
    assert "file" not in repr(here) and "root" not in (here.root, also.root)


@given(st.text(alphabet=st.characters(exclude_categories=["Cs"]), min_size=1, max_size=600))
def test_an_id_fits_into_what_the_server_takes(passage_id: str) -> None:
    row = document_id(passage_id)
    assert 0 < len(row.encode()) <= 512
    assert row == passage_id or len(passage_id.encode()) > 512


def test_a_mapping_differs_where_ours_is_not_kept_and_nowhere_else() -> None:
    ours = mapping(8)
    assert _differences(ours, mapping(8)) == []
    assert _differences(ours, {**mapping(8), "more": {"type": "text"}}) == []
    assert _differences(ours, mapping(9)) == [f"{VECTOR}.dims"]
    assert _differences(ours, {key: value for key, value in ours.items() if key != "source"}) == ["source"]
    assert _differences({"dynamic": False}, {"dynamic": "false"}) == [], "servers spell it so"


def test_a_manifest_is_ours_only_where_we_wrote_one() -> None:
    manifest = ElasticManifest(FORMAT, "c", "m", len(FRUIT), 4)
    assert manifest_of({"mappings": {"_meta": {"lfqa": vars(manifest)}}}) == vars(manifest)
    for theirs in ({}, {"mappings": {}}, {"mappings": {"_meta": {}}}, {"mappings": {"_meta": {"lfqa": "yes"}}}):
        assert manifest_of(theirs) is None
