"""The answered question nearest to one: RetriBERT vectors of a question file in a FAISS index of their own."""

from __future__ import annotations

import logging
import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from filelock import FileLock

from lfqa.corpus.questions import AnsweredQuestion, read_answered
from lfqa.corpus.store import corpus_digest
from lfqa.indexing.build import Progress
from lfqa.retrieval.dense import DenseIndex, Encoder, Vectors
from lfqa.types import NearestQuestion

logger = logging.getLogger(__name__)

FORMAT = 1  # of the file: which questions of the question file it holds, and how they are embedded
_BATCH = 512


@dataclass(frozen=True)
class QuestionIndex:
    """Answered questions and their vectors: row n of `dense` is the n-th question's, of length 1."""

    questions: tuple[AnsweredQuestion, ...]
    dense: DenseIndex

    def nearest(self, vector: Vectors, k: int = 1) -> tuple[NearestQuestion, ...]:
        """Return the at most `k` questions nearest to `vector`, shape (dimension,), by cosine, the nearest first.

        Raises
        ------
        ValueError
            When `k` is not positive or the vector has another length than the index.
        """
        found = self.dense.search(unit(vector[None])[0], k)
        # rounding may leave the vectors a hair longer than 1
        return tuple(
            NearestQuestion(near.question, near.answer, near.passage_ids, max(-1.0, min(1.0, cosine)))
            for near, cosine in ((self.questions[row], cosine) for row, cosine in found)
        )


def unit(vectors: Vectors) -> Vectors:
    """Return `vectors`, shape (n, dimension), scaled to length 1; a zero vector stays one."""
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.asarray(vectors / np.maximum(lengths, 1e-9), dtype=np.float32)


def question_index(path: Path, folder: Path, model: str, encoder: Encoder, progress: Progress | None = None) -> QuestionIndex | None:
    """Return the index of the answered training questions of the file `path`; None when it has none.

    The vectors are made at the first call and kept as one file in `folder`, named by the question file's and the model's digests; they
    are made again when either changes, or when the file is damaged.

    Parameters
    ----------
    folder
        Where the indexes of corpora are.
    model
        Digest of the retriever's checkpoint.

    Raises
    ------
    FileNotFoundError, ValueError
        When the question file is missing or can not be read.
    """
    questions = tuple(read_answered(path))
    if not questions:
        logger.warning("%s has no answered training question", path)
        return None
    file = folder / f"questions-{FORMAT}-{corpus_digest(path)}-{model}.faiss"
    dense = _opened(file, len(questions), encoder.dimension)
    if dense is None:
        folder.mkdir(parents=True, exist_ok=True)
        with FileLock(folder / f".{file.name}.lock"):
            dense = _opened(file, len(questions), encoder.dimension)  # by another process meanwhile
            if dense is None:
                dense = _built(questions, file, encoder, progress)
    return QuestionIndex(questions, dense)


def _opened(file: Path, rows: int, dimension: int) -> DenseIndex | None:
    if not file.is_file():
        return None
    try:
        index = DenseIndex.load(file)
    except ValueError:
        return None
    return index if (len(index), index.dimension) == (rows, dimension) else None


def _built(questions: tuple[AnsweredQuestion, ...], file: Path, encoder: Encoder, progress: Progress | None) -> DenseIndex:
    vectors = []
    for first in range(0, len(questions), _BATCH):
        vectors.append(encoder.questions([each.question for each in questions[first : first + _BATCH]]))
        if progress is not None:
            progress("questions", min(first + _BATCH, len(questions)), len(questions))
    index = DenseIndex.build(unit(np.concatenate(vectors)))
    # under the lock nobody else writes this name, and what a killed process left there is written over
    work = file.with_name(f".{file.name}~")
    index.save(work)
    os.replace(work, file)
    return index
