"""The nearest answered question: the right ones, vectors made once, and files that are whole or not there."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from lfqa.corpus.questions import AnsweredQuestion
from lfqa.indexing.questions import QuestionIndex, question_index, unit
from lfqa.retrieval.dense import DenseIndex
from tests.helpers import WordEncoder

ROOT = Path(__file__).resolve().parent.parent
QUESTIONS = ["Why is the sky blue?", "How do bees make honey?", "What is a fever?", "Why do cats purr?"]
vectors = arrays.arrays(np.float32, (5, 4), elements=st.floats(-10, 10, width=32).map(lambda x: x if abs(x) > 1e-3 else 0.0))


@pytest.fixture
def encoder() -> WordEncoder:
    return WordEncoder()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "questions.jsonl"
    return write(path, QUESTIONS)


def write(path: Path, questions: list[str]) -> Path:
    records = [{"question": q, "answer": f"About: {q}", "passage_ids": [f"p-{n}"], "split": "train"} for n, q in enumerate(questions)]
    path.write_text("\n".join(map(json.dumps, [*records, {"question": "Secret?", "answer": "No.", "split": "test"}])), encoding="utf-8")
    return path


def made(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if not path.name.endswith(".lock"))


def opened(file: Path, folder: Path, encoder: WordEncoder, model: str = "model-a") -> QuestionIndex:
    index = question_index(file, folder, model, encoder)  # type: ignore[arg-type]
    assert index is not None
    return index


def test_a_question_finds_itself_then_what_shares_words_and_never_a_test_question(file: Path, tmp_path: Path, encoder: WordEncoder) -> None:
    index = opened(file, tmp_path / "corpora", encoder)
    for number, question in enumerate(QUESTIONS):
        [near] = index.nearest(encoder.questions([question])[0])
        assert (near.question, near.answer, near.passage_ids) == (question, f"About: {question}", (f"p-{number}",))
        assert near.similarity == pytest.approx(1.0)
    first, second, *rest = index.nearest(encoder.questions(["Why do cats sleep?"])[0], 10)
    assert first.question == "Why do cats purr?" and first.similarity > second.similarity
    assert len(rest) == 2 and "Secret?" not in {near.question for near in (first, second, *rest)}
    with pytest.raises(ValueError, match="k must be at least 1"):
        index.nearest(encoder.questions(["Why?"])[0], 0)


@given(vectors, arrays.arrays(np.float32, 4, elements=st.floats(-10, 10, width=32).map(lambda x: x if abs(x) > 1e-3 else 0.0)))
def test_nearest_is_by_cosine(rows: np.ndarray, vector: np.ndarray) -> None:
    index = QuestionIndex(tuple(AnsweredQuestion(str(n), "a") for n in range(5)), DenseIndex.build(unit(rows)))
    found = index.nearest(vector, 5)
    lengths = np.linalg.norm(rows.astype(np.float64), axis=1) * np.linalg.norm(vector.astype(np.float64))
    products = rows.astype(np.float64) @ vector.astype(np.float64)
    cosines = np.divide(products, lengths, out=np.zeros(5), where=lengths > 0)
    assert [near.similarity for near in found] == pytest.approx(sorted(cosines, reverse=True), abs=1e-5)
    assert all(near.similarity == pytest.approx(cosines[int(near.question)], abs=1e-5) for near in found)
    assert all(-1 <= near.similarity <= 1 for near in found)


def test_vectors_are_made_once_for_a_file_and_a_model(file: Path, tmp_path: Path, encoder: WordEncoder) -> None:
    folder = tmp_path / "corpora"
    told: list[tuple[str, int, int]] = []
    question_index(file, folder, "model-a", encoder, lambda *step: told.append(step))  # type: ignore[arg-type]
    assert told == [("questions", 4, 4)]
    opened(file, folder, encoder)
    assert encoder.embedded == QUESTIONS
    opened(file, folder, encoder, "model-b")
    write(file, QUESTIONS[1:])
    assert len(opened(file, folder, encoder).questions) == 3
    assert len(encoder.embedded) == 4 + 4 + 3 and len(made(folder)) == 3


@pytest.mark.parametrize("damage", [b"", b"damaged", None])
def test_a_damaged_or_foreign_file_is_made_again(damage: bytes | None, file: Path, tmp_path: Path, encoder: WordEncoder) -> None:
    folder = tmp_path / "corpora"
    opened(file, folder, encoder)
    [name] = made(folder)
    if damage is None:
        DenseIndex.build(np.ones((2, 16), dtype=np.float32)).save(folder / name)
    else:
        (folder / name).write_bytes(damage)
    assert opened(file, folder, encoder).nearest(encoder.questions(QUESTIONS[2:3])[0])[0].question == QUESTIONS[2]
    assert made(folder) == [name]
    opened(file, folder, fresh := WordEncoder())
    assert fresh.embedded == []


def test_a_build_that_is_killed_leaves_nothing_that_is_opened(file: Path, tmp_path: Path, encoder: WordEncoder) -> None:
    """The child dies between the writing and the renaming; the next build takes no notice and leaves nothing behind."""
    folder = tmp_path / "corpora"
    code = f"""
import os
from pathlib import Path
from lfqa.indexing import questions
from tests.helpers import WordEncoder
questions.os.replace = lambda *_: os._exit(9)
questions.question_index(Path({str(file)!r}), Path({str(folder)!r}), "model-a", WordEncoder())
"""
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT).returncode == 9
    assert [name.startswith(".") for name in made(folder)] == [True]
    opened(file, folder, encoder)
    assert encoder.embedded == QUESTIONS
    assert [name.startswith(".") for name in made(folder)] == [False]


def test_an_encoder_that_fails_leaves_nothing(file: Path, tmp_path: Path) -> None:
    class Failing(WordEncoder):
        def questions(self, texts: object) -> np.ndarray:
            raise MemoryError

    with pytest.raises(MemoryError):
        opened(file, tmp_path / "corpora", Failing())
    assert made(tmp_path / "corpora") == []


def test_a_file_without_answered_training_questions_has_no_index(
    tmp_path: Path, encoder: WordEncoder, caplog: pytest.LogCaptureFixture
) -> None:
    file = write(tmp_path / "questions.jsonl", [])
    assert question_index(file, tmp_path / "corpora", "model-a", encoder) is None  # type: ignore[arg-type]
    assert "no answered training question" in caplog.text and not (tmp_path / "corpora").exists()
