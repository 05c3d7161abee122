"""How close the sentences of passages are to a question: what the reader takes first, and what `extract` answers with."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from lfqa.retrieval.dense import Encoder, Vectors
from lfqa.sentences import sentence_spans
from lfqa.types import Passage

ScoredSpan = tuple[int, int, float]


def score_sentences(question: Vectors, passages: Sequence[Passage], encoder: Encoder) -> list[tuple[ScoredSpan, ...]]:
    """Return for each passage its sentences as ``(start, end, closeness)``, in order.

    Parameters
    ----------
    question
        The question's vector, shape (dimension,).

    Notes
    -----
    The closeness is the cosine of the question's and the sentence's RetriBERT vectors, the title put before the sentence, since a
    sentence alone often does not name what it is about.
    """
    spans = [sentence_spans(passage.passage_text) for passage in passages]
    texts = [
        f"{passage.article_title}: {passage.passage_text[start:end]}"
        for passage, bounds in zip(passages, spans, strict=True)
        for start, end in bounds
    ]
    if not texts:
        return [() for _ in passages]
    vectors = encoder.texts(texts)
    norms = np.linalg.norm(vectors, axis=1) * max(float(np.linalg.norm(question)), 1e-9)
    scores = iter((vectors @ question / np.maximum(norms, 1e-9)).tolist())
    return [tuple((start, end, next(scores)) for start, end in bounds) for bounds in spans]
