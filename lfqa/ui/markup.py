"""Text into HTML that shows exactly that text: escaping, and passages with marked words."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Sequence

Span = tuple[int, int]

# what no page can show: control characters but tab and newline, and halves of surrogate pairs, which can not be encoded
_UNSHOWABLE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")
_PUNCTUATION = re.compile(r"([!-/:-@\[-`{-~])")


def escape(text: str) -> str:
    """Return `text` for HTML content and quoted attributes; characters that no page can show become U+FFFD."""
    return html.escape(_UNSHOWABLE.sub("\ufffd", text), quote=True)


def isolated(text: str) -> str:
    """Return `text` escaped in an element of its own direction, so that right-to-left marks in it turn nothing around it."""
    return f"<bdi>{escape(text)}</bdi>"


def plain_markdown(text: str) -> str:
    """Return `text` for a Streamlit label: on one line, nothing in it read as Markdown, LaTeX, an emoji or a colour."""
    one_line = " ".join(_UNSHOWABLE.sub("\ufffd", text).split())
    return _PUNCTUATION.sub(r"\\\1", one_line)


def tidy_spans(spans: Iterable[Span], length: int) -> list[Span]:
    """Return `spans` clipped to ``0..length``, in order, those that overlap or touch joined, empty ones left out."""
    clipped = sorted((max(0, start), min(length, end)) for start, end in spans)
    joined: list[Span] = []
    for start, end in clipped:
        if start >= end:
            continue
        if joined and start <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(end, joined[-1][1]))
        else:
            joined.append((start, end))
    return joined


def marked(text: str, cited: Iterable[Span], read: Sequence[Span] | None = None) -> str:
    """Return `text` escaped, with ``<mark>`` around the cited spans and what was not read set apart.

    Parameters
    ----------
    cited
        Spans of `text` to mark; they may overlap or reach beyond the text.
    read
        Spans that the writer read; None where nothing is to be set apart.
    """
    marks = tidy_spans(cited, len(text))
    reads = [(0, len(text))] if read is None else tidy_spans(read, len(text))
    edges = sorted({0, len(text), *(edge for span in (*marks, *reads) for edge in span)})
    pieces: list[tuple[str, str]] = []
    for start, end in zip(edges, edges[1:], strict=False):
        piece = text[start:end]
        # a blank between two spans that were read is no gap in the reading
        read_here = _within(start, reads) or not piece.strip()
        kind = "mark" if _within(start, marks) else "read" if read_here else "unread"
        if pieces and pieces[-1][0] == kind:
            pieces[-1] = (kind, pieces[-1][1] + piece)
        else:
            pieces.append((kind, piece))
    return "".join(_WRAPPED[kind].format(escape(piece)) for kind, piece in pieces)


_WRAPPED = {"mark": "<mark>{}</mark>", "read": "{}", "unread": '<span class="lfqa-unread">{}</span>'}


def _within(position: int, spans: Sequence[Span]) -> bool:
    return any(start <= position < end for start, end in spans)
