"""Exceptions into what a person wants to read: what happened, and what to do."""

from __future__ import annotations

import logging
from dataclasses import dataclass

from pydantic import ValidationError

from lfqa.hub import HubUnavailable
from lfqa.question import QuestionError
from lfqa.retrieval.elastic_client import ElasticProblem
from lfqa.settings import describe
from lfqa.ui.render import problem_html

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Problem:
    """What went wrong, in words for the visitor."""

    title: str
    message: str
    advice: str = ""

    def html(self) -> str:
        """Return the problem as an alert."""
        return problem_html(self.title, self.message, self.advice)


def explain(error: Exception) -> Problem:
    """Return what a visitor should read about `error`; what nobody foresaw goes to the log with its traceback."""
    if isinstance(error, QuestionError):
        return Problem("This can not be asked", str(error))
    if isinstance(error, ValidationError):
        return Problem("These settings do not fit together", describe(error), "Change them, and ask again.")
    if isinstance(error, ElasticProblem):
        # the whole of it, with the address, is in the log and the operator's business
        return Problem(
            "The search server can not be used",
            f"The Elasticsearch server {error.short}, and there is no index here that could be searched instead.",
            "Choose another search engine in the settings where there is one, or try again in a minute.",
        )
    if isinstance(error, HubUnavailable):
        return Problem("A model or data set is not on this machine", str(error))
    if isinstance(error, FileNotFoundError):
        return Problem(
            "A model is missing",
            f"{str(error).rstrip('.')}.",
            "If it is the one that writes, choose Extract as the writer: it quotes the passages and needs no model. Otherwise put the "
            "checkpoint there, or name another folder in the settings.",
        )
    if _is_index_problem(error):
        return Problem("The index can not be used", str(error), "It is built again from the passages at the next start.")
    if isinstance(error, MemoryError):
        return Problem("There is not enough memory", "The models or the index do not fit into this machine's memory.", "Try again later.")
    logger.error("unforeseen problem", exc_info=error)
    return Problem(
        "Something went wrong here",
        "It is not your question: the program met a problem that it has no words for.",
        "Ask again. If it stays, the server's log says what it was.",
    )


def _is_index_problem(error: Exception) -> bool:
    from lfqa.indexing.build import IndexProblem  # brings torch, which is loaded in the background until a question comes

    return isinstance(error, IndexProblem)
