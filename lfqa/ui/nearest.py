"""The nearest question that has a written answer, folded, as HTML."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from lfqa.settings import Settings
from lfqa.types import NearestQuestion
from lfqa.ui.markup import escape

if TYPE_CHECKING:
    from lfqa.pipeline import Pipeline

logger = logging.getLogger(__name__)


def find(pipeline: Pipeline, question: str, settings: Settings) -> NearestQuestion | None:
    """Return the nearest answered question; None where the corpus has none, or they can not be had, which the log says."""
    try:
        return next(iter(pipeline.nearest_question(question, settings=settings)), None)
    except Exception as error:  # beside an answer this is an extra, which must not cost the answer
        logger.warning("no answered questions: %s", error)
        return None


def nearest_html(nearest: NearestQuestion, threshold: float) -> str:
    """Return the question and its answer, folded; a similarity below `threshold` is called low before it is unfolded."""
    far = nearest.similarity < threshold
    shown = f"similarity {nearest.similarity:.2f}{', low' if far else ''}"
    remark = "This is probably about something else." if far else "Questions that are worded alike can still differ in what they ask."
    return (
        '<details class="lfqa-nearest"><summary><span>Closest question we have a written answer to</span> '
        f'<span class="lfqa-badge{" lfqa-far" if far else ""}">{shown}</span></summary>'
        f'<h3 dir="auto">{escape(nearest.question)}</h3><p class="lfqa-text" dir="auto">{escape(nearest.answer)}</p>'
        f'<p class="lfqa-note">{remark} The answer was written for this question when the corpus was made; the similarity is the cosine '
        "of both questions’ RetriBERT vectors.</p></details>"
    )
