"""Which index answers: the corpus' own, built on first use, or one that `lfqa index add` made under a name."""

from __future__ import annotations

import functools
import hashlib
import logging
import re
import shutil
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from lfqa.corpus.dataset import DatasetName, read_dataset
from lfqa.corpus.reading import Reading
from lfqa.corpus.sources import Roots, Skipped, Source, find_sources, read_source
from lfqa.corpus.store import PassageFileError, batched, corpus_digest, read_passages
from lfqa.indexing.build import (
    Index,
    IndexProblem,
    Manifest,
    Progress,
    build_index,
    building,
    check_name,
    open_index,
    read_manifest,
    vectors_of,
)
from lfqa.indexing.dense import IndexType
from lfqa.indexing.listing import READER, Changes, Listing, Wanted, compare, listing_of, read_listing
from lfqa.indexing.merging import Joined, check_alike, everything
from lfqa.indexing.staging import Item, Staging
from lfqa.retrieval.dense import Encoder
from lfqa.types import Passage

logger = logging.getLogger(__name__)

_BATCH = 1000  # passages of a passage file that are read together


@dataclass(frozen=True)
class Outcome:
    """What came of adding to an index."""

    index: Index
    changes: Changes


class Catalog:
    """The indexes under a cache folder.

    Parameters
    ----------
    cache
        ``indexes/`` in it holds the named ones, ``corpora/`` those of corpus files.
    model
        Digest of the retriever's checkpoint.
    """

    def __init__(self, cache: Path, model: str) -> None:
        self.named, self.corpora, self.model = cache / "indexes", cache / "corpora", model

    def of_corpus(self, path: Path, encoder: Encoder, progress: Progress | None = None) -> Index:
        """Return the index of a passage file, building it when the file or the model changed or the index is damaged.

        Raises
        ------
        PassageFileError
            When the file can not be read.
        """
        digest = corpus_digest(path)
        folder = self.corpora / f"{path.name.split('.')[0]}-{digest}-{self.model}"
        item = Item(lambda skip: islice(batched(read_passages(path), _BATCH), skip, None))
        return self._made_once(folder, item, digest, digest, encoder, progress)

    def of_dataset(self, name: DatasetName, encoder: Encoder, progress: Progress | None = None) -> Index:
        """Return the index of a data set, building it when there is none for the model or it is damaged; it is not looked at again.

        Raises
        ------
        PassageFileError
            When it can not be read.
        HubUnavailable
            When it has to be read, is not a local folder, and the hub can not be reached.
        """
        slug = re.sub(r"[^A-Za-z0-9.]+", "-", str(name)).strip("-.")
        folder = self.corpora / f"{slug}-{hashlib.sha256(str(name).encode()).hexdigest()[:8]}-{self.model}"
        return self._made_once(folder, Item(lambda skip: read_dataset(name, skip)), f"{name} {READER}", None, encoder, progress)

    def _made_once(self, folder: Path, item: Item, plan: str, corpus: str | None, encoder: Encoder, progress: Progress | None) -> Index:
        """Return the index in `folder`, building it of one source where there is none that can be opened."""
        if (index := _opened(folder)) is not None:
            return index
        with building(folder) as parts:
            if (index := _opened(folder)) is not None:  # built by another process meanwhile
                return index
            staging = Staging(parts, plan)
            staging.read([item], None, _count(progress))
            if staging.failed:
                shutil.rmtree(parts)
                raise PassageFileError(staging.failed[0])
            index = build_index(staging, folder, encoder, model=self.model, corpus=corpus, progress=progress)
            shutil.rmtree(parts)
            return index

    def open(self, name: str) -> Index:
        """Return the index `name`.

        Raises
        ------
        IndexProblem
            When there is no such index, it is damaged, or another retriever made its vectors; the message says what repairs it.
        """
        folder = self.named / check_name(name)
        if not folder.is_dir():
            there = ", ".join(self.names()) or "none yet"
            raise IndexProblem(f"there is no index {name!r} (there: {there}); make it with `lfqa index add PATH --name {name}`")
        try:
            index = open_index(folder)
        except IndexProblem as problem:
            raise IndexProblem(f"{problem}; {_repair(folder)}") from problem
        if index.manifest.model != self.model:
            raise IndexProblem(
                f"the index {name} was made with another retriever ({index.manifest.model}, this is {self.model}); embed it anew with "
                f"`lfqa index add --name {name}`, or use the retriever that made it"
            )
        return index

    def add(
        self,
        name: str,
        roots: Roots,
        encoder: Encoder,
        progress: Progress | None = None,
        *,
        reading: Reading | None = None,
        index_type: IndexType | None = None,
        questions: Sequence[str] = (),
        skip: Callable[[Skipped], object] = lambda skipped: None,
    ) -> Outcome:
        """Bring the index `name` up to date with what is under `roots` now, making it where there is none.

        Only what changed is read and embedded, and what is gone is removed; what other roots brought in stays. A run that was killed is
        gone on with by the same call. Of passages with the same id the last is taken.

        Parameters
        ----------
        roots
            Nothing stands for all that the index was made of.
        reading
            How files are read; as before where it is not given.
        index_type
            Of the dense half; as before where it is not given, at first by the number of passages.
        questions
            Such as will be asked, to tune the search of a large index with.
        skip
            Told of each file that can not be read.

        Raises
        ------
        IndexProblem
            When there is nothing to make an index of, or one that is damaged does not say what it was made of.
        DocumentError, HubUnavailable
            When a data set is not there or can not be reached.
        """
        folder = self.named / check_name(name)
        if not roots and not folder.is_dir():
            raise IndexProblem(f"there is no index {name!r} to bring up to date; make it with `lfqa index add PATH --name {name}`")
        with building(folder) as parts:
            old, there, roots = _before(folder, roots)
            reading = reading or there.reading
            taken = {each.source.name: each.source.place for each in there.held if each.source.root not in roots.names()}
            found, skipped = find_sources(roots, taken)
            for each in skipped:
                skip(each)
            wanted, changes = compare(there, roots, found, skipped, reading)
            everything = there.roots.joined(roots)
            wanted_type = index_type or (old.manifest.wanted_type if old is not None else "auto")
            same_type = old is not None and old.manifest.wanted_type == wanted_type
            if old is not None and same_type and _is_current(old, self.model, there, everything, wanted, changes):
                return Outcome(old, changes)
            staging = Staging(parts, _plan(wanted, reading, old))
            items = [Item(functools.partial(_read, each.source, everything, reading) if each.fresh else None, each.kept) for each in wanted]
            staging.read(items, old.passages if old is not None else None, _count(progress))
            for number, reason in staging.failed.items():
                skip(failed := Skipped(wanted[number].source.place, reason))
                changes.skip(failed, wanted[number])
            total = _rows(staging)

            def beside(work: Path, rows: Counter[int]) -> None:
                listing_of(everything, wanted, staging.failed, total, rows, reading, there).write(work)

            kept = vectors_of(old) if old is not None and old.manifest.model == self.model else None
            index = build_index(
                staging, folder, encoder, model=self.model, old=kept, beside=beside, wanted_type=wanted_type, questions=questions,
                progress=progress,
            )  # fmt: skip
            shutil.rmtree(parts)
            return Outcome(index, changes)

    def merge(
        self,
        name: str,
        folders: Sequence[Path],
        encoder: Encoder,
        progress: Progress | None = None,
        *,
        index_type: IndexType = "auto",
        questions: Sequence[str] = (),
    ) -> Index:
        """Make the index `name`, or make it anew, of all that the indexes in `folders` hold; nothing is read or embedded again.

        Of passages with the same id, and of sources that several have, the last are taken.

        Raises
        ------
        IndexProblem
            When an index is damaged, or they can not be one.
        """
        folder = self.named / check_name(name)
        indexes = [open_index(each) for each in folders]
        check_alike(indexes, self.model)
        joined = Joined(indexes)
        there, wanted = everything(indexes, joined.starts)
        with building(folder) as parts:
            staging = Staging(parts, _plan(wanted, there.reading, None))
            staging.read([Item(None, each.kept) for each in wanted], joined, _count(progress))
            total = _rows(staging)

            def beside(work: Path, rows: Counter[int]) -> None:
                listing_of(there.roots, wanted, {}, total, rows, there.reading, there).write(work)

            index = build_index(
                staging, folder, encoder, model=self.model, old=joined, beside=beside, wanted_type=index_type, questions=questions,
                progress=progress,
            )  # fmt: skip
            shutil.rmtree(parts)
            return index

    def names(self) -> list[str]:
        """Return the names of the indexes made by `add`, sorted."""
        if not self.named.is_dir():
            return []
        return sorted(folder.name for folder in self.named.iterdir() if folder.is_dir() and not folder.name.startswith("."))

    def info(self, name: str) -> tuple[Manifest, Listing]:
        """Return the manifest of the index `name` and what it holds.

        Raises
        ------
        IndexProblem
            When there is no such index, or its manifest is damaged.
        """
        folder = self.named / check_name(name)
        if not folder.is_dir():
            raise IndexProblem(f"there is no index {name!r}")
        try:
            return read_manifest(folder), read_listing(folder) or Listing()
        except IndexProblem as problem:
            raise IndexProblem(f"{problem}; {_repair(folder)}") from problem

    def remove(self, name: str) -> None:
        """Delete the index `name`, and what a build of it left.

        Raises
        ------
        IndexProblem
            When there is no such index.
        """
        folder = self.named / check_name(name)
        if not self.named.is_dir():
            raise IndexProblem(f"there is no index {name!r}")
        with building(folder) as parts:
            if not (folder.is_dir() or parts.is_dir()):
                raise IndexProblem(f"there is no index {name!r}")
            shutil.rmtree(parts, ignore_errors=True)
            shutil.rmtree(folder, ignore_errors=True)


