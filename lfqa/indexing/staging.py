"""Passages and vectors on their way into an index, in pieces that are whole or not there, so that a killed run goes on where it stopped.

The passages of all sources lie one after the other. A segment holds a stretch of them, as a passage store; the note beside it says which
sources are in it and where the reading stands at its end, and appears last. Vectors lie in files that are named by what they are of.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from lfqa.corpus.store import PassageStore
from lfqa.retrieval.dense import Encoder, passage_input
from lfqa.types import Passage

Half = NDArray[np.float16]

SEGMENT = 20_000
"""Passages after which a segment ends, at the next end of a document."""
CHUNK = 2048
"""Passages that are embedded, and saved, together: enough to sort by length, few enough that a kill costs seconds."""

_NOTE = "note.json"


@dataclass(frozen=True, slots=True)
class Stretch:
    """Rows that belong to a source.

    Attributes
    ----------
    source
        Its number in the plan.
    rows
        How many.
    old
        The row of the index that is replaced which the first of them is; None where they were read.
    """

    source: int
    rows: int
    old: int | None = None


class Sliced(Protocol):
    """Passages by row."""

    def slice(self, first: int, after: int) -> Iterator[Passage]:
        """Yield the passages of the rows from `first` to before `after`."""


@dataclass(frozen=True, slots=True)
class Item:
    """Where the passages of a source come from.

    Attributes
    ----------
    read
        Yields the passages of each of its documents, but for the first so many; raises ValueError when it can not be read. None keeps the
        rows that it has.
    kept
        First row, and row after the last, that it has in the index that is replaced; None where it has none.
    """

    read: Callable[[int], Iterable[list[Passage]]] | None
    kept: tuple[int, int] | None = None


@dataclass
class _Note:
    segment: int
    source: int = 0
    documents: int = 0  # of that source, or rows where they are kept, that are in the segments up to here
    stretches: list[Stretch] = field(default_factory=list)
    failed: dict[int, str] = field(default_factory=dict)
    checksum: int = 0


class Staging:
    """The folder in which an index is prepared; everything in it can be made again.

    Parameters
    ----------
    folder
        Made where it is missing.
    plan
        Digest of everything that the passages depend on: segments of another plan are thrown away.
    """

    def __init__(self, folder: Path, plan: str) -> None:
        self._folder, self._read, self._vectors = folder, folder / "read", folder / "vectors"
        folder.mkdir(parents=True, exist_ok=True)
        noted = folder / "plan"
        if not noted.is_file() or noted.read_text(encoding="utf-8") != plan:
            shutil.rmtree(self._read, ignore_errors=True)
            _write(noted, plan.encode())
        self._read.mkdir(exist_ok=True)
        self._vectors.mkdir(exist_ok=True)
        self._notes = list(self._whole_segments())

    # passages

    def _segment(self, number: int) -> Path:
        return self._read / f"{number:06}"

    def _whole_segments(self) -> Iterator[_Note]:
        """Yield the notes of the segments up to the first that is not whole."""
        for number in range(len(list(self._read.iterdir()))):
            folder = self._segment(number)
            try:
                values: dict[str, Any] = json.loads((folder / _NOTE).read_text(encoding="utf-8"))
                values["stretches"] = [Stretch(**each) for each in values["stretches"]]
                values["failed"] = {int(source): reason for source, reason in values["failed"].items()}
                note = _Note(**values)
                whole = note.checksum == _checksum(folder)
            except (OSError, ValueError, TypeError, KeyError):
                return
            if not whole:
                return
            yield note

    @property
    def failed(self) -> dict[int, str]:
        """Why sources could not be read, by their numbers."""
        return {source: reason for note in self._notes for source, reason in note.failed.items()}

    def read(self, items: Sequence[Item], old: Sliced | None, tell: Callable[[int], object]) -> None:
        """Read what has not been read yet; `tell` is told how many passages there are by now.

        A source that can not be read keeps the rows that it has, or has none.
        """
        last = self._notes[-1] if self._notes else _Note(-1)
        note, held = _Note(len(self._notes), last.source, last.documents), list[Passage]()
        failed = set(self.failed)
        count = sum(stretch.rows for each in self._notes for stretch in each.stretches)

        def put(stretch: Stretch, passages: list[Passage]) -> None:
            nonlocal note, held, count
            if passages:
                before = note.stretches[-1] if note.stretches else None
                if before is not None and before.source == stretch.source and before.old is None is stretch.old:
                    note.stretches[-1] = Stretch(stretch.source, before.rows + stretch.rows)
                else:
                    note.stretches.append(stretch)
                held += passages
                count += len(passages)
                tell(count)
            if len(held) >= SEGMENT:
                self._close(note, held)
                note, held = _Note(len(self._notes), note.source, note.documents), []

        for number in range(last.source, len(items)):
            item = items[number]
            if item.read is not None and number not in failed:
                try:
                    for passages in item.read(note.documents):
                        note.documents += 1
                        put(Stretch(number, len(passages)), passages)
                except ValueError as error:
                    note.failed[number] = str(error)
                    note.documents = 0
                    failed.add(number)
            if old is not None and item.kept is not None and (item.read is None or number in failed):
                first, after = item.kept
                for start in range(first + note.documents, after, SEGMENT):
                    stop = min(after, start + SEGMENT)
                    note.documents += stop - start
                    put(Stretch(number, stop - start, start), list(old.slice(start, stop)))
            note.source, note.documents = number + 1, 0
        if note.source > last.source:
            self._close(note, held)

    def _close(self, note: _Note, held: Sequence[Passage]) -> None:
        folder = self._segment(note.segment)
        shutil.rmtree(folder, ignore_errors=True)
        PassageStore.write(held, folder)
        note.checksum = _checksum(folder)
        _write(folder / _NOTE, json.dumps(asdict(note)).encode())
        self._notes.append(note)

    def stretches(self) -> Iterator[Stretch]:
        """Yield what `passages` yields, without the passages."""
        failed = self.failed
        for note in self._notes:
            yield from (each for each in note.stretches if each.old is not None or each.source not in failed)

    def passages(self) -> Iterator[tuple[Stretch, list[Passage]]]:
        """Yield the stretches in order with their passages, without those of sources that turned out unreadable."""
        failed = self.failed
        for note in self._notes:
            store = PassageStore.load(self._segment(note.segment))
            row = 0
            for stretch in note.stretches:
                if stretch.old is not None or stretch.source not in failed:
                    yield stretch, list(store.slice(row, row + stretch.rows))
                row += stretch.rows

    def last_of_each_id(self) -> NDArray[np.bool_]:
        """Return for each row of `passages` whether no later row has the same id.

        Ids are compared by digests of 64 bits: among 17.5 million, the chance that any two are taken for one is 1 in 100,000.
        """
        digests = np.fromiter(
            (
                int.from_bytes(hashlib.blake2b(passage.passage_id.encode(), digest_size=8).digest(), "little")
                for _, passages in self.passages()
                for passage in passages
            ),
            dtype=np.uint64,
        )
        latest = np.zeros(len(digests), dtype=np.bool_)
        latest[len(digests) - 1 - np.unique(digests[::-1], return_index=True)[1]] = True
        return latest

    # vectors

    def vectors(self, passages: Sequence[Passage], encoder: Encoder, model: str, tell: Callable[[int], object]) -> Half:
        """Return the vectors of `passages`, shape (len(passages), dimension), made now or by a run before.

        Parameters
        ----------
        model
            Digest of the encoder's checkpoint.
        tell
            Told how many of them are done.

        Raises
        ------
        ValueError
            When one is not finite.
        """
        whole = hashlib.sha256(f"{model} {encoder.dimension}".encode())
        for passage in passages:
            whole.update(passage_input(passage).encode() + b"\0")
        file = self._vectors / whole.hexdigest()[:32]
        shape = (len(passages), encoder.dimension)
        if file.is_file():
            data = file.read_bytes()
            if len(data) == 2 * shape[0] * shape[1] + 4 and zlib.crc32(data[:-4]) == int.from_bytes(data[-4:], "little"):
                tell(len(passages))
                return np.frombuffer(data[:-4], dtype=np.float16).reshape(shape)
        with np.errstate(over="ignore"):
            vectors = encoder.passages(passages, tell).astype(np.float16)
        if not np.isfinite(vectors).all():
            raise ValueError("the retriever made vectors that are not finite in half precision: its checkpoint is damaged")
        data = vectors.tobytes()
        _write(file, data + zlib.crc32(data).to_bytes(4, "little"))
        return vectors


def _checksum(folder: Path) -> int:
    checksum = 0
    for file in sorted(folder.iterdir()):
        if file.name != _NOTE:
            with file.open("rb") as stream:
                while piece := stream.read(1 << 20):
                    checksum = zlib.crc32(piece, checksum)
    return checksum


def _write(file: Path, data: bytes) -> None:
    work = file.with_name(f".{file.name}~")
    work.write_bytes(data)
    os.replace(work, file)
