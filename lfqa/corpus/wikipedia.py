"""Wikipedia articles as text: of ``wikimedia/wikipedia`` (id, url, title, text) and of ``wiki40b``, into documents with sections."""

from __future__ import annotations

import re
from collections.abc import Iterator

from lfqa.corpus.documents import Block, Document, paragraphs, plain_block

_LISTS_OF_LINKS = {
    "bibliography", "citations", "external links", "footnotes", "further reading", "gallery", "images", "more reading", "notes",
    "notes and references", "other pages", "other websites", "references", "references and notes", "related articles", "related pages",
    "see also", "sources", "websites", "works cited",
}  # fmt: skip
_MARKUP = re.compile(r"\|-|\{\||\|\}|\|\||(?:row|col)span\s*=|(?:align|style|class|width|scope)\s*=|^\s*[|!]")
_SENTENCE = re.compile(r"[.!?][\"')\]”’]*\s*$")
_LONGEST_HEADING = 80  # characters
_WIKI40B = re.compile(r"_START_(ARTICLE|SECTION|PARAGRAPH)_\n")


def read_article(text: str, title: str, name: str = "", address: str = "") -> Document:
    """Return the document of an article of ``wikimedia/wikipedia``: paragraphs parted by blank lines, headings among them without a mark.

    A heading is a paragraph of one short line that ends like no sentence and has running text below it. Tables, lists, and the sections
    that only hold links (see also, references and the like) are left out.
    """
    spans = list(paragraphs(text))
    blocks: list[Block] = []
    skipping = False
    for start, end in spans:
        if _is_heading(text[start:end]):
            skipping = text[start:end].strip().lower() in _LISTS_OF_LINKS
            if not skipping:
                blocks.append(plain_block(text, start, end, level=2))
        elif not skipping:
            blocks += [plain_block(text, first, last) for first, last in _prose(text, start, end)]
    return Document(title, _with_text(blocks), text, name=name, address=address)


def _is_heading(paragraph: str) -> bool:
    return (
        "\n" not in paragraph
        and len(paragraph) <= _LONGEST_HEADING
        and not paragraph[0].islower()
        and not _SENTENCE.search(paragraph)
        and paragraph[-1] not in ",;:"
        and not _MARKUP.search(paragraph)
    )


def _prose(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    """Yield the spans of the lines in ``text[start:end]`` that are running text: a line that ends no sentence is a list's or table's."""
    at = start
    for line in text[start:end].splitlines(keepends=True):
        if _SENTENCE.search(line) and not _MARKUP.search(line):
            yield at, at + len(line)
        at += len(line)


def _with_text(blocks: list[Block]) -> tuple[Block, ...]:
    """Leave out headings that nothing is left of."""
    return tuple(
        block for place, block in enumerate(blocks) if not block.level or (place + 1 < len(blocks) and not blocks[place + 1].level)
    )


def is_wiki40b(text: str) -> bool:
    """Say whether `text` is an article of ``wiki40b``."""
    return text.lstrip().startswith("_START_ARTICLE_\n")


def read_wiki40b(text: str, name: str = "") -> Document:
    """Return the document of an article of ``wiki40b``, whose text marks where article, section and paragraph start."""
    title, blocks, skipping = "", [], False
    marks = list(_WIKI40B.finditer(text))
    for place, mark in enumerate(marks):
        start = mark.end()
        end = marks[place + 1].start() if place + 1 < len(marks) else len(text)
        kind, piece = mark[1], text[start:end].strip()
        if kind == "ARTICLE":
            title = piece
        elif kind == "SECTION":
            skipping = piece.lower() in _LISTS_OF_LINKS
            if not skipping and piece:
                blocks.append(plain_block(text, start, end, level=2))
        elif not skipping:
            at = start
            for paragraph in text[start:end].split("_NEWLINE_"):
                if paragraph.strip():
                    blocks.append(plain_block(text, at, at + len(paragraph)))
                at += len(paragraph) + len("_NEWLINE_")
    return Document(title, _with_text(blocks), text, name=name)
