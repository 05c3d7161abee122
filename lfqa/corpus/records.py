"""Records with named fields (JSON lines, table rows, rows of a data set) into passages."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from lfqa.corpus.documents import Block, Document, DocumentError, extracted, paragraphs, passages_of, plain_block
from lfqa.corpus.store import passage_from
from lfqa.corpus.wikipedia import is_wiki40b, read_article, read_wiki40b
from lfqa.types import Passage

_ARTICLE = {"id", "url", "title", "text"}  # the fields of wikimedia/wikipedia


def passages_of_record(record: Mapping[str, Any], number: int, source: str, title: str, where: str = "") -> Iterator[Passage]:
    """Yield the passages of a record: the passage itself when it has a passage's fields, else those of the document that it holds.

    A document has ``text``, and may have ``title``, ``section``, ``id`` and ``url``; the articles of ``wikimedia/wikipedia`` and
    ``wiki40b`` are known by their form.

    Parameters
    ----------
    number
        Of the record in its source, from 1; names it where it has no id.
    source, title
        Of the file or data set; the title is for records without one.
    where
        Goes before the reason in errors.

    Raises
    ------
    ValueError
        When the record has neither form, or a field is not text.
    """
    if "passage_text" in record:
        yield passage_from(record, where or source, source)
        return
    if "text" not in record:
        raise DocumentError(f"{where}: has neither a passage's fields nor text, but {', '.join(map(str, record)) or 'nothing'}")
    text = _text(record, "text", where)
    name = str(record.get("id", record.get("_id", number)))
    if is_wiki40b(text):
        document = read_wiki40b(text, str(record.get("wikidata_id", number)))
    elif record.keys() == _ARTICLE:
        document = read_article(text, _text(record, "title", where), name, _text(record, "url", where))
    else:
        section = _text(record, "section", where) or _text(record, "section_title", where)
        blocks = [Block(section, 2)] if section else []
        blocks += [plain_block(text, start, end) for start, end in paragraphs(text)]
        named = _text(record, "title", where) or _text(record, "article_title", where) or title
        document = Document(named, tuple(blocks), text, name=name, address=_text(record, "url", where))
    yield from passages_of(document, source)


def passages_of_row(row: Mapping[str, str], number: int, source: str, title: str, where: str = "") -> Iterator[Passage]:
    """Yield the passages of a table's row: as `passages_of_record`, or all its values with their columns' names where it has no text."""
    if "passage_text" in row or "text" in row:
        yield from passages_of_record(row, number, source, title, where)
        return
    said = "; ".join(f"{name}: {' '.join(value.split())}" for name, value in row.items() if value.strip())
    document = extracted(title, [(said + ".", 0)])
    yield from passages_of(Document(title, document.blocks, document.text, name=str(number)), source)


def _text(record: Mapping[str, Any], field: str, where: str) -> str:
    value = record.get(field)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise DocumentError(f"{where}: {field} is {type(value).__name__}, not text")
    if any("\ud800" <= character <= "\udfff" for character in value):
        raise DocumentError(f"{where}: {field} holds half of a surrogate pair, which is no text")
    return value
