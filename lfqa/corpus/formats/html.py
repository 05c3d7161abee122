"""HTML by `selectolax` (Lexbor, the parsing of the HTML standard): what a page says, without its menus and scripts."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator

from selectolax.lexbor import LexborHTMLParser, LexborNode

from lfqa.corpus.documents import Document, DocumentError, extracted

_DECLARED = re.compile(rb"""(?:charset|encoding)\s*=\s*["']?\s*([\w.:-]+)""", re.IGNORECASE)
_HEADINGS = {f"h{level}": level for level in range(1, 7)}
_LEFT_OUT = {
    "button", "canvas", "dialog", "footer", "head", "iframe", "input", "nav", "noscript", "object", "option", "script", "select", "style",
    "svg", "template", "textarea",
}  # fmt: skip
_BLOCKS = {
    "address", "article", "aside", "blockquote", "body", "center", "dd", "details", "div", "dl", "dt", "fieldset", "figcaption", "figure",
    "form", "header", "hgroup", "hr", "legend", "li", "main", "ol", "p", "pre", "section", "summary", "table", "tr", "ul", *_HEADINGS,
}  # fmt: skip
_CELLS = {"td", "th"}


def declared_encoding(data: bytes) -> str | None:
    """Return the encoding that the first 2 KiB of an HTML file name, in Python's spelling; None where they name none.

    Raises
    ------
    DocumentError
        When there is no such encoding.
    """
    found = _DECLARED.search(data[:2048])
    if found is None:
        return None
    name = found[1].decode("ascii")
    try:
        return codecs.lookup(name).name
    except LookupError as error:
        raise DocumentError(f"declares the encoding {name}, which there is not") from error


def read_html(text: str, title: str) -> Document:
    """Return the document that HTML `text` is; its title is the only level-1 heading, the page's title, or `title`.

    Where there is a ``main`` element or a single ``article``, the rest is left out; so are navigation, footers, scripts, forms' fields,
    hidden elements, and lines that are nothing but links.
    """
    tree = LexborHTMLParser(text)
    pieces = list(_pieces(_content(tree)))
    named = tree.css_first("head > title")
    page = " ".join(named.text().split()) if named is not None else ""
    tops = [text for text, level in pieces if level == 1]
    return extracted(tops[0] if len(tops) == 1 else page or title, pieces)


def _content(tree: LexborHTMLParser) -> LexborNode | None:
    for selector in ("main", "[role=main]", "article"):
        found = tree.css(selector)
        if len(found) == 1:
            return found[0]
    return tree.body


def _pieces(root: LexborNode | None) -> Iterator[tuple[str, int]]:
    """Yield ``(text, level)`` of every block under `root`, in order."""
    words: list[str] = []
    level, links, linked, breaks = 0, 0, True, 0

    def flush() -> Iterator[tuple[str, int]]:
        nonlocal linked
        text = " ".join("".join(words).split()).strip("; ")
        # a line that is nothing but links is a menu, unless it is a sentence
        if text and (level or not linked or text[-1] in ".!?"):
            yield text, level
        words.clear()
        linked = True

    for entering, node in _walk(root):
        tag = node.tag or ""
        if tag == "-text":
            if entering:
                words.append(text := node.text_content or "")
                linked = linked and (links > 0 or not text.strip())
                breaks = breaks if not text.strip() else 0
            continue
        if tag == "br" and entering:
            breaks += 1
            words.append(" ")
            if breaks > 1:
                yield from flush()
        elif tag in _BLOCKS:
            yield from flush()
            level = _HEADINGS.get(tag, 0) if entering else 0
            breaks = 0
        elif tag in _CELLS and not entering:
            words.append("; ")
        elif tag == "a":
            links += 1 if entering else -1
    yield from flush()


def _walk(root: LexborNode | None) -> Iterator[tuple[bool, LexborNode]]:
    """Yield every node twice, entering it (True) and leaving it; without recursion, since pages nest as deep as they like."""
    node, depth = root, 0
    while node is not None:
        yield True, node
        shown = node.tag not in _LEFT_OUT and "hidden" not in (node.attributes or {}) if node.tag != "-text" else False
        if shown and node.first_child is not None:
            node, depth = node.first_child, depth + 1
            continue
        while node is not None:
            yield False, node
            if depth == 0:
                return
            if node.next is not None:
                node = node.next
                break
            node, depth = node.parent, depth - 1
