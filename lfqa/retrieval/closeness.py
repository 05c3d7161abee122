"""How close the sentences of passages are to a question, and which of them are to be read and said first."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from lfqa.retrieval.dense import Encoder, Vectors
from lfqa.sentences import sentence_spans
from lfqa.types import Passage
from lfqa.wording import content, coverage

ScoredSpan = tuple[int, int, float]

# chosen by ROUGE-L of the three best sentences on CLAPnq questions that nothing is trained or measured on
_SHARED_WORDS, _LENGTH = 0.15, 0.08


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


def relevance(question: str, passages: Sequence[Passage], scored: Sequence[Sequence[ScoredSpan]]) -> list[tuple[ScoredSpan, ...]]:
    """Return the sentences with what they are worth to an answer instead of their closeness.

    That is the closeness, a part of the share of the question's words that the sentence holds, and a part of the logarithm of its
    length in words: among sentences equally close the fuller one says more.
    """
    asked = content(question)
    return [
        tuple(
            (
                start,
                end,
                score + _SHARED_WORDS * coverage(asked, content(text[start:end])) + _LENGTH * math.log1p(len(text[start:end].split())),
            )
            for start, end, score in spans
        )
        for text, spans in zip((passage.passage_text for passage in passages), scored, strict=True)
    ]
