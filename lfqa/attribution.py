"""Which words of which passage support a sentence of the answer.

A sentence is held against every one or two consecutive sentences of every passage that was read; `lfqa.evidence` scores how surely such a
span bears it out, and from a threshold on it supports it. A sentence that no span supports whole is parted at "and", "but", "while" or a
semicolon, and supported where each part is, by a span of its own: its score is that of the weaker part.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from lfqa.evidence import Span, Statement, spans
from lfqa.sentences import sentence_spans
from lfqa.types import SUPPORTED_AT, Citation, Passage, Sentence
from lfqa.wording import words

_JOINT = re.compile(r"[,;]\s+(?:and|but|while|whereas|although|though|yet)\s+|;\s+")
_SHORTEST_PART = 3  # content words; of fewer, much is true by chance
_SPANS_TRIED = 6  # of a sentence, those that hold most of its words


class Attributor:
    """Holds the passages of one question ready, to attribute sentences as they are written.

    Parameters
    ----------
    passages
        What can support a sentence.
    threshold
        Score from which a span supports a sentence, above 0 and at most 1.
    most
        Citations a sentence gets at most.
    """

    def __init__(self, passages: Sequence[Passage], threshold: float = SUPPORTED_AT, most: int = 2) -> None:
        if not 0 < threshold <= 1:
            raise ValueError(f"the support threshold must be above 0 and at most 1, not {threshold}")
        self.threshold, self.most = threshold, most
        self._texts = {passage.passage_id: passage.passage_text for passage in passages}
        self._spans = [span for passage in passages for span in spans(passage)]

    def sentence(self, text: str) -> Sentence:
        """Return `text` with its citations, best first, at most one a passage; unsupported, without any, where nothing bears it out.

        A sentence in two parts has the citations of both; they may be of one passage.
        """
        found = self._best(Statement(words(text)))[: self.most]
        if not found and self.most > 1:
            found = self._in_parts(text)
        return Sentence(text, bool(found), tuple(Citation(span.passage_id, score, span.start, span.end) for score, span in found))

    def cited(self, sentence: Sentence) -> list[str]:
        """Return the words that the citations of `sentence` point at."""
        return [self._texts[citation.passage_id][citation.start : citation.end] for citation in sentence.citations]

    def _best(self, claim: Statement, longest: int = 2) -> list[tuple[float, Span]]:
        """Return the best span of each passage that reaches the threshold, best first."""
        if len(claim.told) < 2:
            return []
        best: dict[str, tuple[float, Span]] = {}
        for span in self._likely(claim, longest):
            item = (span.evidence.score(claim), span)
            known = best.get(span.passage_id)
            # where one sentence is enough, two are only harder to check
            if item[0] >= self.threshold and (known is None or (span.evidence.length, -item[0]) < (known[1].evidence.length, -known[0])):
                best[span.passage_id] = item
        return sorted(best.values(), key=_order)

    def _likely(self, claim: Statement, longest: int = 2) -> list[Span]:
        tried = [span for span in self._spans if span.evidence.length <= longest]
        return sorted(tried, key=lambda span: (-span.evidence.recall(claim), span.end - span.start))[:_SPANS_TRIED]

    def _in_parts(self, text: str) -> list[tuple[float, Span]]:
        whole = Statement(words(text))
        if any(span.evidence.is_copied_by(whole) for span in self._likely(whole, 1)):
            return []  # one sentence, copied and altered
        for joint in _JOINT.finditer(text):
            parts = [Statement(words(part)) for part in (text[: joint.start()], text[joint.end() :])]
            if min(len(part.told) for part in parts) < _SHORTEST_PART:
                continue
            found = [self._best(part)[:1] for part in parts]
            if all(found):
                return sorted({(score, span) for [(score, span)] in found}, key=_order)
        return []


def _order(item: tuple[float, Span]) -> tuple[float, int]:
    score, span = item
    return (-round(score, 3), span.end - span.start)


def attribute(answer: str, passages: Sequence[Passage], threshold: float = SUPPORTED_AT, most: int = 2) -> tuple[Sentence, ...]:
    """Split `answer` into sentences and attribute each; see `Attributor`."""
    attributor = Attributor(passages, threshold, most)
    return tuple(attributor.sentence(answer[start:end]) for start, end in sentence_spans(answer))
