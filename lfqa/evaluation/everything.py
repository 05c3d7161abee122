"""Everything that is measured on the corpus' own questions, as one report: plain values, ready for JSON."""

from __future__ import annotations

import hashlib
import os
import platform
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from lfqa import __version__
from lfqa.answerable import WORD_WEIGHT
from lfqa.evaluation.abstention import look_up, measure_abstention, read_questions, scores
from lfqa.evaluation.answers import answer_all, ask, corpus_tasks, measure
from lfqa.evaluation.figures import Measured, figure, figures
from lfqa.evaluation.probe import probe
from lfqa.evaluation.retrieval import Embed, RetrievalTask, corpus_task, rank_passages
from lfqa.evaluation.retrieval import measure as measure_ranking
from lfqa.pipeline import Pipeline
from lfqa.types import Answer

FORMAT = 1
WRITERS: dict[str, dict[str, Any]] = {
    "bart": {"generator": "bart"},
    "bart-as-written": {"generator": "bart", "repair": False},
    "extract": {"generator": "extract"},
}
"""What answers, and the settings that make it so. As written: what no passage supports is neither replaced nor left out."""
PROBED = ("bart", "extract")
PACKAGES = ("torch", "transformers", "ctranslate2", "faiss-cpu", "tantivy", "numpy", "rouge-score")

Tell = Callable[[str, int, int], object]
"""Told the part's name, how much of it is done, and how much there is."""


@dataclass(frozen=True)
class Questions:
    """Where the questions of a corpus are.

    Attributes
    ----------
    answered
        JSON lines of ``{question, answer, passage_ids, split}``.
    unanswerable
        JSON lines of ``{question, split}`` that the corpus can not answer.
    """

    answered: Path
    unanswerable: Path


def evaluate(
    pipeline: Pipeline,
    questions: Questions,
    *,
    split: str = "test",
    limit: int | None = None,
    baseline: Embed | None = None,
    tell: Tell = lambda part, done, total: None,
) -> tuple[dict[str, Any], dict[str, list[Answer]]]:
    """Measure retrieval, the answers of both writers, the probe and abstention; return the report and the answers by writer.

    Parameters
    ----------
    limit
        Only the first questions of each file: a quick look.
    baseline
        See `rank_passages`.

    Raises
    ------
    ValueError, OSError
        When a file is missing or has no questions of `split`.
    """
    settings = pipeline.settings
    tasks = corpus_tasks(questions.answered, split)[:limit]
    to_find = corpus_task(questions.answered, split)
    to_find = RetrievalTask(to_find.questions[:limit], to_find.gold[:limit])
    unanswerable = read_questions(questions.unanswerable, split)[:limit]
    began = datetime.now(UTC)
    seconds: dict[str, float] = {}

    with _timed(seconds, "retrieval"):
        rankings = rank_passages(
            to_find, pipeline, settings, baseline=baseline, progress=lambda _, done, total: tell("retrieval", done, total)
        )
        found = {name: _plain(measure_ranking(lists, to_find.gold)) for name, lists in rankings.items()}

    answers: dict[str, list[Answer]] = {}
    measured: dict[str, dict[str, Any]] = {}
    probes: dict[str, dict[str, dict[str, Any]]] = {}
    for writer, options in WRITERS.items():
        chosen = settings.with_options(**options)
        with _timed(seconds, f"answers: {writer}"):
            answers[writer] = []
            for answer in answer_all(tasks, pipeline, chosen):
                answers[writer].append(answer)
                tell(f"answers: {writer}", len(answers[writer]), len(tasks))
        measured[writer] = _plain(measure(tasks, answers[writer]))
        if writer not in PROBED:
            continue
        with _timed(seconds, f"probe: {writer}"):
            step = _Counter(f"probe: {writer}", len(tasks), tell)
            probes[writer] = {name: _plain(each) for name, each in probe(tasks, answers[writer], pipeline, chosen, tell=step).items()}

    with _timed(seconds, "abstention"):
        step = _Counter("abstention", len(tasks) + 2 * len(unanswerable), tell)
        answerable_scores = scores(look_up([task.question for task in tasks], pipeline, settings, step))
        unanswerable_scores = scores(look_up(unanswerable, pipeline, settings, step))
        abstention = {
            "word_weight": WORD_WEIGHT,
            **measure_abstention(answerable_scores, unanswerable_scores, settings.answerable_threshold),
        }
        silent = []
        for question in unanswerable:
            silent.append((float(ask(question, pipeline, settings).abstained), 1.0))
            step()
        abstention["by_the_whole_system"] = {
            "false_alarms": measured[settings.generator]["abstained"],
            "refused": figure(silent).as_dict(),
        }

    report = {
        "format": FORMAT,
        "date": began.isoformat(timespec="seconds"),
        "split": split,
        "limit": limit,
        "questions": {"answerable": len(tasks), "unanswerable": len(unanswerable)},
        "passages": pipeline.index(settings).manifest.passages,
        "revisions": _revisions(answers["bart"], questions),
        "settings": settings.reproduction(),
        "machine": machine(),
        "versions": versions(),
        "seconds": {name: round(value, 1) for name, value in seconds.items()},
        "retrieval": found,
        "answers": measured,
        "probe": probes,
        "abstention": abstention,
    }
    return report, answers


def _plain(measured: Measured) -> dict[str, dict[str, float | int]]:
    return {name: value.as_dict() for name, value in figures(measured).items()}


class _Counter:
    """Counts its calls and tells."""

    def __init__(self, part: str, total: int, tell: Tell) -> None:
        self._part, self._total, self._tell, self._done = part, total, tell, 0

    def __call__(self) -> None:
        self._done += 1
        self._tell(self._part, self._done, self._total)


@contextmanager
def _timed(seconds: dict[str, float], part: str) -> Iterator[None]:
    began = time.perf_counter()
    yield
    seconds[part] = time.perf_counter() - began


def _revisions(answers: Sequence[Answer], questions: Questions) -> dict[str, str]:
    """Return what was measured: digests of the checkpoints, the passages and the question files."""
    made = next((answer.settings for answer in answers if "retriever_revision" in answer.settings), {})
    files = {"questions": questions.answered, "unanswerable": questions.unanswerable}
    return {
        **{name: str(made.get(f"{name}_revision", "unknown")) for name in ("corpus", "retriever", "generator")},
        "index": str(made.get("index") or "the corpus' own"),
        **{name: hashlib.sha256(path.read_bytes()).hexdigest()[:16] for name, path in files.items()},
    }


def machine() -> dict[str, str | int]:
    """Return processor, cores and system."""
    model = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.is_file():
        names = [line.split(":", 1)[1].strip() for line in info.read_text(encoding="utf-8").splitlines() if line.startswith("model name")]
        model = names[0] if names else model
    return {"processor": model, "cores": os.cpu_count() or 1, "system": platform.system()}


def versions() -> dict[str, str]:
    """Return the versions of Python, of this package, and of the packages that the figures depend on."""
    found = {"python": platform.python_version(), "lfqa": __version__}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:  # an engine that was not installed measured nothing
            continue
    return found
