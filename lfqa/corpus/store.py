"""Passage files and the passage store: JSON lines in, a memory-mapped Arrow data set out."""

from __future__ import annotations

import gzip
import hashlib
import json
import zlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lfqa.types import Passage

if TYPE_CHECKING:
    import pyarrow

FIELDS = ("passage_id", "article_title", "section_title", "passage_text")
_LONGEST_PASSAGE = 20_000  # characters; a line beyond it is no passage but a document


class PassageFileError(ValueError):
    """A passage file that can not be read; the message names file, line and reason."""


def read_passages(path: Path) -> Iterator[Passage]:
    """Yield the passages of a JSON-lines file, gzipped or not, or of a folder of Parquet files, with the fields of ``wiki_snippets``.

    ``_id`` may stand for ``passage_id``; other fields are left alone.

    Raises
    ------
    PassageFileError
        When the file is missing, empty, not UTF-8 or not JSON lines, when a field is missing or not text, or an id comes twice.
    """
    if path.is_dir():
        yield from _read_parquet(path)
        return
    if not path.is_file():
        raise PassageFileError(f"the passage file {path} does not exist")
    opener = gzip.open if path.suffix == ".gz" else open
    seen: set[str] = set()
    number = 0
    try:
        with opener(path, "rt", encoding="utf-8") as lines:
            for number, line in enumerate(lines, start=1):
                if not line.strip():
                    continue
                passage = _parse(line, f"{path}, line {number}")
                if passage.passage_id in seen:
                    raise PassageFileError(f"{path}, line {number}: passage_id {passage.passage_id!r} comes a second time")
                seen.add(passage.passage_id)
                yield passage
    except UnicodeDecodeError as error:
        raise PassageFileError(f"{path} is not UTF-8 text (after line {number})") from error
    except (OSError, EOFError, zlib.error) as error:
        raise PassageFileError(f"{path} can not be read: {error}") from error
    if not seen:
        raise PassageFileError(f"{path} holds no passages")


def _read_parquet(folder: Path) -> Iterator[Passage]:
    files = sorted(folder.rglob("*.parquet"))
    if not files:
        raise PassageFileError(f"{folder} holds no Parquet files")
    import pyarrow
    from pyarrow import parquet

    for file in files:
        try:
            with parquet.ParquetFile(file) as table:
                for batch in table.iter_batches(1000):
                    for number, record in enumerate(batch.to_pylist()):
                        yield passage_from(record, f"{file}, row {number} of a batch")
        except pyarrow.ArrowException as error:
            raise PassageFileError(f"{file} can not be read as Parquet: {error}") from error


def _parse(line: str, where: str) -> Passage:
    try:
        record = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise PassageFileError(f"{where}: not JSON ({error})") from error
    if not isinstance(record, dict):
        raise PassageFileError(f"{where}: a passage is a JSON object, not {type(record).__name__}")
    return passage_from(record, where)


def passage_from(record: Mapping[str, Any], where: str, source: str = "") -> Passage:
    """Return the passage that a record with its fields is; ``_id`` may stand for ``passage_id``, and the section may be missing.

    Parameters
    ----------
    where
        Goes before the reason in errors.
    source
        What the passage is from, where the record does not say.

    Raises
    ------
    PassageFileError
        When a field is missing, empty where it must not be, or not what it should be.
    """
    values = []
    for field in FIELDS:
        name = "_id" if field == "passage_id" and field not in record and "_id" in record else field
        value = record.get(name, "" if field == "section_title" else None)
        if not isinstance(value, str):
            given = "missing" if name not in record else f"{type(value).__name__}, not text"
            raise PassageFileError(f"{where}: {field} is {given}; a passage has the fields {', '.join(FIELDS)}")
        if any("\ud800" <= character <= "\udfff" for character in value):
            raise PassageFileError(f"{where}: {field} holds half of a surrogate pair, which is no text")
        values.append(value)
    if not values[0] or not values[3].strip():
        raise PassageFileError(f"{where}: {'passage_id' if not values[0] else 'passage_text'} is empty")
    if len(values[3]) > _LONGEST_PASSAGE:
        raise PassageFileError(f"{where}: passage_text has {len(values[3])} characters, more than {_LONGEST_PASSAGE}")
    return Passage(*values)


def corpus_digest(path: Path) -> str:
    """Return 16 hexadecimal digits that change with a passage file's bytes, or with the names and sizes in a Parquet folder.

    Raises
    ------
    PassageFileError
        When there is nothing at `path`.
    """
    if path.is_dir():
        listing = "\n".join(f"{file.relative_to(path)} {file.stat().st_size}" for file in sorted(path.rglob("*.parquet")))
        return hashlib.sha256(listing.encode()).hexdigest()[:16]
    if not path.is_file():
        raise PassageFileError(f"the passage file {path} does not exist")
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()[:16]


class PassageStore:
    """Passages by row number, from an Arrow data set on disk that is mapped, not loaded."""

    def __init__(self, dataset: Dataset) -> None:
        self._dataset = dataset

    @classmethod
    def write(cls, passages: Sequence[Passage], folder: Path) -> PassageStore:
        """Write `passages` to `folder` and return the store over them."""
        from datasets import Dataset, disable_progress_bars

        disable_progress_bars()
        columns = {field: [getattr(passage, field) for passage in passages] for field in FIELDS}
        Dataset.from_dict(columns).save_to_disk(str(folder))
        return cls.load(folder)

    @classmethod
    def load(cls, folder: Path) -> PassageStore:
        """Open what `write` wrote.

        Raises
        ------
        ValueError
            When `folder` holds no such data set.
        """
        from datasets import load_from_disk

        try:
            dataset = load_from_disk(str(folder))
        except Exception as error:  # datasets raises its own, Arrow's and the system's errors here
            raise ValueError(f"{folder} holds no readable passages ({error})") from error
        missing = [field for field in FIELDS if field not in dataset.column_names]
        if missing:
            raise ValueError(f"{folder} lacks the columns {missing}; it has {dataset.column_names}")
        return cls(dataset)

    def __len__(self) -> int:
        return len(self._dataset)

    def __getitem__(self, row: int) -> Passage:
        record = self._dataset[row]
        return Passage(*(record[field] for field in FIELDS))

    def __iter__(self) -> Iterator[Passage]:
        return (self[row] for row in range(len(self)))
