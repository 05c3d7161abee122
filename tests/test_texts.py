"""Running text from a data folder: detokenising, cleaning, what is held out."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lfqa.training.texts import HELD_OUT_DOMAIN, clean, detokenise, has_traces, held_out, passages, read_records, sections
from tests.training_helpers import title_that_is, write_data


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_data(tmp_path_factory.mktemp("data"))


@pytest.mark.parametrize(
    ("tokenised", "text"),
    [
        ("Australia 's climate is hot , and dry .", "Australia's climate is hot, and dry."),
        ("`` Love the One You 're With '' is a song .", '"Love the One You\'re With" is a song.'),
        ("Stills ' fellow members could n't sing ; he did .", "Stills' fellow members couldn't sing; he did."),
        ("The south - east ( 1963 ) was wet .", "The south-east (1963) was wet."),
        ("The tax -LRB- VAT -RRB- is 20 % .", "The tax (VAT) is 20%."),
        ("It cost $ 5 , or € 4 !", "It cost $5, or €4!"),
        ("Seasons -- thought to be long -- last .", "Seasons – thought to be long – last."),
        ("Is it ? I 'm sure we 'll see what they 've got : gold", "Is it? I'm sure we'll see what they've got: gold"),
        ("already fine, isn't it?", "already fine, isn't it?"),
    ],
)
def test_treebank_text_is_put_back(tokenised: str, text: str) -> None:
    assert detokenise(tokenised) == text
    assert detokenise(text) == text


@given(st.text(max_size=120))
def test_detokenised_and_cleaned_text_has_single_spaces_and_none_around(text: str) -> None:
    for function in (detokenise, clean):
        found = function(text)
        assert found == " ".join(found.split())


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        ("Names include zilch (UK; ) and zip.", "Names include zilch (UK; ) and zip."),
        ("A naught (; , ) and an o ().", "A naught and an o."),
        ("Flights.[3] It flew[4] on.", "Flights. It flew on."),
        ("It ended.Then it began.", "It ended. Then it began."),
        ("So it is.:12–14 Next {{cite}} one", "So it is. Next one"),
        ("the U.S.A. and e.g. this", "the U.S.A. and e.g. this"),
    ],
)
def test_left_over_markup_is_cleaned(raw: str, text: str) -> None:
    assert clean(raw) == text


@pytest.mark.parametrize(
    "text", ["See Figure 3.2.", "as we saw before", "in this chapter", "Click here", "the following table", "OpenStax books"]
)
def test_traces_of_a_book_are_seen(text: str) -> None:
    assert has_traces(text)
    assert not has_traces("Figures of the king were carved on chapters and tables alike.")


def test_about_four_in_a_hundred_titles_are_held_out_whatever_their_case_and_spaces() -> None:
    share = sum(held_out(f"title {n}") for n in range(5000)) / 5000
    assert 0.03 < share < 0.05
    title = title_that_is(True, "Moon")
    assert held_out(f"  {title.upper()} ")
    assert not any(held_out(f"title {n}", percent=0) for n in range(100))


def test_sections_of_every_source_come_with_heading_and_clean_text(data: Path) -> None:
    found = list(sections(data))
    assert {s["source"] for s in found} == {"openstax", "wikipedia_vital", "simplewiki", "medquad", "lfrqa"}
    assert {s["section"] for s in found if s["source"] == "simplewiki"} == {"", "History"}
    assert {s["section"] for s in found if s["source"] == "wikipedia_vital"} == {"", "Origin"}
    texts = " ".join(s["text"] for s in found)
    assert "hidden" not in texts, "references and links are not prose"
    assert "Figure" not in texts
    assert all(s["section"] != HELD_OUT_DOMAIN for s in found)


def test_no_passage_has_a_held_out_title_or_comes_from_the_held_out_domain(data: Path) -> None:
    found = list(passages(data))
    assert len(found) > 20
    assert all(not held_out(p["title"]) for p in found if p["title"])
    assert not any("secret" in p["text"] for p in found)
    assert not any(HELD_OUT_DOMAIN in p["text"] or p["section"] == HELD_OUT_DOMAIN for p in found)
    assert all(len(p["text"].split()) >= 25 for p in found)
    whole = {(s["title"], s["section"]): [] for s in sections(data)}
    for section in sections(data):
        whole[section["title"], section["section"]].append(section["text"])
    assert all(any(p["text"] in text for text in whole[p["title"], p["section"]]) for p in found)


def test_a_missing_file_is_named_and_a_broken_line_too(tmp_path: Path) -> None:
    import gzip

    with pytest.raises(FileNotFoundError, match=r"dolly\.jsonl\.gz is missing"):
        next(read_records(tmp_path, "dolly"))
    with gzip.open(tmp_path / "dolly.jsonl.gz", "wt") as lines:
        lines.write('{"a": 1}\n\n{"a":\n')
    with pytest.raises(ValueError, match="line 3: not JSON"):
        list(read_records(tmp_path, "dolly"))
