"""How good answers are: overlap with references, support, length, copying, abstention; baselines beside the generator."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean

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
        When a line lacks a field; the message names it.
    """
    tasks = []
    with path.open(encoding="utf-8") as lines:
        for number, line in enumerate(lines, start=1):
            record = json.loads(line)
            try:
                passages = tuple(
                    Passage(f"{number}-{i}", p.get("title", ""), p.get("section", ""), p["text"])
                    for i, p in enumerate(record.get("passages", []), start=1)
                )
                tasks.append(AnswerTask(record["question"], tuple(record["answers"]), passages))
            except KeyError as error:
                raise ValueError(
                    f"{path}, line {number}: {error} is missing; a line has question, answers and, if given, passages"
                ) from error
    if not tasks:
        raise ValueError(f"{path} holds no questions")
    return tasks


def corpus_tasks(questions: Path, split: str = "test") -> list[AnswerTask]:
    """Return the corpus' own questions of `split`; their passages are to be retrieved."""
    with questions.open(encoding="utf-8") as lines:
        records = [json.loads(line) for line in lines]
    return [AnswerTask(r["question"], (r["answer"],)) for r in records if r["split"] == split]


def answer_all(tasks: Sequence[AnswerTask], pipeline: Pipeline, settings: Settings) -> Iterator[Answer]:
    """Yield the pipeline's answer to every task, from the task's passages where it has some."""
    for task in tasks:
        yield pipeline.ask(task.question, settings, passages=task.passages or None)


def rouge(text: str, references: Sequence[str]) -> dict[str, float]:
    """Return the F1 of ROUGE-1, 2 and L, stemmed, each the best over the references (Lin 2004; the package rouge-score)."""
    scores = [_scorer().score(reference, text) for reference in references]
    return {name: max(s[name].fmeasure for s in scores) for name in ("rouge1", "rouge2", "rougeL")}


def _scorer():  # type: ignore[no-untyped-def]
    try:
        from rouge_score.rouge_scorer import RougeScorer
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError("rouge-score is not installed: pip install 'lfqa[dev]'") from error
    return RougeScorer(["rouge1", "rouge2", "rougeL"], use_stemmer=True)


def measure_answers(tasks: Sequence[AnswerTask], answers: Sequence[Answer]) -> dict[str, float]:
    """Return the means over the answers; abstentions count as empty for ROUGE and are left out of the rest."""
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
    """Return ROUGE of the whole given passages, and of their first three sentences; empty where tasks have no passages."""
    if not all(task.passages for task in tasks):
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
