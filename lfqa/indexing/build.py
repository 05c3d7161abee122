"""Building an index: passages, dense and sparse half and a manifest in one folder, which appears in one rename."""

from __future__ import annotations

import glob
import json
import os
import re
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from filelock import FileLock

from lfqa.corpus.store import PassageStore
from lfqa.retrieval.dense import DenseIndex, Encoder
from lfqa.retrieval.sparse import SparseIndex
from lfqa.types import Passage

FORMAT = 1
MANIFEST = "manifest.json"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")

Progress = Callable[[str, int, int], object]
"""Told the step's name, how much is done, and how much there is."""


class IndexProblem(ValueError):
    """An index that is missing, damaged or foreign; the message names it and the command that repairs it."""


@dataclass(frozen=True)
class Manifest:
    """What an index was made of.

    Attributes
    ----------
    corpus, model
        Digests of the passages and of the retriever's checkpoint.
    dimension
        Length of the vectors.
    """

    format: int
    corpus: str
    model: str
    passages: int
    dimension: int


@dataclass(frozen=True)
class Index:
    """An opened index: row n of each part is the same passage."""

    folder: Path
    manifest: Manifest
    passages: PassageStore
    dense: DenseIndex
    sparse: SparseIndex


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


def build_index(
    passages: Sequence[Passage],
    folder: Path,
    encoder: Encoder,
    *,
    corpus: str,
    model: str,
    known: dict[Passage, np.ndarray] | None = None,
    progress: Progress | None = None,
) -> Index:
    """Build the index of `passages` in `folder`, replacing what is there; hold `building` where others may build it too.

    Parameters
    ----------
    corpus, model
        Digests for the manifest.
    known
        Vectors of passages that were embedded by the same model before.
    """
    if not passages:
        raise IndexProblem("there are no passages to index")
    known = known or {}
    tell = progress or (lambda step, done, total: None)
    fresh = [passage for passage in passages if passage not in known]
    embedded: Sequence[np.ndarray] | np.ndarray = encoder.passages(fresh, lambda done: tell("embed", done, len(fresh))) if fresh else []
    vectors_of = {**known, **dict(zip(fresh, embedded, strict=True))}
    vectors = np.stack([vectors_of[passage] for passage in passages])
    folder.parent.mkdir(parents=True, exist_ok=True)
    work = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f".{folder.name}~"))
    try:
        tell("write", 0, 3)
        PassageStore.write(passages, work / "passages")
        tell("write", 1, 3)
        DenseIndex.build(vectors).save(work / "dense.faiss")
        tell("write", 2, 3)
        SparseIndex.build(passages, work / "sparse")
        manifest = Manifest(FORMAT, corpus, model, len(passages), int(vectors.shape[1]))
        (work / MANIFEST).write_text(json.dumps(asdict(manifest), indent=2) + "\n", encoding="utf-8")
        _put(work, folder)
        tell("write", 3, 3)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return open_index(folder)


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
def building(folder: Path) -> Iterator[None]:
    """Keep every other process from building or removing `folder`, and clear away what a killed one left.

    The lock goes with the process that holds it.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(folder.parent / f".{folder.name}.lock"):
        for left in folder.parent.glob(f".{glob.escape(folder.name)}~*"):
            if not folder.exists() and (left / "index" / MANIFEST).is_file():
                os.rename(left / "index", folder)  # it was killed between the two renames
            shutil.rmtree(left, ignore_errors=True)
        yield


def read_manifest(folder: Path) -> Manifest:
    """Return the manifest of the index in `folder`.

    Raises
    ------
    IndexProblem
        When there is none, or it is not of this format.
    """
    try:
        values = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        manifest = Manifest(**values)
    except FileNotFoundError as error:
        raise IndexProblem(f"{folder} is no index: it has no {MANIFEST}") from error
    except (ValueError, TypeError) as error:
        raise IndexProblem(f"{folder / MANIFEST} is damaged ({error}); remove the folder, it is built again") from error
    if manifest.format != FORMAT:
        raise IndexProblem(f"{folder} has index format {manifest.format}, this version reads {FORMAT}; remove it, it is built again")
    return manifest


def open_index(folder: Path) -> Index:
    """Open the index in `folder`.

    Raises
    ------
    IndexProblem
        When a part is missing, damaged, or does not have as many passages as the manifest says.
    """
    manifest = read_manifest(folder)
    try:
        index = Index(
            folder,
            manifest,
            PassageStore.load(folder / "passages"),
            DenseIndex.load(folder / "dense.faiss"),
            SparseIndex(folder / "sparse"),
        )
    except ValueError as error:
        raise IndexProblem(f"the index {folder.name} is damaged: {error}; remove {folder}, it is built again") from error
    sizes = {"passages": len(index.passages), "dense": len(index.dense), "sparse": len(index.sparse)}
    if set(sizes.values()) != {manifest.passages}:
        raise IndexProblem(
            f"the index {folder.name} is damaged: its manifest says {manifest.passages} passages, its parts hold {sizes}; "
            f"remove {folder}, it is built again"
        )
    return index
