"""The values that pass between the steps: frozen, without behaviour beyond turning themselves into JSON."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Passage:
    """A piece of an article, about 100 words; the fields of the ``wiki_snippets`` data set, whose ``_id`` is `passage_id`.

    Attributes
    ----------
    source
        The file, page of the web or data set that it is from; empty where that is not known.
    page
        Page of the source that it begins on, from 1, where that has pages.
    start, end
        Characters of the source: of the file's text for Markdown and plain text, else of the text that was extracted from it.
    """

    passage_id: str
    article_title: str
    section_title: str
    passage_text: str
    source: str = ""
    page: int | None = None
    start: int | None = None
    end: int | None = None


@dataclass(frozen=True, slots=True)
class Hit:
    """A passage that a search returned.

    Attributes
    ----------
    rank
        Position in the list shown, from 1.
    dense_rank, sparse_rank
        Position in each engine's own list, from 1; None where that engine did not return the passage.
    dense_score
        Inner product of the question's and the passage's RetriBERT embeddings.
    sparse_score
        BM25.
    fused_score
        What the fusion of the two made of it; None unless both engines were asked.
    """

    passage: Passage
    rank: int
    dense_rank: int | None = None
    sparse_rank: int | None = None
    dense_score: float | None = None
    sparse_score: float | None = None
    fused_score: float | None = None


SUPPORTED_AT = 0.5
"""Default of the support score from which a span of a passage supports a sentence."""


@dataclass(frozen=True, slots=True)
class Citation:
    """One or two consecutive sentences of a passage that support a sentence of the answer.

    Attributes
    ----------
    score
        How surely the span bears the sentence out, 0 to 1; 1 where it says it word for word.
    start, end
        Characters of the passage's text.
    """

    passage_id: str
    score: float
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Sentence:
    """A sentence of the answer with what supports it, best first.

    Attributes
    ----------
    quoted
        It is a passage's own sentence, put in the place of one that nothing supports, or added to a short answer.
    """

    text: str
    supported: bool
    citations: tuple[Citation, ...] = ()
    quoted: bool = False


@dataclass(frozen=True, slots=True)
class Source:
    """A hit together with the ``(start, end)`` spans of its text that the generator read; none where it was cut."""

    hit: Hit
    read: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True, slots=True)
class Answer:
    """What a question leads to; `as_dict` is the object that ``lfqa ask --json`` prints.

    Attributes
    ----------
    timings
        Seconds by step.
    settings
        What the answer depends on, to make it again.
    notice
        What a reader should know of how it came about, such as that another engine had to search; mostly empty.
    """

    question: str
    answer: str
    abstained: bool
    sentences: tuple[Sentence, ...]
    sources: tuple[Source, ...]
    timings: dict[str, float] = field(default_factory=dict)
    settings: dict[str, Any] = field(default_factory=dict)
    notice: str = ""

    def as_dict(self) -> dict[str, Any]:
        """Return the answer as plain values for JSON."""
        return {
            "question": self.question,
            "answer": self.answer,
            "abstained": self.abstained,
            "sentences": [
                {
                    "text": sentence.text,
                    "supported": sentence.supported,
                    "citations": [
                        {"passage_id": c.passage_id, "score": round(c.score, 4), "start": c.start, "end": c.end} for c in sentence.citations
                    ],
                    "quoted": sentence.quoted,
                }
                for sentence in self.sentences
            ],
            "passages": [source_as_dict(source) for source in self.sources],
            "timings": {step: round(seconds, 4) for step, seconds in self.timings.items()},
            "settings": self.settings,
            **({"notice": self.notice} if self.notice else {}),
        }


@dataclass(frozen=True, slots=True)
class NearestQuestion:
    """A question with a written answer that is like the one asked.

    Attributes
    ----------
    passage_ids
        The passages that the answer was written from.
    similarity
        Cosine of both questions' RetriBERT vectors, -1 to 1.
    """

    question: str
    answer: str
    passage_ids: tuple[str, ...]
    similarity: float

    def as_dict(self) -> dict[str, Any]:
        """Return the question as plain values for JSON."""
        return {
            "question": self.question,
            "answer": self.answer,
            "passage_ids": list(self.passage_ids),
            "similarity": round(self.similarity, 4),
        }


def source_as_dict(source: Source) -> dict[str, Any]:
    """Return a source as plain values for JSON."""
    hit, passage = source.hit, source.hit.passage
    return {
        "rank": hit.rank,
        "passage_id": passage.passage_id,
        "article_title": passage.article_title,
        "section_title": passage.section_title,
        "text": passage.passage_text,
        "ranks": {"dense": hit.dense_rank, "sparse": hit.sparse_rank},
        "scores": {"dense": hit.dense_score, "sparse": hit.sparse_score, "fused": hit.fused_score},
        "read": bool(source.read),
        "source": {"name": passage.source, "page": passage.page, "start": passage.start, "end": passage.end} if passage.source else None,
    }


@dataclass(frozen=True, slots=True)
class StepStarted:
    """A step (``retrieve``, ``read``, ``write``, ``cite``) begins."""

    step: str


@dataclass(frozen=True, slots=True)
class StepFinished:
    """A step ended after `seconds`."""

    step: str
    seconds: float


@dataclass(frozen=True, slots=True)
class Retrieved:
    """The passages found and what of them is read, before anything is written."""

    sources: tuple[Source, ...]


@dataclass(frozen=True, slots=True)
class Token:
    """The next piece of the text that the model writes, before it is checked."""

    text: str


@dataclass(frozen=True, slots=True)
class SentenceWritten:
    """The next sentence that stands in the answer: complete, checked, and not to change any more."""

    sentence: Sentence


@dataclass(frozen=True, slots=True)
class Finished:
    """The whole answer; the last event."""

    answer: Answer


Event = StepStarted | StepFinished | Retrieved | Token | SentenceWritten | Finished
