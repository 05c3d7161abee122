"""Which index answers: the corpus' own, built on first use, or one that `lfqa index add` made under a name."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Iterable
from pathlib import Path

from lfqa.corpus.store import corpus_digest, read_passages
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
)
from lfqa.retrieval.dense import Encoder
from lfqa.types import Passage


class Catalog:
    """The indexes under a cache folder.

    Parameters
    ----------
    cache
        ``indexes/`` in it holds the named ones, ``corpora/`` those of corpus files.
    model
        Digest of the retriever's checkpoint: an index made with another one is built again.
    """

    def __init__(self, cache: Path, model: str) -> None:
        self.named, self.corpora, self.model = cache / "indexes", cache / "corpora", model

    def of_corpus(self, path: Path, encoder: Encoder, progress: Progress | None = None) -> Index:
        """Return the index of a passage file, building it when the file or the model changed or the index is damaged."""
        digest = corpus_digest(path)
        folder = self.corpora / f"{path.name.split('.')[0]}-{digest}-{self.model}"
        if (index := _opened(folder)) is not None:
            return index
        with building(folder):
            if (index := _opened(folder)) is not None:  # built by another process meanwhile
                return index
            return build_index(list(read_passages(path)), folder, encoder, corpus=digest, model=self.model, progress=progress)

    def open(self, name: str, encoder: Encoder, progress: Progress | None = None) -> Index:
        """Return the index `name`; one made with another retriever is embedded anew.

        Raises
        ------
        IndexProblem
            When there is no such index, or it is damaged.
        """
        folder = self.named / check_name(name)
        if not folder.is_dir():
            there = ", ".join(sorted(self.names())) or "none yet"
            raise IndexProblem(f"there is no index {name!r} (there: {there}); make it with `lfqa index add FILE --name {name}`")
        index = open_index(folder)
        if index.manifest.model == self.model:
            return index
        with building(folder):
            index = open_index(folder)
            if index.manifest.model == self.model:  # by another process meanwhile
                return index
            passages = list(index.passages)
            return build_index(passages, folder, encoder, corpus=index.manifest.corpus, model=self.model, progress=progress)

    def add(self, name: str, passages: Iterable[Passage], encoder: Encoder, progress: Progress | None = None) -> Index:
        """Add passages to the index `name`, making it where there is none; a passage with a known id replaces the old one."""
        with building(self.named / check_name(name)):
            return self._add(self.named / name, passages, encoder, progress)

    def _add(self, folder: Path, passages: Iterable[Passage], encoder: Encoder, progress: Progress | None) -> Index:
        held: dict[str, Passage] = {}
        known = {}
        if folder.is_dir():
            index = open_index(folder)
            held = {passage.passage_id: passage for passage in index.passages}
            if index.manifest.model == self.model:
                known = {passage: index.dense.vector(row) for row, passage in enumerate(index.passages)}
        held.update((passage.passage_id, passage) for passage in passages)
        everything = list(held.values())
        digest = hashlib.sha256()
        for passage in everything:
            digest.update(repr(passage).encode())
        return build_index(everything, folder, encoder, corpus=digest.hexdigest()[:16], model=self.model, known=known, progress=progress)

    def names(self) -> list[str]:
        """Return the names of the indexes made by `add`, sorted."""
        if not self.named.is_dir():
            return []
        return sorted(folder.name for folder in self.named.iterdir() if folder.is_dir() and not folder.name.startswith("."))

    def info(self, name: str) -> Manifest:
        """Return the manifest of the index `name`."""
        return read_manifest(self.named / check_name(name))

    def remove(self, name: str) -> None:
        """Delete the index `name`.

        Raises
        ------
        IndexProblem
            When there is no such index.
        """
        folder = self.named / check_name(name)
        if not folder.is_dir():
            raise IndexProblem(f"there is no index {name!r}")
        with building(folder):
            shutil.rmtree(folder)


def _opened(folder: Path) -> Index | None:
    try:
        return open_index(folder)
    except IndexProblem:
        return None
