"""Plain text: paragraphs parted by blank lines."""

from __future__ import annotations

from lfqa.corpus.documents import Document, paragraphs, plain_block


def read_plain(text: str, title: str) -> Document:
    """Return the document that plain `text` is; it has no headings."""
    return Document(title, tuple(plain_block(text, start, end) for start, end in paragraphs(text)), text)
