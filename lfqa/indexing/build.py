"""An index: passages, their vectors, dense and sparse half and a manifest in one folder, which appears in one rename."""

from __future__ import annotations

import functools
import glob
import hashlib
import json
import os
import re
import shutil
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

import numpy as np
from filelock import FileLock
from numpy.typing import NDArray

from lfqa.corpus.store import PassageStore, PassageWriter
from lfqa.indexing.dense import IndexType, Tuning, build_dense, choose_type
from lfqa.retrieval.dense import DenseIndex, Encoder, Vectors
from lfqa.retrieval.filters import Filters
from lfqa.retrieval.sparse import SparseIndex
from lfqa.types import Passage

if TYPE_CHECKING:
    from lfqa.indexing.staging import Staging

Query = TypeVar("Query", contravariant=True)

HalfVectors = NDArray[np.float16]

FORMAT = 2
MANIFEST, PASSAGES, VECTORS, DENSE, SPARSE = "manifest.json", "passages", "vectors.npy", "dense.faiss", "sparse"
_QUERIES = 200  # questions, and as many titles, that the search of a large index is tuned with
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")

Progress = Callable[[str, int, int], object]
"""Told the step's name, how much is done, and how much there is, or 0 where that is not known yet."""


class IndexProblem(ValueError):
    """An index that is missing, damaged, foreign or out of date; the message names it and the command that repairs it."""


@dataclass(frozen=True)
class Manifest:
    """What an index was made of.

    Attributes
    ----------
    corpus, model
        Digests of the passages and of the retriever's checkpoint.
    dimension
        Length of the vectors.
    index_type, wanted_type
        How FAISS keeps the vectors, and the type that was asked for.
    nprobe, recall, queries
        See `lfqa.indexing.dense.Tuning`.
    files
        Bytes of each part, by its name.
    versions
        Of the programs that made it.
    """

    format: int
    corpus: str
    model: str
    passages: int
    dimension: int
    index_type: str = "Flat"
    wanted_type: IndexType = "auto"
    nprobe: int | None = None
    recall: float | None = None
    queries: int = 0
    files: dict[str, int] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=dict)


class ByRow(Protocol):
    """Vectors by row."""

    def __getitem__(self, row: int) -> HalfVectors: ...


@dataclass(frozen=True)
class Half(Generic[Query]):
    """One of the two searches over some of the passages, in the shape that ``search.py`` asks for."""

    search: Callable[[Query, int], Sequence[tuple[int, float]]]


@dataclass(frozen=True)
class Asked:
    """The passages of an index that pass a filter.

    Attributes
    ----------
    contributions
        Takes a question and passage ids, and returns for each what each term adds to its BM25 score.
    """

    passages: PassageStore
    dense: Half[Vectors]
    sparse: Half[str]
    contributions: Callable[[str, Sequence[str]], list[dict[str, float]]]


@dataclass(frozen=True)
class Index:
    """An opened index: row n of each part is the same passage."""

    folder: Path
    manifest: Manifest
    passages: PassageStore
    dense: DenseIndex
    sparse: SparseIndex

    def asked(self, filters: Filters | None = None) -> Asked:
        """Return the view of one question, over the passages that pass `filters`."""
        dense, sparse = self.dense, self.sparse

        def told(question: str, ids: Sequence[str]) -> list[dict[str, float]]:
            return sparse.contributions(question, sparse.rows_of(ids))

        if not filters:
            return Asked(self.passages, Half(dense.search), Half(sparse.search), told)
        rows = functools.cache(lambda: sparse.rows(filters))
        return Asked(
            self.passages,
            Half(lambda vector, k: dense.search(vector, k, rows())),
            Half(lambda question, k: sparse.search(question, k, filters)),
            told,
        )


def check_name(name: str) -> str:
    """Return `name` if it can be an index's name.

    Raises
    ------
    ValueError
        When it is not 1 to 64 letters, digits, ``.``, ``_`` or ``-``, starting with a letter or digit.
    """
    if not _NAME.fullmatch(name):
        raise ValueError(f"{name!r} can not name an index: use 1 to 64 letters, digits, '.', '_' or '-', a letter or digit first")
    return name


# building


