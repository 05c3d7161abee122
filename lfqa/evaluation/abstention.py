"""Refusing what can not be answered: the curve over the answerability score, its area, and the threshold chosen on validation data."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from lfqa.answerable import WORD_WEIGHT, Evidence, answerability
from lfqa.corpus.lines import read_objects
from lfqa.evaluation.figures import auroc, figure
from lfqa.evaluation.probe import random_passages
from lfqa.pipeline import Pipeline
from lfqa.question import QuestionError
from lfqa.settings import Settings
from lfqa.types import Passage

FALSE_ALARMS = 0.10
"""Share of the answerable questions that may be refused."""


def read_questions(path: Path, split: str) -> list[str]:
    """Return the questions of `split` of a JSON-lines file of ``{question_id, question, split}``.

    Raises
    ------
    FileNotFoundError
        When there is no such file.
    ValueError
        When a line lacks a field, or there are no questions; the message names the splits there are.
    """
    records = [(number, record) for number, record in read_objects(path)]
    for number, record in records:
        if not isinstance(record.get("question"), str) or not isinstance(record.get("split"), str):
            raise ValueError(f"{path}, line {number}: question and split must be texts; there are {sorted(record)}")
    found = [record["question"] for _, record in records if record["split"] == split]
    if not found:
        raise ValueError(f"{path} has no questions of the split {split!r}; there are {sorted({r['split'] for _, r in records})}")
    return found


def look_up(
    questions: Sequence[str],
    pipeline: Pipeline,
    settings: Settings,
    tell: Callable[[], object] = lambda: None,
    *,
    at_random: Sequence[Passage] = (),
) -> list[Evidence]:
    """Return what was found for each question; a question that can not be asked found nothing. `tell` is called after each.

    Parameters
    ----------
    at_random
        Instead of a search as many passages are drawn from these.
    """
    found = []
    for question in questions:
        given = random_passages(question, at_random, (), settings.k) if at_random else None
        try:
            found.append(pipeline.evidence(question, settings, given))
        except QuestionError:
            found.append(Evidence())
        tell()
    return found


def scores(found: Sequence[Evidence], word_weight: float = WORD_WEIGHT) -> list[float]:
    """Return the answerability of each question."""
    return [answerability(evidence, word_weight) for evidence in found]


def refused(values: Sequence[float], threshold: float) -> float:
    """Return the share of scores below `threshold`: those questions get no answer."""
    return sum(value < threshold for value in values) / len(values)


def curve(answerable: Sequence[float], unanswerable: Sequence[float]) -> list[dict[str, float]]:
    """Return ``threshold, false_alarms, refused`` from refusing nothing to refusing everything.

    Of thresholds that refuse the same share of the answerable questions, only the one is kept that refuses most of the others.
    """
    points = []
    levels = sorted({*answerable, *unanswerable})
    for threshold in [*levels, float(np.nextafter(levels[-1], np.inf))]:
        points.append((threshold, refused(answerable, threshold), refused(unanswerable, threshold)))
    corners = [
        point
        for before, point, after in zip([None, *points[:-1]], points, [*points[1:], None], strict=True)
        if before is None or after is None or (after[1] != point[1] and before[2] != point[2])
    ]
    return [{"threshold": round(t, 4), "false_alarms": round(x, 4), "refused": round(y, 4)} for t, x, y in corners]


def threshold_for(answerable: Sequence[float], false_alarms: float = FALSE_ALARMS) -> float:
    """Return the threshold, to four places, that refuses at most `false_alarms` of the answerable questions and as many others as can be.

    It lies halfway between the last score refused and the first kept.

    Raises
    ------
    ValueError
        When there are no scores, or `false_alarms` is not below 1.
    """
    if not answerable or not 0 <= false_alarms < 1:
        raise ValueError(f"scores and a share below 1 are needed, not {len(answerable)} scores and {false_alarms}")
    ordered = sorted(answerable)
    allowed = int(false_alarms * len(ordered) + 1e-9)
    if not allowed:
        return float(np.floor(ordered[0] * 1e4) / 1e4)
    middle = round((ordered[allowed - 1] + ordered[allowed]) / 2, 4)
    return middle if middle <= ordered[allowed] else float(np.floor(ordered[allowed] * 1e4) / 1e4)


def measure_abstention(answerable: Sequence[float], unanswerable: Sequence[float], threshold: float) -> dict[str, Any]:
    """Return counts, AUROC, what `threshold` does, what the threshold for 10% false alarms on these questions would do, and the curve."""
    own = threshold_for(answerable)
    return {
        "answerable": len(answerable),
        "unanswerable": len(unanswerable),
        "auroc": auroc(answerable, unanswerable).as_dict(),
        "threshold": threshold,
        "false_alarms": figure([(float(value < threshold), 1.0) for value in answerable]).as_dict(),
        "refused": figure([(float(value < threshold), 1.0) for value in unanswerable]).as_dict(),
        "at_10_percent": {
            "threshold": own,
            "false_alarms": round(refused(answerable, own), 4),
            "refused": round(refused(unanswerable, own), 4),
        },
        "curve": curve(answerable, unanswerable),
    }


def fit(answerable: Sequence[Evidence], unanswerable: Sequence[Evidence]) -> float:
    """Return the weight of shared words with the largest AUROC, of 0, 0.05, ... 1; of equal ones the smallest.

    Raises
    ------
    ValueError
        When a group is empty.
    """

    def area(weight: float) -> float:
        return auroc(scores(answerable, weight), scores(unanswerable, weight), resamples=1).value

    return max((step / 20 for step in range(21)), key=area)
