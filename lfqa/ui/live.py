"""One question on its way through the pipeline, drawn as it goes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import closing
from typing import TYPE_CHECKING, Any

from lfqa.settings import Settings
from lfqa.types import Answer, Finished, Retrieved, Sentence, SentenceWritten, Source, StepFinished, StepStarted
from lfqa.ui.render import steps_html, writing_html

if TYPE_CHECKING:
    from lfqa.pipeline import Pipeline


def follow(
    pipeline: Pipeline,
    question: str,
    settings: Settings,
    steps: Any,
    answer: Any,
    found: Callable[[Sequence[Source]], object] = lambda sources: None,
) -> Answer:
    """Ask `question` and draw steps and growing answer into two `st.empty` slots; return the answer.

    A sentence appears when it is checked, and does not change any more. When the visitor leaves or changes something, drawing raises
    and the work stops.

    Parameters
    ----------
    found
        Told the passages as soon as they are known.
    """
    seconds: dict[str, float] = {}
    written: list[Sentence] = []
    with closing(pipeline.stream(question, settings)) as events:
        for event in events:
            if isinstance(event, StepStarted):
                steps.html(steps_html(seconds, event.step))
            elif isinstance(event, StepFinished):
                seconds[event.step] = event.seconds
            elif isinstance(event, Retrieved):
                found(event.sources)
                answer.html(writing_html(()))
            elif isinstance(event, SentenceWritten):
                written.append(event.sentence)
                answer.html(writing_html(written))
            elif isinstance(event, Finished):
                steps.html(steps_html(event.answer.timings))
                return event.answer
    raise RuntimeError("the pipeline ended without an answer")
