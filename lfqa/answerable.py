"""Whether what was found can answer a question, as one number, before anything is written.

The number is that of the one sentence which comes nearest to the question in meaning and in words at once: a sentence on the topic
that lacks the word which matters ("How does a *pearl* grow inside an oyster?") is as little an answer as one that only shares words.
Weight and default thresholds are chosen on validation questions by ``lfqa eval abstention --split validation --fit``; the vectors of
another retriever need their own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from lfqa.retrieval.closeness import ScoredSpan
from lfqa.types import Passage
from lfqa.wording import content

WORD_WEIGHT = 0.30
"""What sharing the question's words counts, beside a cosine of 1."""

ENOUGH_WORDS = 3
"""Words of the question that a sentence has to hold: it can not hold all of a long one."""


@dataclass(frozen=True)
class Evidence:
    """What the sentences found have to do with a question.

    Attributes
    ----------
    sentences
        For each the cosine of its and the question's vectors, and the share of the question's words that it or its title holds.
    """

    sentences: tuple[tuple[float, float], ...] = ()


def gather(question: str, passages: Sequence[Passage], scored: Sequence[Sequence[ScoredSpan]]) -> Evidence:
    """Return what the sentences of `passages` have to do with `question`.

    Parameters
    ----------
    scored
        What `score_sentences` returned for these passages.
    """
    asked = content(question).weights.keys()
    enough = max(1, min(len(asked), ENOUGH_WORDS))
    found = []
    for passage, spans in zip(passages, scored, strict=True):
        title = content(passage.article_title).weights.keys()
        for start, end, cosine in spans:
            held = title | content(passage.passage_text[start:end]).weights.keys()
            found.append((cosine, min(1.0, len(asked & held) / enough)))
    return Evidence(tuple(found))


def answerability(evidence: Evidence, word_weight: float = WORD_WEIGHT) -> float:
    """Return how far `evidence` answers its question, 0 to 1; 0 where nothing was found."""
    best = max((cosine + word_weight * words for cosine, words in evidence.sentences), default=0.0)
    return min(1.0, max(0.0, best / (1 + word_weight)))
