"""A document as its reader leaves it, blocks of clean text that know where they were, and the passages cut from it."""

from __future__ import annotations

import bisect
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from lfqa.corpus.cutting import cut_passages
from lfqa.types import Passage

WORDS = 100
"""Words that a passage is about as long as."""

_LONGEST_SENTENCE = 3 * WORDS  # words; what goes on longer without an end is a table or a list, and is cut where it must be
_LONGEST_TEXT = 2_000  # characters, likewise
_LONGEST_WORD = 500  # characters; a longer one is data, not language
_GAP = "\n\n"  # between the paragraphs of a passage: a sentence end for everything that reads it later


class DocumentError(ValueError):
    """A document that can not be read; the message is the reason, without the file's name."""


@dataclass(frozen=True, slots=True)
class Block:
    """A paragraph, list item, table row or heading, without markup.

    Attributes
    ----------
    level
        Of a heading, from 1; 0 for running text.
    anchors
        ``(character of text, character of the document)``, in order: between two of them the text runs as in the document. Empty
        where nothing says which characters of the document these are.
    """

    text: str
    level: int = 0
    anchors: tuple[tuple[int, int], ...] = ()

    def place(self, position: int) -> int | None:
        """Return the character of the document that character `position` of the text is, or None where that is not known."""
        found = bisect.bisect_right(self.anchors, position, key=lambda anchor: anchor[0])
        if not found:
            return None
        inside, outside = self.anchors[found - 1]
        return outside + position - inside


@dataclass(frozen=True, slots=True)
class Document:
    """What a reader made of a file or a record.

    Attributes
    ----------
    pages
        The character of `text` that each page begins with; empty where there are no pages.
    name
        Names it within its source, for the ids of its passages; empty where the source is one document.
    text
        What the characters of a passage count in: the file's own for Markdown and plain text, elsewhere what was extracted.
    address
        Where a reader finds it, when that is not its source's name.
    """

    title: str
    blocks: tuple[Block, ...]
    text: str = ""
    pages: tuple[int, ...] = ()
    name: str = ""
    address: str = ""


def passages_of(document: Document, source: str) -> Iterator[Passage]:
    """Yield the passages of `document`, about 100 words each, cut at sentence ends and never across headings.

    Parameters
    ----------
    source
        Name of the file or data set, unique in an index; the ids of the passages begin with it.
    """
    prefix = f"{source}:{document.name}" if document.name else source
    number = 0
    for section, blocks in _sections(document):
        text, starts = _joined(blocks)
        for start, end in _cuts(text):
            number += 1
            first = bisect.bisect_right(starts, start) - 1
            last = bisect.bisect_left(starts, end) - 1
            begins = blocks[first].place(start - starts[first])
            final = blocks[last].place(end - 1 - starts[last])
            yield Passage(
                f"{prefix}#{number}",
                document.title,
                section,
                text[start:end],
                document.address or source,
                bisect.bisect_right(document.pages, begins) if document.pages and begins is not None else None,
                begins,
                None if final is None else final + 1,
            )


def _sections(document: Document) -> Iterator[tuple[str, list[Block]]]:
    """Yield the running text under each heading; one that is the document's title is no section's."""
    section, held = "", []
    for block in document.blocks:
        if not block.level:
            held.append(block)
            continue
        if held:
            yield section, held
        held = []
        section = "" if block.text == document.title else block.text
    if held:
        yield section, held


def _joined(blocks: Iterable[Block]) -> tuple[str, list[int]]:
    starts, texts, at = [], [], 0
    for block in blocks:
        starts.append(at)
        texts.append(block.text)
        at += len(block.text) + len(_GAP)
    return _GAP.join(texts), starts


def _cuts(text: str) -> Iterator[tuple[int, int]]:
    for start, end in cut_passages(text, WORDS):
        if end - start <= _LONGEST_TEXT and len(text[start:end].split()) <= _LONGEST_SENTENCE:
            yield start, end
            continue
        run: list[tuple[int, int]] = []
        for match in re.finditer(r"\S+", text[start:end]):
            if match.end() - match.start() <= _LONGEST_WORD:
                run.append((start + match.start(), start + match.end()))
            else:
                yield from _even(run)
                run = []
        yield from _even(run)


def _even(words: list[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """Cut a run of words, given as spans, into about equally many of them a piece."""
    if not words:
        return
    pieces = max(1, round(len(words) / WORDS), -(-(words[-1][1] - words[0][0]) // _LONGEST_TEXT))
    bounds = [round(piece * len(words) / pieces) for piece in range(pieces + 1)]
    for first, after in zip(bounds, bounds[1:], strict=False):
        if first < after:
            yield words[first][0], words[after - 1][1]


def paragraphs(text: str) -> Iterator[tuple[int, int]]:
    """Yield the ``(start, end)`` characters of the paragraphs of plain `text`, which blank lines part."""
    for match in re.finditer(r"\S(?:.*\S)?(?:[^\S\n]*\n[^\S\n]*\S(?:.*\S)?)*", text):
        yield match.start(), match.end()


def plain_block(text: str, start: int, end: int, level: int = 0) -> Block:
    """Return the block of ``text[start:end]`` with every run of white space made one blank, and the anchors that undo that."""
    words = [(match[0], match.start()) for match in re.finditer(r"\S+", text[start:end])]
    anchors: list[tuple[int, int]] = []
    at = 0
    for word, place in words:
        if not anchors or place - anchors[-1][1] != at - anchors[-1][0]:
            anchors.append((at, place))
        at += len(word) + 1
    return Block(" ".join(word for word, _ in words), level, tuple((inside, start + outside) for inside, outside in anchors))


def extracted(title: str, pieces: Iterable[tuple[str, int]]) -> Document:
    """Return a document whose `text` is what was extracted: ``(text, level)`` pieces, each a block, on lines of their own."""
    blocks, at = [], 0
    for text, level in pieces:
        if clean := " ".join(text.split()):
            blocks.append(Block(clean, level, ((0, at),)))
            at += len(clean) + 1
    return Document(title, tuple(blocks), "\n".join(block.text for block in blocks))
