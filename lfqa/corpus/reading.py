"""Any file into passages: what it is by its name, what is wrong with it in words."""

from __future__ import annotations

import codecs
import gzip
import io
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from lfqa.corpus.documents import Document, DocumentError, passages_of
from lfqa.corpus.lines import parse_object
from lfqa.types import Passage

KINDS = {
    ".md": "markdown", ".markdown": "markdown", ".txt": "plain", ".text": "plain", ".rst": "plain", "": "plain", ".html": "html",
    ".htm": "html", ".xhtml": "html", ".pdf": "pdf", ".docx": "word", ".csv": "table", ".tsv": "table", ".jsonl": "lines",
    ".ndjson": "lines", ".parquet": "parquet",
}  # fmt: skip
"""What the endings of files mean; ``.gz`` may follow each but the last."""

ENDINGS = ", ".join(sorted(set(KINDS) - {""}))

_MARKS = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF32_LE, "utf-32"), (codecs.BOM_UTF32_BE, "utf-32"), (codecs.BOM_UTF16_LE, "utf-16"),
          (codecs.BOM_UTF16_BE, "utf-16"))  # fmt: skip


@dataclass(frozen=True, slots=True)
class Reading:
    """How files are read.

    Attributes
    ----------
    encoding
        Of text that is not UTF-8 and has no byte order mark; None refuses such text.
    largest
        Bytes from which a document is refused, unpacked; lines and tables, which are read piece by piece, have no limit.
    """

    encoding: str | None = None
    largest: int = 256 << 20

    def __post_init__(self) -> None:
        if self.encoding is not None:
            try:
                codecs.lookup(self.encoding)
            except LookupError as error:
                raise ValueError(f"there is no encoding {self.encoding!r}") from error
        if self.largest < 1:
            raise ValueError(f"the largest file must have at least 1 byte, not {self.largest}")


def kind_of(path: Path) -> str | None:
    """Return what a file is by its name; None where that is nothing that is read."""
    suffixes = [suffix.lower() for suffix in path.suffixes]
    if suffixes[-1:] == [".gz"]:
        suffixes.pop()
    kind = KINDS.get(suffixes[-1] if suffixes else "")
    return None if kind == "parquet" and path.suffix.lower() == ".gz" else kind


def title_of(path: Path) -> str:
    """Return the title that a file has by its name."""
    name = path.name.removesuffix(".gz")
    return Path(name).stem.replace("_", " ").strip() or name


def read_file(path: Path, source: str, reading: Reading | None = None, skip: int = 0) -> Iterator[list[Passage]]:
    """Yield the passages of each document in a file, in order; most files are one document.

    Parameters
    ----------
    source
        What the passages name as their source; their ids begin with it.
    skip
        Documents to pass over, which were read before.

    Raises
    ------
    DocumentError
        When the file is empty, binary, encrypted, damaged, too large, wrongly encoded or of no kind that is read. The message is the
        reason; what came before it is not to be used.
    """
    reading = reading or Reading()
    kind = kind_of(path)
    if kind is None:
        raise DocumentError(f"is no kind of file that is read ({ENDINGS})")
    read = {"table": _rows, "lines": _lines, "parquet": _parquet}.get(kind)
    try:
        if path.stat().st_size == 0:
            raise DocumentError("is empty")
        if read is not None:
            found = skip > 0
            for number, passages in read(path, source, reading, skip):
                found = found or bool(passages)
                if number > skip:
                    yield passages
            if not found:
                raise DocumentError("holds no text")
        elif not skip:
            passages = list(passages_of(_document(path, kind, reading), source))
            if not passages:
                raise DocumentError("holds no text")
            yield passages
    except DocumentError:
        raise
    except UnicodeDecodeError as error:
        raise DocumentError(_not_text(error)) from error
    except ValueError as error:
        raise DocumentError(str(error)) from error
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise DocumentError(f"is a damaged gzip file ({error})") from error
    except OSError as error:
        raise DocumentError(f"can not be read ({error.strerror or error})") from error
    except MemoryError as error:
        raise DocumentError("is too large for the memory of this machine") from error


# documents, read whole


