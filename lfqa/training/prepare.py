"""From a data folder to the files that training reads: running passages, grounded records, and what is held out."""

from __future__ import annotations

import json
import random
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
from torch.nn import functional

from lfqa.corpus.lines import read_objects
from lfqa.retrieval.sparse import SparseIndex
from lfqa.training import grounded
from lfqa.training.loop import replacing, write_json
from lfqa.training.retriever import Teacher
from lfqa.training.texts import HELD_OUT_DOMAIN, clean, detokenise, passages, read_records
from lfqa.types import Passage

TEXTS, RECORDS, HELD_OUT, ANSWERS = "texts.jsonl", "grounded.jsonl", "held_out.json", "held_out_answers.jsonl"
PASSAGES, QUESTIONS = "passages.jsonl", "questions.jsonl"
_TEST_QUESTIONS = 100


def write_lines(path: Path, records: Iterable[Any]) -> int:
    """Write `records` as JSON lines to `path`, whole or not at all; return how many they were."""
    count = 0
    with replacing(path) as partial, partial.open("w", encoding="utf-8") as lines:
        for record in records:
            lines.write(json.dumps(record, ensure_ascii=False) + "\n")
            count += 1
    return count


def read_lines(path: Path) -> list[Any]:
    """Return the records of a JSON-lines file; see `read_objects` for the errors."""
    return [record for _, record in read_objects(path)]


def check_inputs(prepared: Path, corpus: Path) -> None:
    """Refuse folders in which a file is missing, before anything is begun with them.

    Raises
    ------
    FileNotFoundError
        When a file is not there; the message names what makes it.
    """
    for name in (TEXTS, RECORDS):
        if not (prepared / name).is_file():
            raise FileNotFoundError(f"{prepared / name} is missing: make it with `lfqa train prepare DATA --out {prepared}`")
    for name in (PASSAGES, QUESTIONS):
        if not (corpus / name).is_file():
            raise FileNotFoundError(f"{corpus / name} is missing: the corpus is a folder with {PASSAGES} and {QUESTIONS}")


def held_out_questions(data: Path) -> list[str]:
    """Return the CLAPnq questions that the generator is measured on: 100 of those whose paragraph is in the data, sorted."""
    there = {row["question"] for name in ("nq_paragraphs", "qed_paragraphs") for row in read_records(data, name)}
    questions = sorted(row["question"] for row in read_records(data, "clapnq_train") if row["question"] in there)
    random.Random(7).shuffle(questions)
    return sorted(questions[:_TEST_QUESTIONS])


def held_out_answers(data: Path) -> Iterator[dict[str, Any]]:
    """Yield the held-out questions with reference answer and gold passage, as ``lfqa eval answers`` reads them."""
    test = set(held_out_questions(data))
    answers = {row["question"]: row["answer"] for row in read_records(data, "clapnq_train")}
    for name in ("nq_paragraphs", "qed_paragraphs"):
        for row in read_records(data, name):
            if row["question"] in test:
                test.remove(row["question"])
                passage = {"title": row["title"], "text": clean(detokenise(row["paragraph"]))}
                yield {"question": row["question"], "answers": [detokenise(answers[row["question"]])], "passages": [passage]}


def sentence_scorer(teacher: Teacher) -> grounded.Scorer:
    """Return a scorer of sentences by the cosine of the teacher's embeddings with the question's."""

    @torch.inference_mode()
    def score(question: str, sentences: Sequence[str]) -> Sequence[float]:
        batch = teacher.tokenizer([question, *sentences], truncation=True, max_length=64, padding=True, return_tensors="pt")
        vectors = functional.normalize(teacher.embed({k: batch[k] for k in ("input_ids", "attention_mask")}), dim=-1)
        return (vectors[1:] @ vectors[0]).tolist()

    return score


def word_scorer(question: str, sentences: Sequence[str]) -> Sequence[float]:
    """Score sentences by the question's words that they hold, earlier ones first among equals; a hundred times faster than the teacher."""
    asked = grounded.content(question)
    return [grounded.coverage(asked, grounded.content(text)) - 0.02 * number for number, text in enumerate(sentences)]


def searcher(texts: Sequence[dict[str, str]], folder: Path) -> grounded.Searcher:
    """Return a BM25 search over `texts`, its index built in `folder`."""
    index = SparseIndex.build((Passage("", t["title"], t["section"], t["text"]) for t in texts), folder)

    def search(question: str, k: int) -> Sequence[dict[str, str]]:
        return [{name: texts[row][name] for name in ("title", "section", "text")} for row, _ in index.search(question, k)]

    return search


def prepare(data: Path, out: Path, teacher: Teacher, tell: Callable[[str, int], object] = lambda source, count: None) -> None:
    """Write ``texts.jsonl``, ``grounded.jsonl``, ``held_out.json`` and ``held_out_answers.jsonl`` to `out`.

    Parameters
    ----------
    tell
        Hears how many records a source gave.

    Raises
    ------
    FileNotFoundError
        When `data` lacks a file.
    ValueError
        When a line of a file is not a JSON object.
    """
    out.mkdir(parents=True, exist_ok=True)
    write_lines(out / TEXTS, passages(data))
    texts = read_lines(out / TEXTS)
    tell(TEXTS, len(texts))
    test = held_out_questions(data)
    write_json(out / HELD_OUT, {"clapnq_questions": test, "lfrqa_domain": HELD_OUT_DOMAIN})
    write_lines(out / ANSWERS, held_out_answers(data))
    score = sentence_scorer(teacher)
    with tempfile.TemporaryDirectory(dir=out) as work:
        search = searcher(texts, Path(work) / "all")
        books = searcher([t for t in texts if t["source"] == "openstax"], Path(work) / "books")
        sources: dict[str, Iterator[grounded.Record]] = {
            "questions": grounded.natural_questions(data, score, set(test)),
            "forum": grounded.forum_answers(data),
            "instructions": grounded.instructions(data),
            "exercises": grounded.exercises(data, books),
            "glossary": grounded.glossary(data, books, 2500),
            "medical": grounded.medical_questions(data, word_scorer, 2500),
            "encyclopedia": grounded.encyclopedia(texts, word_scorer, 3000),
        }

        def everything() -> Iterator[grounded.Record]:
            for name, records in sources.items():
                count = 0
                for record in records:
                    yield grounded.with_distractors(record, search)
                    count += 1
                tell(name, count)

        write_lines(out / RECORDS, everything())


def own_records(corpus: Path, split: str, work: Path) -> list[grounded.Record]:
    """Return the records of the corpus' questions of `split`, distractors from its own passages; BM25 is built in `work`."""
    own = read_lines(corpus / PASSAGES)
    texts = [{"title": p["article_title"], "section": p["section_title"], "text": p["passage_text"]} for p in own]
    search = searcher(texts, work)
    questions = grounded.own_questions(own, read_lines(corpus / QUESTIONS), split)
    return [grounded.with_distractors(record, search, 8) for record in questions]
