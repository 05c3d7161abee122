"""Markdown by `markdown-it-py` (CommonMark and tables), every piece of text with the place in the file that it came from."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import accumulate

from markdown_it import MarkdownIt
from markdown_it.token import Token

from lfqa.corpus.documents import Block, Document

_LINE_END = r"(?:\r\n?|\n)"
_FRONT_MATTER = re.compile(rf"\A---[ \t]*{_LINE_END}(?:[^\r\n]*{_LINE_END})*?(?:---|\.\.\.)[ \t]*(?:{_LINE_END}|\Z)")
_TITLE = re.compile(r"^title:[ \t]*(['\"]?)(.+?)\1[ \t]*$", re.MULTILINE)


def read_markdown(text: str, title: str) -> Document:
    """Return the document that Markdown `text` is; its title is the front matter's, the first level-1 heading, or `title`.

    Links' addresses, images and raw HTML are left out; list items, table rows and pieces of code are paragraphs of their own.
    """
    front = _FRONT_MATTER.match(text)
    skipped = front.end() if front else 0
    body = text[skipped:]
    blocks = tuple(_blocks(body, skipped))
    named = _TITLE.search(front[0].replace("\r", "\n")) if front else None
    if named:
        title = named[2].strip()
    elif blocks and blocks[0].level == 1:
        title = blocks[0].text
    return Document(title, blocks, text)


def _blocks(body: str, skipped: int) -> list[Block]:
    # CommonMark ends a line at \n, \r and \r\n, and the parser counts lines so
    lines = [0, *accumulate(len(line) for line in re.split(r"(?<=\n)|(?<=\r)(?!\n)", body))]
    # without text_join, what an escape or an entity became stays a token that knows how it was written
    parser = MarkdownIt("commonmark").enable("table").disable("text_join")
    blocks: list[Block] = []
    level, row = 0, None
    for token in parser.parse(body):
        start = lines[token.map[0]] if token.map else 0
        if token.type == "heading_open":
            level = int(token.tag[1:])
        elif token.type == "heading_close":
            level = 0
        elif token.type == "tr_open":
            row = _Text(body, skipped, start)
        elif token.type == "tr_close" and row is not None:
            blocks.append(row.block())
            row = None
        elif token.type == "inline":
            text = row or _Text(body, skipped, start)
            text.cell(token.children or ())
            if row is None:
                blocks.append(text.block(level))
        elif token.type in ("fence", "code_block"):
            code = _Text(body, skipped, start)
            code.lines(token.content)
            blocks.append(code.block())
    return [block for block in blocks if block.text]


class _Text:
    """The text of a block, collected from its tokens in order, with the place of each in the file."""

    def __init__(self, body: str, skipped: int, start: int) -> None:
        self._body, self._skipped, self._at = body, skipped, start
        self._pieces: list[str] = []
        self._length = 0
        self._anchors: list[tuple[int, int]] = []

    def cell(self, tokens: Sequence[Token]) -> None:
        """Add the text of inline `tokens`, parted from what is there already."""
        if self._pieces:
            self._part("; ")
        for token in tokens:
            if token.type in ("text", "code_inline"):
                self._found(token.content, token.content)
            elif token.type == "text_special":
                self._found(token.markup, token.content)
            elif token.type in ("softbreak", "hardbreak"):
                self._part(" ")
            elif token.type == "link_close" and self._body.startswith("](", self._at):
                self._at = max(self._at, self._body.find(")", self._at))  # the address may hold words of the text that follows

    def lines(self, code: str) -> None:
        """Add the lines of a piece of code."""
        for line in code.split("\n"):
            if words := line.strip():
                self._part(" " if self._pieces else "")
                self._found(words, words)

    def _part(self, text: str) -> None:
        self._pieces.append(text)
        self._length += len(text)

    def _found(self, written: str, text: str) -> None:
        if not text:
            return
        place = self._body.find(written, self._at)
        if place >= 0:
            self._anchors.append((self._length, self._skipped + place))
            self._at = place + len(written)
        self._part(text)

    def block(self, level: int = 0) -> Block:
        """Return the block."""
        text = "".join(self._pieces)
        lead = len(text) - len(text.lstrip())
        anchors = [(max(0, inside - lead), outside + max(0, lead - inside)) for inside, outside in self._anchors]
        return Block(text.strip(), level, tuple(anchors))
