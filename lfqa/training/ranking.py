"""How close the sentences of training records are to their questions, by the retriever that will rank them when questions are asked."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from lfqa.retrieval.closeness import relevance
from lfqa.retrieval.dense import Encoder
from lfqa.sentences import sentence_spans
from lfqa.types import Passage

Record = dict[str, Any]


def rank_sentences(records: Sequence[Record], encoder: Encoder, distractors: int = 3) -> list[Record]:
    """Return `records` with ``relevance``: for each passage one number a sentence, as `lfqa.retrieval.closeness` makes them.

    Parameters
    ----------
    distractors
        How many passages that are not gold are kept of each record; a prompt takes no more of them.
    """
    kept = []
    for record in records:
        gold = set(record["gold"])
        order = [*record["gold"], *[i for i in range(len(record["passages"])) if i not in gold][:distractors]]
        kept.append({**record, "passages": [record["passages"][i] for i in order], "gold": list(range(len(record["gold"])))})
    numbers: dict[str, int] = {}
    spans: dict[str, list[tuple[int, int]]] = {}
    rows: list[list[list[int]]] = []
    for record in kept:
        of_record = []
        for passage in record["passages"]:
            text = passage["text"]
            bounds = spans.setdefault(text, sentence_spans(text))
            said = [f"{passage['title']}: {text[start:end]}" for start, end in bounds]
            of_record.append([numbers.setdefault(sentence, len(numbers)) for sentence in said])
        rows.append(of_record)
    sentences = _unit(encoder.texts(list(numbers)))
    questions = _unit(encoder.questions([record["question"] for record in kept]))
    ranked = []
    for record, of_record, question in zip(kept, rows, questions, strict=True):
        passages = [Passage("", p["title"], p["section"], p["text"]) for p in record["passages"]]
        scored = [
            tuple((start, end, float(sentences[row] @ question)) for (start, end), row in zip(spans[p["text"]], found, strict=True))
            for p, found in zip(record["passages"], of_record, strict=True)
        ]
        values = relevance(record["question"], passages, scored)
        ranked.append({**record, "relevance": [[round(value, 4) for *_, value in one] for one in values]})
    return ranked


def _unit(vectors: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Return `vectors`, shape (n, dimension), at unit length; zero stays zero."""
    norms = np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors / np.maximum(norms, 1e-9)