def build_index(
    staging: Staging,
    folder: Path,
    encoder: Encoder,
    *,
    model: str,
    corpus: str | None = None,
    old: ByRow | None = None,
    beside: Callable[[Path, Counter[int]], object] = lambda folder, rows: None,
    wanted_type: IndexType = "auto",
    questions: Sequence[str] = (),
    progress: Progress | None = None,
) -> Index:
    """Build the index of the passages in `staging` in `folder`, replacing what is there; hold `building` meanwhile.

    Of passages with the same id the last is taken.

    Parameters
    ----------
    model
        Digest of the encoder's checkpoint.
    corpus
        Digest for the manifest; made from the passages where it is not given.
    old
        Vectors of the index that is replaced, of the same model, for the rows that stay.
    beside
        Writes what else goes into the folder, given how many rows each source has in it.
    wanted_type
        Of the dense half; chosen by the number of passages where it is ``auto``.
    questions
        Such as will be asked: the search of a large index is tuned with them, and with its passages' titles.

    Raises
    ------
    IndexProblem
        When there are no passages.
    """
    tell = progress or (lambda step, done, total: None)
    folder.parent.mkdir(parents=True, exist_ok=True)
    work = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f".{folder.name}~"))
    try:
        rows, digest = _embed(staging, work, encoder, model, old, tell)
        beside(work, rows)
        tuning = _write_halves(work, encoder, wanted_type, questions, tell)
        made = {name: version(name) for name in ("lfqa", "faiss-cpu", "tantivy", "pyarrow", "torch")}
        manifest = Manifest(
            FORMAT, corpus or digest, model, rows.total(), encoder.dimension, tuning.index_type, wanted_type, tuning.nprobe, tuning.recall,
            tuning.queries, _sizes(work), made,
        )  # fmt: skip
        (work / MANIFEST).write_text(json.dumps(asdict(manifest), indent=2) + "\n", encoding="utf-8")
        _put(work, folder)
        tell("write", 3, 3)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return open_index(folder)


def _embed(staging: Staging, work: Path, encoder: Encoder, model: str, old: ByRow | None, tell: Progress) -> tuple[Counter[int], str]:
    """Write passages and vectors; return how many rows each source has, and the digest of the passages."""
    from lfqa.indexing.staging import CHUNK

    taken = staging.last_of_each_id()
    total = int(taken.sum())
    if not total:
        raise IndexProblem("there are no passages to index")
    vectors = np.lib.format.open_memmap(work / VECTORS, mode="w+", dtype=np.float16, shape=(total, encoder.dimension))
    writer = PassageWriter(work / PASSAGES)
    whole = hashlib.sha256()
    rows: Counter[int] = Counter()
    waiting: list[tuple[int, Passage]] = []
    fresh = total - (_staying(staging, taken) if old is not None else 0)
    row = place = done = 0

    def embed() -> None:
        nonlocal done
        made = staging.vectors([passage for _, passage in waiting], encoder, model, lambda count: tell("embed", done + count, fresh))
        vectors[[number for number, _ in waiting]] = made
        done += len(waiting)
        waiting.clear()

    for stretch, passages in staging.passages():
        kept = [(offset, passage) for offset, passage in enumerate(passages) if taken[place + offset]]
        for offset, passage in kept:
            whole.update(repr(passage).encode())
            if old is not None and stretch.old is not None:
                vectors[row] = old[stretch.old + offset]
            else:
                waiting.append((row, passage))
            row += 1
            if len(waiting) == CHUNK:
                embed()
        writer.add(passage for _, passage in kept)
        rows[stretch.source] += len(kept)
        place += len(passages)
    if waiting:
        embed()
    writer.close()
    vectors.flush()
    return rows, whole.hexdigest()[:16]


def _staying(staging: Staging, taken: NDArray[np.bool_]) -> int:
    """Return how many rows that are taken are in the index that is replaced."""
    count = place = 0
    for stretch in staging.stretches():
        if stretch.old is not None:
            count += int(taken[place : place + stretch.rows].sum())
        place += stretch.rows
    return count


def _write_halves(work: Path, encoder: Encoder, wanted: IndexType, questions: Sequence[str], tell: Progress) -> Tuning:
    """Write the dense and the sparse half beside passages and vectors, and return how the dense one was made."""
    tell("write", 0, 3)
    passages = PassageStore.load(work / PASSAGES)
    inexact = choose_type(len(passages), wanted) != "Flat"
    asked = [*questions[:_QUERIES], *_titles(passages)] if inexact else []
    queries = encoder.questions(asked) if asked else np.zeros((0, encoder.dimension), dtype=np.float32)
    dense, tuning = build_dense(np.load(work / VECTORS, mmap_mode="r"), queries, wanted)
    dense.save(work / DENSE)
    tell("write", 1, 3)
    SparseIndex.build(passages, work / SPARSE)
    tell("write", 2, 3)
    return tuning


