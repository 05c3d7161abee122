"""Several indexes as one: the passages and vectors of all, one after the other."""

from __future__ import annotations

import bisect
from collections.abc import Iterator, Sequence
from itertools import accumulate

import numpy as np
from numpy.typing import NDArray

from lfqa.corpus.sources import Roots
from lfqa.corpus.store import PassageStore
from lfqa.indexing.build import Index, IndexProblem, vectors_of
from lfqa.indexing.listing import Held, Listing, Wanted, read_listing
from lfqa.types import Passage


class Joined:
    """The passages and vectors of several indexes by row: those of the first, then those of the second, and so on."""

    def __init__(self, indexes: Sequence[Index]) -> None:
        self._stores: list[PassageStore] = [index.passages for index in indexes]
        self._vectors = [vectors_of(index) for index in indexes]
        self.starts = [0, *accumulate(len(store) for store in self._stores)]

    def slice(self, first: int, after: int) -> Iterator[Passage]:
        """Yield the passages of the rows from `first` to before `after`."""
        for number, store in enumerate(self._stores):
            start, stop = self.starts[number], self.starts[number + 1]
            if first < stop and start < after:
                yield from store.slice(max(first, start) - start, min(after, stop) - start)

    def __getitem__(self, row: int) -> NDArray[np.float16]:
        """Return the vector of a row, shape (dimension,)."""
        number = bisect.bisect_right(self.starts, row) - 1
        vector: NDArray[np.float16] = self._vectors[number][row - self.starts[number]]
        return vector


def check_alike(indexes: Sequence[Index], model: str) -> None:
    """Refuse indexes that can not be one.

    Raises
    ------
    IndexProblem
        When there are fewer than two, or another retriever made the vectors of one.
    """
    if len(indexes) < 2:
        raise IndexProblem(f"merging takes two indexes or more, not {len(indexes)}")
    for index in indexes:
        if index.manifest.model != model:
            raise IndexProblem(
                f"the index {index.folder.name} was made with another retriever ({index.manifest.model}, this is {model}); embed it anew "
                "where its documents are"
            )


def everything(indexes: Sequence[Index], starts: Sequence[int]) -> tuple[Listing, list[Wanted]]:
    """Return the listing of all sources, and what is taken of each; of a source that several have, the last one's.

    Raises
    ------
    IndexProblem
        When an index does not say what it was made of.
    """
    roots = Roots()
    held: dict[str, tuple[Held, tuple[int, int]]] = {}
    reading = None
    for index, start in zip(indexes, starts, strict=False):
        listing = read_listing(index.folder)
        if listing is None:
            raise IndexProblem(f"the index {index.folder.name} does not say what it was made of")
        roots, reading = roots.joined(listing.roots), reading or listing.reading
        bounds = listing.rows()
        for each in listing.held:
            first, after = bounds[each.source.place]
            held.pop(each.source.place, None)
            held[each.source.place] = each, (start + first, start + after)
    there = Listing(roots, tuple(each for each, _ in held.values()), reading or Listing().reading)
    return there, [Wanted(each.source, False, rows) for each, rows in held.values()]
