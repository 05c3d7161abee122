"""How good answers are: overlap with references, support, citations, length, copying, abstention; baselines beside the generator."""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lfqa.corpus.lines import read_objects
from lfqa.evaluation.citations import citation_scores, cited_gold, cited_passages
from lfqa.evaluation.figures import Measured, Part, means
from lfqa.evaluation.metrics import copied_ngrams, repeated_ngrams
from lfqa.pipeline import Pipeline
from lfqa.question import QuestionError
from lfqa.sentences import split_sentences
from lfqa.settings import Settings
from lfqa.types import Answer, Passage

logger = logging.getLogger(__name__)

ROUGE = ("rouge1", "rouge2", "rougeL")


@dataclass(frozen=True)
class AnswerTask:
    """A question with its reference answers, and the passages to read where they are given.

    Attributes
    ----------
    gold
        Ids of the passages that the reference was written from, where they are known.
    """

    question: str
    references: tuple[str, ...]
    passages: tuple[Passage, ...] = ()
    gold: tuple[str, ...] = ()


def read_tasks(path: Path) -> list[AnswerTask]:
    """Return the tasks of a JSON-lines file of ``{question, answers, passages: [{title, text}]}``; `passages` may be missing.

    Raises
    ------
    ValueError
        When a line is not JSON, lacks a field, or has no list of answers, or there are no lines; the message names the line.
    """
    tasks = []
    for number, record in read_objects(path):
        where = f"{path}, line {number}"
        for name in ("question", "answers"):
            if name not in record:
                raise ValueError(f"{where}: {name!r} is missing; a line has question, answers and, if given, passages")
        question, answers, passages = record["question"], record["answers"], record.get("passages") or []
        if not isinstance(question, str) or not question.strip():
            raise ValueError(f"{where}: question must be a text that is not empty, not {question!r}")
        if not isinstance(answers, list) or not answers or not all(isinstance(answer, str) for answer in answers):
            raise ValueError(f"{where}: answers must be a list of at least one text, not {answers!r}")
        if not isinstance(passages, list):
            raise ValueError(f"{where}: passages must be a list, not {type(passages).__name__}")
        tasks.append(
            AnswerTask(question, tuple(answers), tuple(_passage(p, f"{number}-{i}", where) for i, p in enumerate(passages, start=1)))
        )
    if not tasks:
        raise ValueError(f"{path} holds no questions")
    return tasks


def _passage(record: object, name: str, where: str) -> Passage:
    title, section, text = (record.get(field, "") if isinstance(record, dict) else None for field in ("title", "section", "text"))
    if not isinstance(title, str) or not isinstance(section, str) or not isinstance(text, str) or not text.strip():
        raise ValueError(f"{where}: a passage is an object with a title and a text that is not empty, not {record!r}")
    return Passage(name, title, section, text)


def corpus_tasks(questions: Path, split: str = "test") -> list[AnswerTask]:
    """Return the corpus' own questions of `split`; their passages are to be retrieved.

    Raises
    ------
    ValueError
        When there are none; the message names the splits there are.
    """
    records = [record for _, record in read_objects(questions)]
    tasks = [AnswerTask(r["question"], (r["answer"],), gold=tuple(r["passage_ids"])) for r in records if r["split"] == split]
    if not tasks:
        raise ValueError(f"{questions} has no questions of the split {split!r}; there are {sorted({r['split'] for r in records})}")
    return tasks


def answer_all(tasks: Sequence[AnswerTask], pipeline: Pipeline, settings: Settings) -> Iterator[Answer]:
    """Yield the pipeline's answer to every task, from the task's passages where it has some.

    A question that can not be asked counts as abstained: one of them must not end the measurement of the others.
    """
    for task in tasks:
        yield ask(task.question, pipeline, settings, task.passages or None)


def ask(question: str, pipeline: Pipeline, settings: Settings, passages: Sequence[Passage] | None = None) -> Answer:
    """Return the pipeline's answer, an abstention where the question can not be asked."""
    try:
        return pipeline.ask(question, settings, passages)
    except QuestionError as error:
        logger.warning("counted as abstained: %r: %s", question[:80], error)
        return Answer(question, str(error), True, (), (), {}, settings.reproduction())


def rouge(text: str, references: Sequence[str]) -> dict[str, float]:
    """Return the F1 of ROUGE-1, 2 and L, stemmed, each the best over the references (Lin 2004; the package rouge-score)."""
    scores = [_scorer().score(reference, text) for reference in references]
    return {name: max(s[name].fmeasure for s in scores) for name in ROUGE}


@functools.cache
def _scorer() -> Any:
    from rouge_score.rouge_scorer import RougeScorer

    return RougeScorer(list(ROUGE), use_stemmer=True)


def measure(tasks: Sequence[AnswerTask], answers: Sequence[Answer]) -> Measured:
    """Return what each answer adds to each figure; abstentions count as empty for ROUGE and are left out of the rest.

    Returns
    -------
    dict
        ROUGE F1; ``words`` and ``sentences`` an answer; ``supported``, the share of sentences with a citation; ``quoted``, the share that
        stand for what was written without support; ``citation_precision`` and ``citation_recall`` (see `citation_scores`), means over
        answers; ``abstained``, a share of the questions; ``copied_5grams`` and ``repeated``, shares of n-grams (see `copied_ngrams`,
        `repeated_ngrams`). Where tasks know their passages also ``cited_gold``, the share of citations that point at one of them, and
        ``cites_two``, the share of the answers whose reference names two passages or more that cite two or more.

    Raises
    ------
    ValueError
        When there are no tasks, or not one answer a task.
    """
    if not tasks or len(tasks) != len(answers):
        raise ValueError(f"one answer a task is needed, not {len(answers)} for {len(tasks)} tasks")
    each = [_parts(task, answer) for task, answer in zip(tasks, answers, strict=True)]
    names = [name for name in each[0] if name not in ("cited_gold", "cites_two") or any(task.gold for task in tasks)]
    return {name: [parts[name] for parts in each] for name in names}


def _parts(task: AnswerTask, answer: Answer) -> dict[str, Part]:
    given = not answer.abstained
    count = float(given)  # what an abstention adds to the denominators
    overlap = rouge(answer.answer if given else "", task.references)
    precision, recall = citation_scores(answer) if given else (0.0, 0.0)
    hits, cited = cited_gold(answer, task.gold)
    texts = [source.hit.passage.passage_text for source in answer.sources]
    return {
        **{name: (overlap[name], 1.0) for name in ROUGE},
        "words": (len(answer.answer.split()) * count, count),
        "sentences": (len(answer.sentences) * count, count),
        "supported": (sum(s.supported for s in answer.sentences) * count, len(answer.sentences) * count),
        "quoted": (sum(s.quoted for s in answer.sentences) * count, len(answer.sentences) * count),
        "citation_precision": (precision, count),
        "citation_recall": (recall, count),
        "abstained": (1.0 - count, 1.0),
        "copied_5grams": (copied_ngrams(answer.answer, texts) * count, count),
        "repeated": (repeated_ngrams(answer.answer) * count, count),
        "cited_gold": (float(hits), float(cited)) if given and task.gold else (0.0, 0.0),
        "cites_two": (float(len(cited_passages(answer)) > 1), 1.0) if given and len(task.gold) > 1 else (0.0, 0.0),
    }


def measure_answers(tasks: Sequence[AnswerTask], answers: Sequence[Answer]) -> dict[str, float]:
    """Return the figures of `measure` as numbers."""
    return means(measure(tasks, answers))


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
        report[name] = means({key: [(o[key], 1.0) for o in overlaps] for key in ROUGE})
    return report