def _titles(passages: PassageStore) -> list[str]:
    """Return what passages spread over the index are about: texts that are more like questions than any other in it."""
    rows = range(0, len(passages), max(1, len(passages) // _QUERIES))
    said = (" ".join((passages[row].article_title, passages[row].section_title)).strip() for row in rows)
    return list(dict.fromkeys(text for text in said if text))


def _sizes(folder: Path) -> dict[str, int]:
    """Return the bytes of the files in `folder`, without those that Tantivy keeps as locks."""
    files = [file for file in sorted(folder.rglob("*")) if file.is_file() and not file.name.startswith(".")]
    return {file.relative_to(folder).as_posix(): file.stat().st_size for file in files}


def _put(work: Path, folder: Path) -> None:
    try:
        os.rename(work, folder)
    except OSError:
        if not folder.is_dir():
            raise
        # an older index stands there
        old = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f".{folder.name}~"))
        os.rename(folder, old / "index")
        try:
            os.rename(work, folder)
        except OSError:
            os.rename(old / "index", folder)
            raise
        shutil.rmtree(old, ignore_errors=True)


@contextmanager
def building(folder: Path) -> Iterator[Path]:
    """Keep every other process from building or removing `folder`, and clear away what a killed one left but for its staging.

    The lock goes with the process that holds it. Yields the folder for the staging, which `folder` has for itself.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(folder.parent / f".{folder.name}.lock"):
        for left in folder.parent.glob(f".{glob.escape(folder.name)}~*"):
            if not folder.exists() and (left / "index" / MANIFEST).is_file():
                os.rename(left / "index", folder)  # it was killed between the two renames
            shutil.rmtree(left, ignore_errors=True)
        yield folder.parent / f".{folder.name}.parts"


# opening


def read_manifest(folder: Path) -> Manifest:
    """Return the manifest of the index in `folder`.

    Raises
    ------
    IndexProblem
        When there is none, or it is not of this format.
    """
    name = folder.name
    try:
        values = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        manifest = Manifest(**values)
    except FileNotFoundError as error:
        raise IndexProblem(f"{name} is no index: {folder} has no {MANIFEST}") from error
    except (ValueError, TypeError) as error:
        raise IndexProblem(f"the index {name} is damaged: {folder / MANIFEST} can not be read ({error})") from error
    if manifest.format != FORMAT:
        raise IndexProblem(f"the index {name} has format {manifest.format}, this version reads {FORMAT}")
    return manifest


def open_index(folder: Path) -> Index:
    """Open the index in `folder`.

    Raises
    ------
    IndexProblem
        When a part is missing, cut short, damaged or foreign.
    """
    manifest = read_manifest(folder)
    try:
        for file, size in manifest.files.items():
            there = (folder / file).stat().st_size
            if there != size:
                raise ValueError(f"{file} has {there:,} bytes, its manifest says {size:,}")
        index = Index(
            folder,
            manifest,
            PassageStore.load(folder / PASSAGES),
            DenseIndex.load(folder / DENSE),
            SparseIndex(folder / SPARSE),
        )
        sizes = {"passages": len(index.passages), "dense": len(index.dense), "sparse": len(index.sparse)}
        if set(sizes.values()) != {manifest.passages}:
            raise ValueError(f"its manifest says {manifest.passages} passages, its parts hold {sizes}")
        if index.dense.dimension != manifest.dimension:
            raise ValueError(f"its manifest says vectors of {manifest.dimension}, its dense half holds vectors of {index.dense.dimension}")
    except FileNotFoundError as error:
        raise IndexProblem(f"the index {folder.name} is damaged: {error.filename} is missing") from error
    except ValueError as error:
        raise IndexProblem(f"the index {folder.name} is damaged: {error}") from error
    return index


def vectors_of(index: Index) -> HalfVectors:
    """Return the vectors that the dense half of `index` was made of, shape (passages, dimension), memory-mapped.

    Raises
    ------
    IndexProblem
        When they are damaged.
    """
    try:
        vectors: HalfVectors = np.load(index.folder / VECTORS, mmap_mode="r")
    except (OSError, ValueError) as error:
        raise IndexProblem(f"the index {index.folder.name} is damaged: {VECTORS} can not be read ({error})") from error
    if vectors.shape != (index.manifest.passages, index.manifest.dimension) or vectors.dtype != np.float16:
        raise IndexProblem(f"the index {index.folder.name} is damaged: {VECTORS} holds {vectors.dtype} of shape {vectors.shape}")
    return vectors
