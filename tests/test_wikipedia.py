"""Articles into sections and passages, without tables and lists of links."""

from __future__ import annotations

from hypothesis import given

from lfqa.corpus.documents import passages_of
from lfqa.corpus.wikipedia import is_wiki40b, read_article, read_wiki40b
from tests.helpers import texts

ARTICLE = """Ada Lovelace (1815–1852) was a writer and mathematician. She was born in London.

She worked with Charles Babbage.

Early life 

She learned mathematics as a child.
 A list item without an end
 Another one

{| class="wikitable"
|-
! Year !! Work
|}

Work on machines
{| a table without a gap |}

 1842
 1843

The Analytical Engine

Note G

She wrote notes about the machine.

List of works

 Notes
 Letters

References

Someone wrote this. It has a sentence.

Other websites

 A page
Category:1815 births
"""


def test_an_article_becomes_sections() -> None:
    found = list(passages_of(read_article(ARTICLE, "Ada Lovelace", "1", "https://x.example/Ada"), "wiki"))
    assert [(p.section_title, p.passage_text) for p in found] == [
        ("", "Ada Lovelace (1815–1852) was a writer and mathematician. She was born in London.\n\nShe worked with Charles Babbage."),
        ("Early life", "She learned mathematics as a child."),
        ("Note G", "She wrote notes about the machine."),
    ]
    assert found[1].source == "https://x.example/Ada"
    assert ARTICLE[found[1].start : found[1].end] == found[1].passage_text


def test_a_section_after_one_of_links_is_read_again() -> None:
    text = "Intro here.\n\nSee also\n\nA link.\n\nHistory\n\nIt began in 1900."
    assert [(b.level, b.text) for b in read_article(text, "T").blocks] == [(0, "Intro here."), (2, "History"), (0, "It began in 1900.")]


WIKI40B = """
_START_ARTICLE_
Ada Lovelace
_START_PARAGRAPH_
Ada was a writer._NEWLINE_She was born in London.
_START_SECTION_
Early life
_START_PARAGRAPH_
She learned mathematics.
_START_SECTION_
References
_START_PARAGRAPH_
Someone wrote this.
"""


def test_wiki40b_marks_are_understood() -> None:
    assert is_wiki40b(WIKI40B) and not is_wiki40b(ARTICLE)
    document = read_wiki40b(WIKI40B, "Q7259")
    assert (document.title, document.name) == ("Ada Lovelace", "Q7259")
    found = list(passages_of(document, "wiki40b"))
    assert [(p.section_title, p.passage_text) for p in found] == [
        ("", "Ada was a writer.\n\nShe was born in London."),
        ("Early life", "She learned mathematics."),
    ]
    assert WIKI40B[found[1].start : found[1].end] == "She learned mathematics."


@given(texts)
def test_any_text_is_an_article(text: str) -> None:
    for passage in passages_of(read_article(text, "T"), "wiki"):
        assert passage.passage_text.strip()
        assert " ".join(text[passage.start : passage.end].split()).startswith(passage.passage_text.split()[0])
