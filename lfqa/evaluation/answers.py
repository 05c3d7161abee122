"""How good answers are: overlap with references, support, length, copying, abstention; baselines beside the generator."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean
from typing import Any

from lfqa.corpus.lines import read_objects
from lfqa.evaluation.metrics import copied_ngrams, repeated_ngrams
from lfqa.pipeline import Pipeline
from lfqa.sentences import split_sentences
from lfqa.settings import Settings
from lfqa.types import Answer, Passage


@dataclass(frozen=True)
class AnswerTask:
    """A question with its reference answers, and the passages to read where they are given."""

    question: str
    references: tuple[str, ...]
    passages: tuple[Passage, ...] = ()


def read_tasks(path: Path) -> list[AnswerTask]:
    """Return the tasks of a JSON-lines file of ``{question, answers, passages: [{title, text}]}``; `passages` may be missing.

    Raises
    ------
    ValueError
        When a line is not JSON, lacks a field, or has no list of answers, or there are no lines; the message names the line.
    """
    tasks = []
    for number, record in read_objects(path):
        try:
            passages = tuple(
                Passage(f"{number}-{i}", p.get("title", ""), p.get("section", ""), p["text"])
                for i, p in enumerate(record.get("passages", []), start=1)
            )
            question, answers = record["question"], record["answers"]
        except KeyError as error:
            raise ValueError(f"{path}, line {number}: {error} is missing; a line has question, answers and, if given, passages") from error
        if not isinstance(answers, list) or not answers or not all(isinstance(answer, str) for answer in answers):
            raise ValueError(f"{path}, line {number}: answers must be a list of at least one text, not {answers!r}")
        tasks.append(AnswerTask(question, tuple(answers), passages))
    if not tasks:
        raise ValueError(f"{path} holds no questions")
    return tasks


def corpus_tasks(questions: Path, split: str = "test") -> list[AnswerTask]:
    """Return the corpus' own questions of `split`; their passages are to be retrieved.

    Raises
    ------
    ValueError
        When there are none; the message names the splits there are.
    """
    records = [record for _, record in read_objects(questions)]
    tasks = [AnswerTask(r["question"], (r["answer"],)) for r in records if r["split"] == split]
    if not tasks:
        raise ValueError(f"{questions} has no questions of the split {split!r}; there are {sorted({r['split'] for r in records})}")
    return tasks


def answer_all(tasks: Sequence[AnswerTask], pipeline: Pipeline, settings: Settings) -> Iterator[Answer]:
    """Yield the pipeline's answer to every task, from the task's passages where it has some."""
    for task in tasks:
        yield pipeline.ask(task.question, settings, passages=task.passages or None)


def rouge(text: str, references: Sequence[str]) -> dict[str, float]:
    """Return the F1 of ROUGE-1, 2 and L, stemmed, each the best over the references (Lin 2004; the package rouge-score).

    Raises
    ------
    ModuleNotFoundError
        When rouge-score is not installed.
    """
    scores = [_scorer().score(reference, text) for reference in references]
    return {name: max(s[name].fmeasure for s in scores) for name in ("rouge1", "rouge2", "rougeL")}


@functools.cache
def _scorer() -> Any:
    try:
        from rouge_score.rouge_scorer import RougeScorer
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError("rouge-score is not installed: pip install 'lfqa[dev]'") from error
    return RougeScorer(["rouge1", "rouge2", "rougeL"], use_stemmer=True)


def measure_answers(tasks: Sequence[AnswerTask], answers: Sequence[Answer]) -> dict[str, float]:
    """Return the means over the answers; abstentions count as empty for ROUGE and are left out of the rest.

    Returns
    -------
    dict
        ROUGE F1; ``words`` and ``sentences`` an answer; ``supported``, the share of sentences with a citation; ``abstained``, a
        share of the questions; ``copied_5grams`` and ``repeated``, shares of n-grams (see `copied_ngrams`, `repeated_ngrams`).

    Raises
    ------
    ValueError
        When there are no tasks, or not one answer a task.
    """
    if not tasks or len(tasks) != len(answers):
        raise ValueError(f"one answer a task is needed, not {len(answers)} for {len(tasks)} tasks")
    given = [(t, a) for t, a in zip(tasks, answers, strict=True) if not a.abstained]
    overlaps = [rouge("" if a.abstained else a.answer, t.references) for t, a in zip(tasks, answers, strict=True)]
    sentences = [s for _, a in given for s in a.sentences]
    report = {name: mean(o[name] for o in overlaps) for name in ("rouge1", "rouge2", "rougeL")}
    report["words"] = mean(len(a.answer.split()) for _, a in given) if given else 0.0
    report["sentences"] = mean(len(a.sentences) for _, a in given) if given else 0.0
    report["supported"] = mean(s.supported for s in sentences) if sentences else 0.0
    report["abstained"] = 1 - len(given) / len(answers)
    report["copied_5grams"] = (
        mean(copied_ngrams(a.answer, [s.hit.passage.passage_text for s in a.sources]) for _, a in given) if given else 0.0
    )
    report["repeated"] = mean(repeated_ngrams(a.answer) for _, a in given) if given else 0.0
    return {name: round(value, 4) for name, value in report.items()}


def baselines(tasks: Sequence[AnswerTask]) -> dict[str, dict[str, float]]:
    """Return ROUGE of the whole given passages, and of their first three sentences; empty where a task has no passages."""
    if not tasks or not all(task.passages for task in tasks):
        return {}
    texts: dict[str, Callable[[AnswerTask], str]] = {
        "passage": lambda task: " ".join(p.passage_text for p in task.passages),
        "first_three": lambda task: " ".join(split_sentences(" ".join(p.passage_text for p in task.passages))[:3]),
    }
    report = {}
    for name, text in texts.items():
        overlaps = [rouge(text(task), task.references) for task in tasks]
        report[name] = {key: round(mean(o[key] for o in overlaps), 4) for key in ("rouge1", "rouge2", "rougeL")}
    return report