def _document(path: Path, kind: str, reading: Reading) -> Document:
    data = _bytes(path, reading.largest)
    title = title_of(path)
    if kind == "pdf":
        from lfqa.corpus.formats.pdf import read_pdf

        return read_pdf(data, title)
    if kind == "word":
        from lfqa.corpus.formats.word import read_docx

        return read_docx(data, title, reading.largest)
    if kind == "html":
        from lfqa.corpus.formats.html import declared_encoding, read_html

        return read_html(decode(data, declared_encoding(data) or reading.encoding), title)
    text = decode(data, reading.encoding)
    if kind == "markdown":
        from lfqa.corpus.formats.markdown import read_markdown

        return read_markdown(text, title)
    from lfqa.corpus.formats.plain import read_plain

    return read_plain(text, title)


def _bytes(path: Path, largest: int) -> bytes:
    opener: Any = gzip.open if path.suffix.lower() == ".gz" else open
    with opener(path, "rb") as stream:
        data: bytes = stream.read(largest + 1)
    if len(data) > largest:
        raise DocumentError(f"is larger than {largest:,} bytes")
    if not data:
        raise DocumentError("is empty")
    return data


def decode(data: bytes, fallback: str | None = None) -> str:
    """Return the text that `data` is: by its byte order mark, as UTF-8, or as `fallback`.

    Raises
    ------
    DocumentError
        When it is binary.
    UnicodeDecodeError
        When it is no such text.
    """
    for mark, encoding in _MARKS:
        if data.startswith(mark):
            return data.decode(encoding if encoding != "utf-8" else "utf-8-sig")
    _refuse_binary(data)
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        if fallback is None:
            raise
        return data.decode(fallback)


def _refuse_binary(data: bytes) -> None:
    if b"\0" in data[:8192]:
        raise DocumentError("is binary, or text in an encoding that has no byte order mark")


def _not_text(error: UnicodeDecodeError) -> str:
    at, byte = error.start, error.object[error.start]
    return f"is not {error.encoding} text (byte 0x{byte:02x} at {at:,}); name its encoding with --encoding, for example cp1252"


# records, read one by one


@contextmanager
def _text(path: Path, reading: Reading) -> Iterator[IO[str]]:
    opener: Any = gzip.open if path.suffix.lower() == ".gz" else open
    with opener(path, "rb") as stream:
        head = stream.read(8192)
        stream.seek(0)
        marked = next((encoding for mark, encoding in _MARKS if head.startswith(mark)), None)
        if marked is None:
            _refuse_binary(head)
        encoding = {"utf-8": "utf-8-sig", None: reading.encoding or "utf-8"}.get(marked, marked)
        with io.TextIOWrapper(stream, encoding=encoding, newline="") as lines:
            yield lines


def _lines(path: Path, source: str, reading: Reading, skip: int) -> Iterator[tuple[int, list[Passage]]]:
    from lfqa.corpus.records import passages_of_record

    title = title_of(path)
    with _text(path, reading) as lines:
        number = 0
        while line := lines.readline(reading.largest):
            if len(line) >= reading.largest:
                raise DocumentError(f"has a line of more than {reading.largest:,} characters")
            number += 1
            if number <= skip or not line.strip():
                yield number, []
                continue
            where = f"line {number}"
            yield number, list(passages_of_record(parse_object(line, where), number, source, title, where))


def _rows(path: Path, source: str, reading: Reading, skip: int) -> Iterator[tuple[int, list[Passage]]]:
    from lfqa.corpus.formats.table import read_table
    from lfqa.corpus.records import passages_of_row

    title = title_of(path)
    with _text(path, reading) as lines:
        tabs = path.name.lower().removesuffix(".gz").endswith(".tsv")
        for number, (line, row) in enumerate(read_table(lines, tabs), start=1):
            yield number, [] if number <= skip else list(passages_of_row(row, number, source, title, f"line {line}"))


def _parquet(path: Path, source: str, reading: Reading, skip: int) -> Iterator[tuple[int, list[Passage]]]:
    import pyarrow
    from pyarrow import parquet

    from lfqa.corpus.records import passages_of_record

    title, number = title_of(path), 0
    try:
        with parquet.ParquetFile(path) as table:
            for batch in table.iter_batches(1000):
                if number + batch.num_rows <= skip:
                    number += batch.num_rows
                    continue
                for record in batch.to_pylist():
                    number += 1
                    yield number, [] if number <= skip else list(passages_of_record(record, number, source, title, f"row {number}"))
    except pyarrow.ArrowException as error:
        raise DocumentError(f"can not be read as Parquet ({error})") from error
