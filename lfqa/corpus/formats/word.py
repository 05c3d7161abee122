"""Word documents (DOCX) by `python-docx`."""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Iterator

from docx import Document as open_docx
from docx.document import Document as WordDocument
from docx.table import Table
from docx.text.paragraph import Paragraph

from lfqa.corpus.documents import Document, DocumentError, extracted

_COMPOUND = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"  # an OLE compound file: Word 97, or an encrypted DOCX
_HEADING = re.compile(r"heading (\d)", re.IGNORECASE)


def read_docx(data: bytes, title: str, largest: int) -> Document:
    """Return the document in the bytes of a DOCX file; its title is the paragraph styled so, the file's property, or `title`.

    Table rows are paragraphs of their own; headers, footers, notes and comments are left out.

    Parameters
    ----------
    largest
        Bytes that it may unpack to.

    Raises
    ------
    DocumentError
        When it is encrypted, damaged, too large or no DOCX.
    """
    if data.startswith(_COMPOUND):
        raise DocumentError("is encrypted, or of Word 97: save it as .docx without a password")
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            size = sum(entry.file_size for entry in archive.infolist())
            if any(entry.flag_bits & 1 for entry in archive.infolist()):
                raise DocumentError("is encrypted: save it without a password")
        if size > largest:
            raise DocumentError(f"unpacks to {size:,} bytes, more than {largest:,}")
        word = open_docx(io.BytesIO(data))
        pieces = list(_pieces(word))
    except DocumentError:
        raise
    except Exception as error:  # zipfile, lxml and python-docx raise a dozen kinds over damaged files
        raise DocumentError(f"is no Word document, or damaged ({type(error).__name__}: {error})") from error
    titles = [text for text, level in pieces if level == 1]
    return extracted(" ".join(titles[0].split()) if titles else (word.core_properties.title or "").strip() or title, pieces)


def _pieces(word: WordDocument) -> Iterator[tuple[str, int]]:
    """Yield ``(text, level)`` of every paragraph and table row; the level of a title is 1, of ``Heading n`` it is n + 1."""
    for item in word.iter_inner_content():
        if isinstance(item, Table):
            yield from ((row, 0) for row in _rows(item))
        else:
            yield item.text, _level(item)


def _level(paragraph: Paragraph) -> int:
    name = (paragraph.style.name if paragraph.style is not None else None) or ""
    heading = _HEADING.fullmatch(name)
    return int(heading[1]) + 1 if heading else int(name == "Title")


def _rows(table: Table) -> Iterator[str]:
    for row in table.rows:
        cells: list[str] = []
        seen = None
        for cell in row.cells:
            if cell._tc is not seen:  # a merged cell comes once for each column that it covers
                cells.append(cell.text)
            seen = cell._tc
        yield "; ".join(text for text in cells if text.strip())
