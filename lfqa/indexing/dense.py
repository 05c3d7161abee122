"""Making the dense half: the FAISS type by size, trained on a sample, its search tuned against exact search."""

from __future__ import annotations

import logging
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

import faiss
import numpy as np
from numpy.typing import NDArray

from lfqa.retrieval.dense import DenseIndex, Vectors

logger = logging.getLogger(__name__)

IndexType = Literal["auto", "flat", "ivf-fp16", "ivf-sq8"]
Half = NDArray[np.float16]

FLAT_UP_TO = 100_000
"""Vectors up to which every one is compared: some 3 ms on one core."""
FP16_UP_TO = 2_000_000
"""Vectors up to which inverted lists keep them whole, in half precision; beyond, one byte a number."""
RECALL, DEPTH = 0.98, 10
"""Share of the exact first 10 that a search has to find."""

_CHUNK = 1 << 16  # vectors that are unpacked to single precision together: 32 MiB at 128 numbers
_TRAINING = 40  # vectors a list that the centroids are learned from; FAISS asks for 39


@dataclass(frozen=True, slots=True)
class Tuning:
    """How a dense half was made.

    Attributes
    ----------
    index_type
        FAISS' own name, like ``Flat`` or ``IVF4096,SQfp16``.
    nprobe
        Lists that a search looks through; None where there are none.
    recall
        Share of the exact first 10 that it finds by that, over `queries` queries; None where it is exact.
    """

    index_type: str
    nprobe: int | None = None
    recall: float | None = None
    queries: int = 0


def choose_type(count: int, wanted: IndexType = "auto") -> str:
    """Return FAISS' name for the index of `count` vectors."""
    if wanted == "auto":
        wanted = "flat" if count <= FLAT_UP_TO else "ivf-fp16" if count <= FP16_UP_TO else "ivf-sq8"
    if wanted == "flat":
        return "Flat"
    lists = 2 ** round(math.log2(4 * math.sqrt(count)))
    return f"IVF{max(1, min(lists, count // _TRAINING))},{'SQfp16' if wanted == 'ivf-fp16' else 'SQ8'}"


def build_dense(vectors: Half | Vectors, queries: Vectors, wanted: IndexType = "auto", recall: float = RECALL) -> tuple[DenseIndex, Tuning]:
    """Return the index of `vectors`, shape (n, dimension), as rows 0 to n - 1, and how it was made.

    Parameters
    ----------
    vectors
        May be mapped from a file: they are read in pieces.
    queries
        Shape (m, dimension); what the search of inverted lists is tuned with. Without any, every list is looked through.
    wanted
        Type; chosen by the number of vectors where it is ``auto``.
    recall
        What the search has to find, on average, of the exact first 10.
    """
    count, dimension = vectors.shape
    name = choose_type(count, wanted)
    index: Any = faiss.index_factory(dimension, name, faiss.METRIC_INNER_PRODUCT)
    if name.endswith("fp16"):
        index.by_residual = False  # the vectors are of half precision already: kept as they are, nothing is lost
    if not index.is_trained:
        sample = np.sort(np.random.default_rng(0).permutation(count)[: _TRAINING * index.nlist])
        logger.info("training %s on %d of %d vectors", name, len(sample), count)
        index.train(np.ascontiguousarray(vectors[sample], dtype=np.float32))
    for _, chunk in _chunks(vectors):
        index.add(chunk)
    if name == "Flat":
        return DenseIndex(index), Tuning(name)
    found = tune(index, vectors, queries, recall)
    if found is not None and found < recall and wanted == "auto" and name.endswith("SQ8"):
        logger.warning("%s finds %.3f of the exact first %d, less than %.2f: half precision is taken", name, found, DEPTH, recall)
        return build_dense(vectors, queries, "ivf-fp16", recall)
    return DenseIndex(index), Tuning(name, int(index.nprobe), found, len(queries))


def tune(index: faiss.IndexIVF, vectors: Half | Vectors, queries: Vectors, recall: float = RECALL) -> float | None:
    """Set the fewest lists, a power of two of them, in which `index` finds `recall` of the exact first 10, and return what it finds.

    A vector that is as near as the tenth counts as one of the ten.
    """
    index.nprobe = index.nlist
    if not len(queries):
        return None
    depth = min(DEPTH, len(vectors))
    least = exact_scores(vectors, queries, depth)[:, -1:]
    found = 0.0
    for power in range(int(math.log2(index.nlist)) + 2):
        index.nprobe = min(2**power, index.nlist)
        _, rows = index.search(queries, depth)
        near = np.einsum("qd,qkd->qk", queries, vectors[np.maximum(rows, 0)].astype(np.float32))
        hits = (rows >= 0) & (near >= least - 1e-5 * np.abs(least))
        found = float(hits.mean())
        if found >= recall or index.nprobe == index.nlist:
            break
    return round(found, 4)


def exact_scores(vectors: Half | Vectors, queries: Vectors, depth: int) -> Vectors:
    """Return the `depth` largest inner products of each query with the vectors, shape (m, depth), largest first."""
    best = np.full((len(queries), depth), -np.inf, dtype=np.float32)
    for _, chunk in _chunks(vectors):
        both = np.concatenate([best, queries @ chunk.T], axis=1)
        best = np.partition(both, -depth, axis=1)[:, -depth:]
    return -np.sort(-best, axis=1)


def _chunks(vectors: Half | Vectors) -> Iterator[tuple[int, Vectors]]:
    for first in range(0, len(vectors), _CHUNK):
        yield first, np.ascontiguousarray(vectors[first : first + _CHUNK], dtype=np.float32)
