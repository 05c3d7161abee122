"""PDF by `pypdfium2`: the text of its pages, with headings told by their size or weight."""

from __future__ import annotations

import ctypes
import re
import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median

import pypdfium2
import pypdfium2.raw as pdfium

from lfqa.corpus.documents import Block, Document, DocumentError

_PDFIUM = threading.Lock()  # PDFium is not made for threads
_HYPHENS = {0x02, 0xAD, 0xFFFE}  # what PDFium makes of a hyphen that only the end of the line asked for
_LONGEST_HEADING = 120  # characters
_PAGE_NUMBER = re.compile(r"(page\s+)?(\d{1,4}|[ivxlc]{1,7})(\s*(/|of)\s*\d{1,4})?", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class _Line:
    """A line of a page: its text, the height of its type and its lower edge, in points, and whether it is bold.

    `joined` says that its last word goes on in the next line.
    """

    text: str
    height: float
    bottom: float
    bold: bool
    joined: bool


def read_pdf(data: bytes, title: str) -> Document:
    """Return the document in the bytes of a PDF; its title is the largest heading where it comes first, the file's property, or `title`.

    A line counts as a heading when its type is larger than the body's, or bold where the body is not, and it is no sentence. Lines that
    stand at the top or bottom of half the pages are left out, as are page numbers there.

    Raises
    ------
    DocumentError
        When it is encrypted, damaged, no PDF, or holds no text.
    """
    with _PDFIUM:
        try:
            pdf = pypdfium2.PdfDocument(data)
        except pypdfium2.PdfiumError as error:
            encrypted = "password" in str(error).lower()
            reason = "is encrypted: save it without a password" if encrypted else f"is no PDF, or damaged ({error})"
            raise DocumentError(reason) from error
        try:
            named = (pdf.get_metadata_value("Title") or "").strip()
            pages = [_lines(pdf, number) for number in range(len(pdf))]
        except pypdfium2.PdfiumError as error:
            raise DocumentError(f"is damaged ({error})") from error
        finally:
            pdf.close()
    pages = _without_margins(pages)
    if not any(pages):
        raise DocumentError("holds no text: it may be a scan, which would have to be recognised first")
    unnamed = not named or named.lower().startswith(("untitled", "(anonymous)", "microsoft word -"))
    return _document(pages, title if unnamed else named)


def _lines(pdf: pypdfium2.PdfDocument, number: int) -> list[_Line]:
    page = pdf[number]
    try:
        text = page.get_textpage()
        try:
            return list(_lines_of(text))
        finally:
            text.close()
    finally:
        page.close()


def _lines_of(text: pypdfium2.PdfTextPage) -> Iterator[_Line]:
    codes: list[int] = []
    first = 0
    count = text.count_chars()
    for place in range(count + 1):
        code = pdfium.FPDFText_GetUnicode(text, place) if place < count else 0x0A
        if code not in (0x0A, 0x0D):
            codes.append(code)
            continue
        if codes:
            yield from _line(text, codes, first)
        codes, first = [], place + 1


def _line(text: pypdfium2.PdfTextPage, codes: Sequence[int], first: int) -> Iterator[_Line]:
    shown = [place for place, code in enumerate(codes) if not chr(code).isspace() and code not in _HYPHENS]
    words = " ".join("".join(chr(code) for code in codes if code and code not in _HYPHENS).split())
    if not shown or not words:
        return
    # the first, middle and last letter stand for the line
    sample = [first + shown[0], first + shown[len(shown) // 2], first + shown[-1]]
    boxes = []
    for place in sample:
        box = pdfium.FS_RECTF()
        if pdfium.FPDFText_GetLooseCharBox(text, place, ctypes.byref(box)):
            boxes.append(box)
    height = median(abs(box.top - box.bottom) for box in boxes) if boxes else 0.0
    bottom = median(box.bottom for box in boxes) if boxes else 0.0
    bold = all(pdfium.FPDFText_GetFontWeight(text, place) >= 600 or _font_is_bold(text, place) for place in sample)
    yield _Line(words, round(height * 2) / 2, bottom, bold, codes[-1] in _HYPHENS)


def _font_is_bold(text: pypdfium2.PdfTextPage, place: int) -> bool:
    name = ctypes.create_string_buffer(128)
    pdfium.FPDFText_GetFontInfo(text, place, name, len(name), None)
    return any(word in name.value.lower() for word in (b"bold", b"black", b"heavy"))


def _without_margins(pages: list[list[_Line]]) -> list[list[_Line]]:
    """Leave out page numbers, and lines that open or close at least half of three or more pages."""

    def pattern(line: _Line) -> str:
        return re.sub(r"\d+", "#", line.text)

    edges = [{pattern(line) for line in (*page[:1], *page[-1:])} for page in pages]
    often = Counter(line for edge in edges for line in edge)
    repeated = {line for line, times in often.items() if times >= 3 and times * 2 >= len(pages)}

    def kept(place: int, page: list[_Line]) -> bool:
        line = page[place]
        return place not in (0, len(page) - 1) or not (pattern(line) in repeated or _PAGE_NUMBER.fullmatch(line.text))

    return [[line for place, line in enumerate(page) if kept(place, page)] for page in pages]


def _document(pages: list[list[_Line]], title: str) -> Document:
    letters: Counter[float] = Counter()
    for page in pages:
        for line in page:
            letters[line.height] += len(line.text)
    body = letters.most_common(1)[0][0]
    bold = sum(len(line.text) for page in pages for line in page if line.bold) * 2 > letters.total()
    pitch = median([step for page in pages for step in _steps(page)] or [body * 1.2])
    sizes = sorted({line.height for page in pages for line in page if line.height > body * 1.15}, reverse=True)

    def level(line: _Line) -> int:
        if len(line.text) > _LONGEST_HEADING or line.text[-1] in ".,;" or not any(letter.isalpha() for letter in line.text):
            return 0
        if line.height in sizes:
            return sizes.index(line.height) + 1
        return len(sizes) + 1 if line.bold and not bold else 0

    text = _Text()
    before: _Line | None = None
    for page in pages:
        text.turn()
        for place, line in enumerate(page):
            rank = level(line)
            if before is None or rank != text.level or _apart(before, line, rank, place == 0, pitch):
                text.start(rank)
            text.add(line)
            before = line
    return text.document(title)


def _steps(page: Sequence[_Line]) -> list[float]:
    """Return the distances, in points, from line to line, without those that are no line spacing."""
    return [above.bottom - below.bottom for above, below in pairwise(page) if 0 < above.bottom - below.bottom < 4 * above.height]


def _apart(before: _Line, line: _Line, level: int, turned: bool, pitch: float) -> bool:
    """Say whether `line` begins a paragraph or heading of its own, after `before` of the same level, on the page before if `turned`."""
    down = before.bottom - line.bottom
    if level:
        return turned or not 0 <= down <= 2 * line.height
    if turned or down < -0.5 * pitch:  # the next page or column: a sentence that has not ended goes on there
        return before.text[-1] in ".!?:"
    return down > 1.4 * pitch


class _Text:
    """The blocks of a document, built line by line, and where each page begins."""

    def __init__(self) -> None:
        self.level = 0
        self._done: list[Block] = []
        self._text = ""
        self._joined = False
        self._at = 0  # characters of the document before the block that is being built
        self._pages: list[int] = []
        self._turned = 0

    def turn(self) -> None:
        """Begin a page."""
        self._turned += 1

    def start(self, level: int) -> None:
        """Begin a block."""
        if self._text:
            self._done.append(Block(self._text, self.level, ((0, self._at),)))
            self._at += len(self._text) + 1
        self._text, self._joined, self.level = "", False, level

    def add(self, line: _Line) -> None:
        """Add a line to the block."""
        if self._text and not self._joined:
            self._text += " "
        self._pages += [self._at + len(self._text)] * self._turned
        self._turned = 0
        self._text += line.text
        self._joined = line.joined

    def document(self, title: str) -> Document:
        """Return the document."""
        self.start(0)
        if self._done[0].level == 1:
            title = self._done[0].text
        return Document(title, tuple(self._done), "\n".join(block.text for block in self._done), tuple(self._pages))
