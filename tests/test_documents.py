"""Documents into passages: where they are cut, what they are called, where they point."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from lfqa.corpus.documents import Block, Document, extracted, paragraphs, passages_of, plain_block
from lfqa.corpus.formats.plain import read_plain
from tests.helpers import texts

SENTENCE = "The tide rises twice a day because the Moon pulls at the sea."


def words(text: str) -> str:
    return " ".join(text.split())


def test_headings_become_sections_and_nothing_is_cut_across_them() -> None:
    pieces = [("Tides", 1), (SENTENCE, 0), ("Causes", 2), (SENTENCE, 0), (SENTENCE, 0), ("Empty", 2), ("Effects", 3), (SENTENCE, 0)]
    found = list(passages_of(extracted("Tides", pieces), "sea.html"))
    assert [(p.section_title, p.passage_text.count("tide")) for p in found] == [("", 1), ("Causes", 2), ("Effects", 1)]
    assert [p.passage_id for p in found] == ["sea.html#1", "sea.html#2", "sea.html#3"]
    assert {p.article_title for p in found} == {"Tides"} and {p.source for p in found} == {"sea.html"}


def test_passages_have_about_a_hundred_words_and_end_with_sentences() -> None:
    found = list(passages_of(read_plain("\n\n".join([f"{SENTENCE} {SENTENCE}"] * 40), "t"), "t.txt"))
    lengths = [len(p.passage_text.split()) for p in found]
    assert sum(lengths) == 40 * 2 * 13
    assert all(85 <= length <= 115 for length in lengths)
    assert all(p.passage_text.endswith("sea.") for p in found)


@given(st.lists(texts, max_size=6).map("\n\n".join))
def test_the_span_of_a_passage_holds_its_words(text: str) -> None:
    document = read_plain(text, "t")
    found = list(passages_of(document, "t.txt"))
    for passage in found:
        assert passage.start is not None and passage.end is not None
        assert words(document.text[passage.start : passage.end]) == words(passage.passage_text)
    assert words(" ".join(p.passage_text for p in found)) == words(text), "nothing is lost"
    assert [p.start for p in found] == sorted(p.start or 0 for p in found)


@given(texts)
def test_paragraphs_hold_everything_but_white_space(text: str) -> None:
    spans = list(paragraphs(text))
    assert "".join("".join(text[start:end].split()) for start, end in spans) == "".join(text.split())
    for start, end in spans:
        assert text[start:end].strip() == text[start:end] != ""


@given(texts, st.integers(0, 50))
def test_every_letter_of_a_plain_block_knows_its_place(text: str, lead: int) -> None:
    whole = "x" * lead + text
    block = plain_block(whole, lead, len(whole))
    assert block.text == words(text)
    for position, letter in enumerate(block.text):
        place = block.place(position)
        assert place is not None
        assert letter == " " or whole[place] == letter


def test_text_without_sentence_ends_is_cut_all_the_same() -> None:
    [*found] = passages_of(read_plain("word " * 1234, "t"), "t.txt")
    assert {len(p.passage_text.split()) for p in found} <= {102, 103}
    assert sum(len(p.passage_text.split()) for p in found) == 1234


def test_data_among_the_words_is_left_out() -> None:
    text = f"Before it. {'A' * 30_000} After it."
    found = list(passages_of(read_plain(text, "t"), "t.txt"))
    assert words(" ".join(p.passage_text for p in found)) == "Before it. After it."
    assert max(len(p.passage_text) for p in found) < 20_000


def test_pages_are_those_where_a_passage_begins() -> None:
    first, second = SENTENCE, "It falls again as the Earth turns away."
    document = Document(
        "t", (Block(first, 0, ((0, 0),)), Block(second, 0, ((0, len(first) + 1),))), f"{first}\n{second}", (0, len(first) + 1)
    )
    pages = {p.page for p in passages_of(document, "t.pdf")}
    assert pages == {1}, "both fit into one passage"
    blocks = tuple(Block(first, 0, ((0, n * 62),)) for n in range(20))
    long = Document("t", blocks, "\n".join([first] * 20), (0, 620, 620))  # nothing is on the second page
    assert [p.page for p in passages_of(long, "t.pdf")] == [1, 1, 3]


def test_an_address_stands_for_the_source_and_a_name_goes_into_the_id() -> None:
    [found] = passages_of(Document("Sky", (Block(SENTENCE),), name="12", address="https://example.org/sky"), "wiki")
    assert (found.passage_id, found.source, found.start, found.end) == ("wiki:12#1", "https://example.org/sky", None, None)
