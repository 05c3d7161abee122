"""The retriever's training: its start, its losses against NumPy, its batches."""

from __future__ import annotations

import math
import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import AutoModel, AutoTokenizer

from lfqa.training.loop import LoopSettings, run
from lfqa.training.retriever import SCALE, RetrieverTask, Teacher, distillation_loss, fit_projection, retribert_from_bert
from tests.training_helpers import SUBJECTS, prose, write_bert

PAIRS = [(f"What is a {s} of kind {n}?", prose(s, 3, n)) for s in SUBJECTS for n in range(3)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_bert(tmp_path_factory.mktemp("bert"), positions=128, layers=2)


@pytest.fixture(scope="module")
def teacher(folder: Path) -> Teacher:
    return Teacher(folder)


def batches(teacher: Teacher, size: int = 10) -> list[dict[str, torch.Tensor]]:
    texts = [passage for _, passage in PAIRS] + [question for question, _ in PAIRS]
    found = [teacher.tokenizer(texts[n : n + size], padding=True, return_tensors="pt") for n in range(0, len(texts), size)]
    return [{name: batch[name] for name in ("input_ids", "attention_mask")} for batch in found]


def make_task(folder: Path, teacher: Teacher, pairs: Any = PAIRS, validation: Any = PAIRS[:8], **options: Any) -> RetrieverTask:
    torch.manual_seed(1)
    model = retribert_from_bert(folder, 16)
    teacher.fit(torch.cat([teacher.embed(batch) for batch in batches(teacher)]), 16)
    passages = [passage for _, passage in PAIRS]
    settings = {"steps": 20, "batch_size": 4, **options}
    tokenizer = AutoTokenizer.from_pretrained(folder)
    return RetrieverTask(model, tokenizer, teacher, [q for q, _ in PAIRS], lambda rng: rng.choice(passages), pairs, validation, **settings)


def test_the_teacher_embeds_with_the_normalised_mean_over_the_tokens(folder: Path, teacher: Teacher) -> None:
    batch = teacher.tokenizer(["the river", prose("tide", 1)], padding=True, return_tensors="pt")
    with torch.no_grad():
        states = teacher.model(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"]).last_hidden_state.numpy()
    for row, length in enumerate(batch["attention_mask"].sum(1).tolist()):
        mean = states[row, :length].mean(0)
        assert np.allclose(teacher.embed(batch)[row].numpy(), mean / np.linalg.norm(mean), atol=0.02)  # bfloat16


def test_the_directions_are_the_main_ones(folder: Path) -> None:
    own = Teacher(folder)
    embeddings = torch.from_numpy(np.random.default_rng(0).normal(size=(50, 12)) * np.arange(1, 13)).float()
    own.fit(embeddings, 4)
    assert own.directions is not None
    wanted = np.linalg.svd(embeddings.numpy())[2][:4]  # uncentred
    assert np.allclose(np.abs(np.sum(own.directions.numpy().T * wanted, axis=1)), 1, atol=1e-4)


def test_aligned_directions_are_those_that_a_students_vectors_stand_for(folder: Path) -> None:
    rng = np.random.default_rng(1)
    embeddings = torch.from_numpy(rng.normal(size=(60, 12))).float()
    turned = torch.from_numpy(np.linalg.qr(rng.normal(size=(12, 4)))[0]).float()
    own = Teacher(folder)
    own.align(embeddings, 3.0 * embeddings @ turned + 0.01 * torch.from_numpy(rng.normal(size=(60, 4))).float())
    assert own.directions is not None
    assert torch.allclose(own.directions.T @ own.directions, torch.eye(4), atol=1e-5)
    assert torch.allclose(own.directions, turned, atol=0.02)


def test_cls_starts_as_a_function_of_the_mean_over_the_tokens(folder: Path, teacher: Teacher) -> None:
    model = retribert_from_bert(folder, 16).eval()
    bert: Any = model.bert_query
    batch = teacher.tokenizer(["the river", prose("tide", 2)], padding=True, return_tensors="pt")
    with torch.no_grad():
        found = bert(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"], output_hidden_states=True)
        before = found.hidden_states[-2]
        last = bert.encoder.layer[-1]
        for row, length in enumerate(batch["attention_mask"].sum(1).tolist()):
            mixed = 4 * before[row, :length].mean(0) + before[row, 0]  # the attention's output, and what goes round it
            state = last.output.LayerNorm(last.attention.output.LayerNorm(mixed))
            assert torch.allclose(found.pooler_output[row], torch.tanh(0.3 * state), atol=1e-4)


def test_all_other_layers_are_the_berts(folder: Path, teacher: Teacher) -> None:
    model: Any = retribert_from_bert(folder, 16)
    own, origin = model.bert_query.state_dict(), teacher.model.state_dict()
    changed = {name for name, value in origin.items() if not torch.equal(own[name], value)}
    assert changed
    assert all(name.startswith("encoder.layer.1.") for name in changed)
    assert set(own) - set(origin) == {"pooler.dense.weight", "pooler.dense.bias"}
    assert model.project_query.weight.shape == (16, 32)
    assert model.config.hidden_dropout_prob == model.config.attention_probs_dropout_prob == 0


@pytest.mark.parametrize("ridge", [1e-2, 1.0])
def test_the_projection_is_the_least_squares_optimum(folder: Path, ridge: float) -> None:
    teacher = Teacher(folder)
    model: Any = retribert_from_bert(folder, 16).eval()
    with pytest.raises(ValueError, match="call Teacher.fit first"):
        fit_projection(model, teacher, batches(teacher))
    teacher.fit(torch.cat([teacher.embed(batch) for batch in batches(teacher)]), 16)
    assert teacher.directions is not None
    error = fit_projection(model, teacher, batches(teacher), ridge)
    with torch.no_grad(), torch.autocast("cpu", dtype=torch.bfloat16):
        pooled = [
            model.embed_sentences_checkpointed(b["input_ids"], b["attention_mask"], model.bert_query).float() for b in batches(teacher)
        ]
    x = torch.cat(pooled).double().numpy()
    y = torch.cat([teacher.embed(b) @ teacher.directions for b in batches(teacher)]).double().numpy()
    strength = math.sqrt(ridge * np.mean(np.sum(x**2, axis=0)))
    wanted = np.linalg.lstsq(np.vstack([x, strength * np.eye(32)]), np.vstack([y, np.zeros((32, 16))]))[0]
    for projection in (model.project_query, model.project_doc):
        assert np.allclose(projection.weight.detach().numpy().T / math.sqrt(SCALE), wanted, atol=2e-4)
    assert error == pytest.approx(((x @ wanted - y) ** 2).sum(1).mean(), rel=1e-2)


@pytest.mark.parametrize("n", [2, 7])
def test_the_distillation_loss_against_numpy(n: int) -> None:
    rng = np.random.default_rng(n)
    student = rng.normal(size=(n, 4)) * math.sqrt(SCALE)
    wanted = rng.normal(size=(n, 9))
    wanted /= np.linalg.norm(wanted, axis=1, keepdims=True)
    directions = np.linalg.qr(rng.normal(size=(9, 4)))[0]

    def others(vectors: np.ndarray, row: int) -> np.ndarray:
        scores = SCALE * np.array([vectors[row] @ vectors[k] for k in range(n) if k != row])
        weights = np.exp(scores - scores.max())
        return weights / weights.sum()

    unit = student / math.sqrt(SCALE)
    distance = np.mean([np.sum((unit[row] - directions.T @ wanted[row]) ** 2) for row in range(n)])
    divergence = np.mean([np.sum(others(wanted, r) * np.log(others(wanted, r) / others(unit, r))) for r in range(n)])
    found = distillation_loss(*(torch.from_numpy(a).float() for a in (student, wanted, directions)))
    assert float(found) == pytest.approx(distance + 0.5 * divergence, rel=1e-4)


def test_the_distillation_loss_is_zero_for_the_teacher_itself() -> None:
    wanted = torch.nn.functional.normalize(torch.randn(5, 6, generator=torch.Generator().manual_seed(0)), dim=1)
    assert float(distillation_loss(math.sqrt(SCALE) * wanted, wanted, torch.eye(6))) == pytest.approx(0, abs=1e-5)


def test_pair_batches_are_full_and_have_no_passage_twice(folder: Path, teacher: Teacher) -> None:
    doubled = [*PAIRS, *PAIRS, *((f"Again: {q}", p) for q, p in PAIRS)]
    task = make_task(folder, teacher, doubled, batch_size=12)
    for seed in range(30):
        batch = task._pair_batch(random.Random(seed))
        assert len(batch) == len({passage for _, passage in batch}) == 12
        assert set(batch) <= set(doubled)


def test_fewer_passages_than_a_batch_make_a_smaller_batch(folder: Path, teacher: Teacher) -> None:
    task = make_task(folder, teacher, [*PAIRS[:3], *PAIRS[:3]], batch_size=12)
    assert sorted(task._pair_batch(random.Random(0))) == sorted(PAIRS[:3])


def test_pairs_come_on_every_other_step_from_their_share_on(folder: Path, teacher: Teacher, monkeypatch: pytest.MonkeyPatch) -> None:
    task = make_task(folder, teacher, pairs_from=0.5)
    steps: list[int] = []
    own = task._pair_batch
    monkeypatch.setattr(task, "_pair_batch", lambda rng: (steps.append(step), own(rng))[1])
    for step in range(8, 16):
        assert task.loss(step, random.Random(step)).isfinite()
    assert steps == [11, 13, 15]
    alone = make_task(folder, teacher, pairs=[], pairs_from=0.0)
    assert alone.loss(1, random.Random(0)).isfinite(), "without pairs it only distils"


@pytest.mark.parametrize("pairs_from", [1.0, 0.0])
def test_some_steps_lower_the_loss(folder: Path, teacher: Teacher, tmp_path: Path, pairs_from: float) -> None:
    task = make_task(folder, teacher, steps=24, batch_size=8, pairs_from=pairs_from)
    kinds = (0, 1) if pairs_from == 0 else (0,)

    def losses() -> list[float]:
        return [sum(float(task.loss(kind, random.Random(n)).detach()) for n in range(3)) for kind in kinds]

    before = losses()
    run(task, LoopSettings(24, 2e-3, optimizer="adamw"), tmp_path)
    assert all(after < first for after, first in zip(losses(), before, strict=True))


def test_evaluation_counts_whole_batches(folder: Path, teacher: Teacher) -> None:
    task = make_task(folder, teacher, validation=PAIRS[:10])
    measured = task.evaluate()
    assert set(measured) == {"recall@1", "teacher_recall@1"}
    assert all(0 <= value <= 1 and (value * 8).is_integer() for value in measured.values())
    assert make_task(folder, teacher, validation=PAIRS[:3]).evaluate() == {}


def test_what_is_saved_loads_with_the_auto_classes(folder: Path, teacher: Teacher, tmp_path: Path) -> None:
    task = make_task(folder, teacher)
    dtype = task.model.config.dtype
    task.save(tmp_path)
    assert task.model.config.dtype == dtype
    model: Any = AutoModel.from_pretrained(tmp_path, dtype=torch.float32)
    own = task.model.state_dict()
    assert all(torch.equal(value, own[name].half().float()) for name, value in model.state_dict().items())
    texts = ["The river keeps the people warm.", "Why?"]
    assert AutoTokenizer.from_pretrained(tmp_path)(texts)["input_ids"] == task.tokenizer(texts)["input_ids"]
