"""The grounding probe: the same questions with the passages retrieved, with random ones, and with none.

A system whose answers come from its passages says something else, or nothing, when they change ("Hurdles to progress in long-form
question answering", Krishna et al. 2021, found that answers hardly did).
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import replace

from lfqa.attribution import Attributor
from lfqa.evaluation.answers import AnswerTask, ask, measure, rouge
from lfqa.evaluation.figures import Measured, Part
from lfqa.pipeline import Pipeline
from lfqa.settings import Settings
from lfqa.types import Answer, Passage

CONDITIONS = ("retrieved", "random", "none", "random-unchecked")
"""``random-unchecked``: the writer itself. The check that refuses a question its passages seem not to answer is switched off, and what
no passage supports is neither replaced nor left out."""


def random_passages(question: str, passages: Sequence[Passage], avoid: Sequence[str], count: int, seed: int = 0) -> tuple[Passage, ...]:
    """Return `count` of `passages`, drawn without replacement; the same for the same question and seed, none with an id in `avoid`.

    Raises
    ------
    ValueError
        When there are not enough others.
    """
    kept = set(avoid)
    others = [row for row, passage in enumerate(passages) if passage.passage_id not in kept]
    if len(others) < count:
        raise ValueError(f"{count} random passages are asked for, the index holds {len(others)} others")
    return tuple(passages[row] for row in random.Random(f"{seed} {question}").sample(others, count))


def probe(
    tasks: Sequence[AnswerTask],
    answers: Sequence[Answer],
    pipeline: Pipeline,
    settings: Settings,
    *,
    seed: int = 0,
    tell: Callable[[], object] = lambda: None,
) -> dict[str, Measured]:
    """Return by condition what `measure` returns, and how far the answers moved.

    Parameters
    ----------
    answers
        Those with retrieved passages, one a task, as `answer_all` gave them.
    tell
        Called after each question.

    Returns
    -------
    dict
        For each of `CONDITIONS` the figures of `measure` and: ``same``, the ROUGE-L of the answer with the one from the passages
        retrieved, over the questions answered with those, an abstention counting 0; ``unchanged``, the share of those questions whose
        answer stayed word for word; ``supported_by_retrieved``, the share of the sentences written that the passages retrieved for the
        question support; ``rougeL_lost``, how much ROUGE-L with the reference fell.

    Raises
    ------
    ValueError
        When there is not one answer a task, or the index is too small to draw from.
    """
    if len(tasks) != len(answers):
        raise ValueError(f"one answer a task is needed, not {len(answers)} for {len(tasks)} tasks")
    passages = list(pipeline.index(settings).passages)
    unchecked = settings.with_options(answerable_threshold=0.0, repair=False)
    written: dict[str, list[Answer]] = {name: [] for name in CONDITIONS}
    for task, answer in zip(tasks, answers, strict=True):
        avoid = [source.hit.passage.passage_id for source in answer.sources] + list(task.gold)
        drawn = random_passages(task.question, passages, avoid, settings.k, seed)
        written["retrieved"].append(answer)
        written["random"].append(ask(task.question, pipeline, settings, drawn))
        written["none"].append(ask(task.question, pipeline, settings, ()))
        written["random-unchecked"].append(ask(task.question, pipeline, unchecked, drawn))
        tell()
    report = {}
    for name, given in written.items():
        # the gold passages are not among random ones: figures about them would say nothing
        blind = [replace(task, gold=()) for task in tasks]
        measured = measure(blind, given)
        moved = [_moved(task, before, after, settings.support_threshold) for task, before, after in zip(tasks, answers, given, strict=True)]
        report[name] = measured | {key: [parts[key] for parts in moved] for key in moved[0]}
    return report


def _moved(task: AnswerTask, before: Answer, after: Answer, threshold: float) -> dict[str, Part]:
    held = Attributor([source.hit.passage for source in before.sources], threshold)
    supported = sum(held.sentence(sentence.text).supported for sentence in after.sentences)
    overlap = [rouge("" if a.abstained else a.answer, task.references)["rougeL"] for a in (before, after)]
    counts = not before.abstained
    alike = rouge(after.answer, [before.answer])["rougeL"] if counts and not after.abstained else 0.0
    return {
        "same": (alike, float(counts)),
        "unchanged": (float(counts and after.answer == before.answer), float(counts)),
        "supported_by_retrieved": (float(supported), float(len(after.sentences))),
        "rougeL_lost": (overlap[0] - overlap[1], 1.0),
    }
