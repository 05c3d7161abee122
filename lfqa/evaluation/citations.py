"""Citation precision and recall in the sense of ALCE (Gao et al. 2023, "Enabling large language models to generate text with citations").

The judge of "supports" is the rule of `lfqa.attribution`, applied to the cited spans and not to whole passages. That rule chose the
citations too, so both figures say that an answer is consistent rather than that it is right: precision stays near 1, and recall near the
share of sentences supported. `cited_gold` needs no judge.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Collection, Sequence

from lfqa.attribution import Attributor
from lfqa.types import SUPPORTED_AT, Answer, Passage

Judge = Callable[[str, Sequence[Passage]], bool]
"""Says whether a sentence is supported by texts taken together."""


def supported_by(sentence: str, evidence: Sequence[Passage], threshold: float = SUPPORTED_AT) -> bool:
    """Say whether `evidence` supports `sentence`, whole or in two parts, by the rule of `lfqa.attribution`."""
    return Attributor(evidence, threshold).sentence(sentence).supported


def citation_scores(answer: Answer, judge: Judge | None = None) -> tuple[float, float]:
    """Return citation precision and recall of an answer that was given; by `supported_by` at the answer's own threshold.

    Recall is the share of sentences that their cited spans, taken together, support. Precision is the share of citations that are
    precise: the sentence is supported, and the span supports it alone or the others do not without it. An answer without citations
    has precision 0.
    """
    if judge is None:
        judge = functools.partial(supported_by, threshold=answer.settings.get("support_threshold", SUPPORTED_AT))
    passages = {source.hit.passage.passage_id: source.hit.passage for source in answer.sources}
    recalled = precise = cited = 0
    for sentence in answer.sentences:
        spans = [
            Passage(p.passage_id, p.article_title, p.section_title, p.passage_text[c.start : c.end])
            for c in sentence.citations
            for p in [passages[c.passage_id]]
        ]
        cited += len(spans)
        if not spans or not judge(sentence.text, spans):
            continue
        recalled += 1
        for number, span in enumerate(spans):
            others = spans[:number] + spans[number + 1 :]
            precise += not others or judge(sentence.text, [span]) or not judge(sentence.text, others)
    return precise / cited if cited else 0.0, recalled / len(answer.sentences) if answer.sentences else 0.0


def cited_passages(answer: Answer) -> frozenset[str]:
    """Return the ids of the passages that an answer cites."""
    return frozenset(citation.passage_id for sentence in answer.sentences for citation in sentence.citations)


def cited_gold(answer: Answer, gold: Collection[str]) -> tuple[int, int]:
    """Return how many of an answer's citations point at one of the passages `gold`, and how many there are."""
    cited = [citation.passage_id for sentence in answer.sentences for citation in sentence.citations]
    return sum(name in gold for name in cited), len(cited)
