"""What all visitors share: one pipeline for the process, loaded once, in the background."""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING

import streamlit as st

from lfqa.settings import Settings
from lfqa.ui.problems import Problem, explain

if TYPE_CHECKING:
    from lfqa.pipeline import Pipeline

logger = logging.getLogger(__name__)

_DOING = {
    "read": "Reading the documents",
    "embed": "Embedding the passages",
    "write": "Writing the index",
    "questions": "Embedding the answered questions",
}


class Engine:
    """The pipeline and how far its loading is.

    It loads in a thread of its own, so that every visitor who comes meanwhile sees the progress, and one who leaves stops nothing.
    Nothing of a visitor is kept here: settings travel with each question.

    Attributes
    ----------
    settings
        The defaults of the page.
    writer_problem
        Why BART can not be had; the page then starts with the extract writer.
    """

    def __init__(self) -> None:
        self.settings: Settings | None = None
        self.pipeline: Pipeline | None = None
        self.problem: Problem | None = None
        self.writer_problem: Problem | None = None
        self.loaded = threading.Event()
        self._progress: tuple[str, float] = ("Loading the models", 0.0)
        threading.Thread(target=self._load, name="lfqa-load", daemon=True).start()

    @property
    def progress(self) -> tuple[str, float]:
        """What is being done, and the share of it that is done."""
        return self._progress

    def _tell(self, step: str, done: int, total: int) -> None:
        count = {"read": f" ({done:,} passages)", "embed": f" ({done:,} of {total:,})"}.get(step, "")
        self._progress = (f"{_DOING.get(step, step)}{count}", done / total if total else 0.0)

    def _load(self) -> None:
        try:
            settings = Settings()
            from lfqa.engines import stands_in
            from lfqa.pipeline import Pipeline

            pipeline = Pipeline(settings, self._tell)
            pipeline.encoder()
            if settings.engine == "embedded" or stands_in(settings, pipeline.catalog().names()):
                pipeline.index()
            try:
                pipeline.question_index()
            except Exception as error:  # the page does without
                logger.warning("no answered questions: %s", error)
            if settings.generator == "bart":
                self._progress = ("Loading the writer", 0.9)
                try:
                    pipeline.generator()
                except Exception as error:
                    logger.warning("no BART: %s", error)
                    self.writer_problem = explain(error)
                    settings = settings.with_options(generator="extract")
            pipeline.progress = None
            self.settings, self.pipeline = settings, pipeline
        except Exception as error:
            self.problem = explain(error)
        finally:
            self.loaded.set()


@st.cache_resource(show_spinner=False)
def _engine() -> Engine:
    return Engine()


def ready() -> tuple[Pipeline, Settings, Problem | None]:
    """Return the pipeline, the page's default settings, and why BART can not be had, once everything is loaded.

    Until then the progress is shown; when loading failed, the reason and a button to try again, and the run ends.
    """
    engine = _engine()
    if not engine.loaded.is_set():
        slot = st.empty()
        while not engine.loaded.wait(0.2):
            doing, share = engine.progress
            slot.progress(min(1.0, share), text=f"Getting ready: {doing} …")
        slot.empty()
    if engine.pipeline is None or engine.settings is None:
        problem = engine.problem or Problem("Loading stopped", "The models were not loaded.")
        st.html(problem.html())
        st.button("Try again", on_click=_engine.clear)
        st.stop()
    return engine.pipeline, engine.settings, engine.writer_problem
