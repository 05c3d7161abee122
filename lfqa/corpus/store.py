"""Passage files and the passage store: JSON lines in, a memory-mapped Arrow data set out."""

from __future__ import annotations

import gzip
import hashlib
import json
import zlib
from collections.abc import Iterable, Iterator, Mapping
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from lfqa.types import Passage

if TYPE_CHECKING:
    import pyarrow

Value = TypeVar("Value")

FIELDS = ("passage_id", "article_title", "section_title", "passage_text")
_COLUMNS = {**dict.fromkeys(FIELDS, "string"), "source": "string", "page": "int32", "start": "int64", "end": "int64"}
_DATA = "data-00000-of-00001.arrow"  # the name that `datasets` gives it
_BATCH = 1000  # rows: few enough that one passage is found without unpacking much, many enough to be written fast
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
    return Passage(values[0], values[1], values[2], values[3], source)


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


class PassageWriter:
    """Writes a passage store, piece by piece; it is one once `close` has been called.

    Parameters
    ----------
    folder
        Made where it is missing; a store in it is written over.
    """

    def __init__(self, folder: Path) -> None:
        import pyarrow

        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._schema = pyarrow.schema([(name, getattr(pyarrow, kind)()) for name, kind in _COLUMNS.items()])
        self._file = pyarrow.OSFile(str(folder / _DATA), "wb")
        self._stream = pyarrow.ipc.new_stream(self._file, self._schema)
        self._waiting: list[Passage] = []

    def add(self, passages: Iterable[Passage]) -> None:
        """Append passages; the file does not depend on how many at a time."""
        for batch in batched(chain(self._waiting, passages), _BATCH):
            self._waiting = batch
            if len(batch) == _BATCH:
                self._flush()

    def _flush(self) -> None:
        import pyarrow

        columns = [[getattr(passage, name) for passage in self._waiting] for name in _COLUMNS]
        self._stream.write_batch(pyarrow.record_batch(columns, schema=self._schema))
        self._waiting = []

    def close(self) -> None:
        """Finish the store."""
        if self._waiting:
            self._flush()
        self._stream.close()
        self._file.close()
        # the two files beside the data that make it a data set for `datasets.load_from_disk`
        features = {name: {"dtype": kind, "_type": "Value"} for name, kind in _COLUMNS.items()}
        state: dict[str, Any] = dict.fromkeys(("_format_columns", "_format_type", "_split"))
        state |= {"_data_files": [{"filename": _DATA}], "_fingerprint": "0" * 16, "_format_kwargs": {}, "_output_all_columns": False}
        (self._folder / "dataset_info.json").write_text(json.dumps({"features": features}), encoding="utf-8")
        (self._folder / "state.json").write_text(json.dumps(state), encoding="utf-8")


def batched(values: Iterable[Value], size: int) -> Iterator[list[Value]]:
    """Yield `values` in lists of `size`, the last one shorter."""
    rest = iter(values)
    while batch := list(islice(rest, size)):
        yield batch


class PassageStore:
    """Passages by row number, from an Arrow data set on disk that is mapped, not loaded.

    Notes
    -----
    It can be opened with ``datasets.load_from_disk``. Here it is read by Arrow itself: importing `datasets`, and pandas with it, would
    be a good part of the time that a question takes from a cold start.
    """

    def __init__(self, table: pyarrow.Table) -> None:
        # stores of earlier versions have the fields only
        self._table = table.select([name for name in _COLUMNS if name in table.column_names])
        self._columns = self._table.columns

    @classmethod
    def write(cls, passages: Iterable[Passage], folder: Path) -> PassageStore:
        """Write `passages` to `folder` and return the store over them."""
        writer = PassageWriter(folder)
        writer.add(passages)
        writer.close()
        return cls.load(folder)

    @classmethod
    def load(cls, folder: Path) -> PassageStore:
        """Open what `write` wrote.

        Raises
        ------
        ValueError
            When `folder` holds no such data set.
        """
        import pyarrow

        try:
            state = json.loads((folder / "state.json").read_text(encoding="utf-8"))
            parts = [_map_table(folder / part["filename"]) for part in state["_data_files"]]
            table = pyarrow.concat_tables(parts)
        except (OSError, ValueError, KeyError, TypeError, pyarrow.ArrowException) as error:
            raise ValueError(f"{folder} holds no readable passages ({error})") from error
        missing = [field for field in FIELDS if field not in table.column_names]
        if missing:
            raise ValueError(f"{folder} lacks the columns {missing}; it has {table.column_names}")
        return cls(table)

    def __len__(self) -> int:
        return int(self._table.num_rows)

    def __getitem__(self, row: int) -> Passage:
        return Passage(*(column[row].as_py() for column in self._columns))

    def __iter__(self) -> Iterator[Passage]:
        return self.slice(0, len(self))

    def slice(self, first: int, after: int) -> Iterator[Passage]:
        """Yield the passages of the rows from `first` to before `after`."""
        for batch in self._table.slice(first, after - first).to_batches(_BATCH):
            yield from map(Passage, *(column.to_pylist() for column in batch.columns))


def _map_table(file: Path) -> pyarrow.Table:
    import pyarrow

    with pyarrow.memory_map(str(file)) as source, pyarrow.ipc.open_stream(source) as stream:
        return stream.read_all()