def _rows(staging: Staging) -> Counter[int]:
    """Return how many passages each source has."""
    total = Counter[int]()
    for stretch in staging.stretches():
        total[stretch.source] += stretch.rows
    return total


def _read(source: Source, roots: Roots, reading: Reading, skip: int) -> Iterable[list[Passage]]:
    return read_source(source, roots.datasets, reading, skip)


def _before(folder: Path, roots: Roots) -> tuple[Index | None, Listing, Roots]:
    """Return the index that is there, what it holds, and what is to be looked through.

    One that is damaged is made anew from all that it was made of.
    """
    if not folder.is_dir():
        return None, Listing(), roots
    there = read_listing(folder)
    try:
        index = open_index(folder)
        if there is None:
            raise IndexProblem(f"the index {folder.name} does not say what it was made of")
        if sum(each.rows for each in there.held) != index.manifest.passages:
            raise IndexProblem(f"the index {folder.name} is damaged: its sources do not have as many passages as its manifest says")
        vectors_of(index)
    except IndexProblem as problem:
        if there is None or not there.roots:
            raise IndexProblem(f"{problem}; {_repair(folder)}") from problem
        logger.warning("%s; it is made anew", problem)
        return None, Listing(there.roots, reading=there.reading), there.roots.joined(roots)
    return index, there, roots or there.roots


def _repair(folder: Path) -> str:
    """Say which command repairs the index in `folder`."""
    listing = read_listing(folder)
    if listing is not None and listing.roots:
        return f"make it anew from its sources with `lfqa index add --name {folder.name}`"
    return f"remove it with `lfqa index remove {folder.name}` and add its files again"


def _is_current(old: Index, model: str, there: Listing, roots: Roots, wanted: list[Wanted], changes: Changes) -> bool:
    nothing_new = not changes.removed and not any(each.fresh for each in wanted)
    return nothing_new and there.roots == roots and old.manifest.model == model


def _plan(wanted: list[Wanted], reading: Reading, old: Index | None) -> str:
    whole = hashlib.sha256(repr((READER, reading, old.manifest.corpus if old is not None else None)).encode())
    for each in wanted:
        whole.update(repr(each).encode(errors="surrogateescape"))
    return whole.hexdigest()


def _count(progress: Progress | None) -> Callable[[int], object]:
    return (lambda done: progress("read", done, 0)) if progress is not None else (lambda done: None)


def _opened(folder: Path) -> Index | None:
    try:
        return open_index(folder)
    except IndexProblem:
        return None
