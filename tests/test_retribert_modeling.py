"""RetriBertModel against the original's numbers, and what it does on its own."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import AutoModel

from lfqa.retribert import RetriBertConfig, RetriBertModel

DATA = Path(__file__).parent / "data/retribert"
ORACLE = Path(__file__).resolve().parents[1].parent / "shared/oracle"
CASES = ["one_head", "two_encoders", "twelve_heads", "wide_two_encoders"]
TOLERANCE = {"float32": 5e-6, "float64": 1e-12}
CHUNKS = [-1, 1, 2, 3, 5, 6]


class Case:
    """One file of reference numbers, and the model they belong to."""

    def __init__(self, name: str, dtype: str = "float64", attention: str = "sdpa") -> None:
        self.dtype = dtype
        with np.load(DATA / f"{name}.npz") as arrays:
            self.arrays = dict(arrays)
        config = RetriBertConfig(**json.loads(str(self.arrays["config"])), attn_implementation=attention)
        self.model = RetriBertModel(config).eval()
        self.model.load_state_dict({key: self.tensor(f"weight.{key}") for key in dict(self.model.named_parameters())})
        self.model.to(getattr(torch, dtype))
        self.question, self.answer = self.tensor("question"), self.tensor("answer")
        self.question_mask, self.answer_mask = self.tensor("question_mask"), self.tensor("answer_mask")

    def tensor(self, key: str) -> torch.Tensor:
        return torch.from_numpy(self.arrays[key])

    def masks(self, variant: str) -> tuple[torch.Tensor | None, torch.Tensor | None]:
        if variant == "unmasked":
            return None, None
        first, second = self.question_mask.clone(), self.answer_mask.clone()
        if variant == "blind":
            first[0], second[0] = 0, 0
        return first, second

    def results(self, variant: str, chunk: int = -1) -> dict[str, torch.Tensor]:
        first, second = self.masks(variant)
        with torch.no_grad():
            return {
                "questions": self.model.embed_questions(self.question, first, chunk),
                "answers": self.model.embed_answers(self.answer, second, chunk),
                "loss": self.model(self.question, first, self.answer, second, chunk),
            }

    def gradients(self, variant: str, chunk: int = -1) -> dict[str, torch.Tensor]:
        first, second = self.masks(variant)
        self.model.zero_grad()
        self.model(self.question, first, self.answer, second, chunk).backward()
        return {name: weight.grad.clone() for name, weight in self.model.named_parameters()}


def gap(found: torch.Tensor, wanted: torch.Tensor, scale: float = 1.0) -> float:
    assert found.shape == wanted.shape and found.dtype == wanted.dtype
    return float((found - wanted).detach().abs().max()) / scale


def assert_same_gradients(found: dict[str, torch.Tensor], wanted: dict[str, torch.Tensor], tolerance: float) -> None:
    largest = max(float(gradient.abs().max()) for gradient in wanted.values())
    assert largest > 1e-3
    assert set(found) == set(wanted)
    for name, gradient in wanted.items():
        # By the largest of all: a key bias shifts all scores of a query alike, which the softmax ignores, so that its
        # own gradient is nothing but rounding noise.
        assert gap(found[name], gradient, largest) < tolerance, name


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("attention", ["eager", "sdpa"])
@pytest.mark.parametrize("name", CASES)
def test_equals_the_original(name: str, attention: str, dtype: str) -> None:
    case = Case(name, dtype, attention)
    for variant in ("padded", "unmasked", "blind"):
        for key, found in case.results(variant).items():
            assert gap(found, case.tensor(f"{dtype}.{variant}.{key}")) < TOLERANCE[dtype], (variant, key)


@pytest.mark.parametrize("chunk", [-1, 2])
@pytest.mark.parametrize("attention", ["eager", "sdpa"])
@pytest.mark.parametrize(
    ("name", "dtype", "variant"),
    [
        ("one_head", "float64", "padded"),
        ("one_head", "float64", "blind"),
        ("one_head", "float32", "padded"),
        ("one_head", "float32", "blind"),
        ("two_encoders", "float64", "padded"),
        ("two_encoders", "float32", "padded"),
        ("twelve_heads", "float64", "padded"),
        ("twelve_heads", "float64", "blind"),
        ("twelve_heads", "float32", "padded"),
        ("wide_two_encoders", "float64", "padded"),
    ],
)
def test_gradients_equal_the_original(name: str, dtype: str, variant: str, attention: str, chunk: int) -> None:
    case = Case(name, dtype, attention)
    prefix = f"{dtype}.{variant}.gradient."
    wanted = {key.removeprefix(prefix): case.tensor(key) for key in case.arrays if key.startswith(prefix)}
    assert_same_gradients(case.gradients(variant, chunk), wanted, TOLERANCE[dtype])


@pytest.mark.parametrize("chunk", CHUNKS)
@pytest.mark.parametrize("variant", ["padded", "unmasked", "blind"])
def test_chunks_change_nothing(variant: str, chunk: int) -> None:
    case = Case("two_encoders")
    whole, whole_gradients = case.results(variant), case.gradients(variant)
    for key, found in case.results(variant, chunk).items():
        assert gap(found, whole[key]) < 1e-12
    assert_same_gradients(case.gradients(variant, chunk), whole_gradients, 1e-12)


def test_chunks_are_computed_again_in_the_backward_pass() -> None:
    case = Case("two_encoders")
    sizes: list[int] = []
    case.model.bert_query.encoder.register_forward_pre_hook(lambda _, inputs: sizes.append(len(inputs[0])))
    loss = case.model(case.question, case.question_mask, case.answer, case.answer_mask, 2)
    assert sizes == [2, 2, 1]
    loss.backward()
    assert sorted(sizes) == sorted(2 * [2, 2, 1])


def test_a_batch_smaller_than_the_chunk_is_embedded_whole() -> None:
    case = Case("two_encoders")
    sizes: list[int] = []
    case.model.bert_query.encoder.register_forward_pre_hook(lambda _, inputs: sizes.append(len(inputs[0])))
    case.gradients("padded", 6)
    assert sizes == [5]


def test_chunks_train_the_layers_above_frozen_embeddings() -> None:
    case = Case("one_head")
    case.model.bert_query.embeddings.requires_grad_(False)
    case.model(case.question, case.question_mask, case.answer, case.answer_mask, 2).backward()
    gradient = case.model.bert_query.encoder.layer[0].attention.self.value.weight.grad
    assert gradient is not None and float(gradient.abs().max()) > 1e-3


@pytest.mark.parametrize("dtype", [torch.bool, torch.int32, torch.float32, torch.float64])
def test_masks_of_any_dtype(dtype: torch.dtype) -> None:
    case = Case("one_head")
    found = case.model.embed_questions(case.question, case.question_mask.to(dtype))
    assert torch.equal(found, case.model.embed_questions(case.question, case.question_mask))


def test_a_mask_for_each_position() -> None:
    case = Case("one_head")
    each = case.question_mask[:, None, :].expand(-1, case.question.shape[1], -1)
    for chunk in (-1, 3):
        found = case.model.embed_questions(case.question, each, chunk)
        assert gap(found, case.tensor("float64.padded.questions")) < 1e-12


def test_padding_does_not_change_a_vector() -> None:
    case = Case("twelve_heads")
    short = case.model.embed_questions(case.question[:, :4], torch.ones(3, 4))
    longer = case.model.embed_questions(case.question, torch.ones(3, 7).index_fill(1, torch.arange(4, 7), 0.0))
    assert gap(longer, short) < 1e-12


@pytest.mark.parametrize("attention", ["eager", "sdpa"])
def test_a_fully_masked_row_stays_finite_in_half_precision(attention: str) -> None:
    case = Case("one_head", "float32", attention)
    wanted = case.results("blind")["questions"]
    with torch.autocast("cpu", torch.bfloat16):
        cast = case.results("blind")["questions"]
    halved = Case("one_head", "bfloat16", attention).results("blind")["questions"]
    assert float((cast - wanted).abs().max()) < 0.1 * float(wanted.abs().max())
    assert float((halved - wanted).abs().max()) < 0.1 * float(wanted.abs().max())


def test_training_reduces_the_loss_in_chunks_with_dropout() -> None:
    torch.manual_seed(0)
    case = Case("two_encoders", "float32")
    case.model = RetriBertModel(case.model.config).eval()
    before = float(case.results("padded")["loss"])
    case.model.train()
    optimizer = torch.optim.AdamW(case.model.parameters(), lr=3e-3)
    for _ in range(30):
        optimizer.zero_grad()
        case.model(case.question, case.question_mask, case.answer, case.answer_mask, 2).backward()
        optimizer.step()
    case.model.eval()
    assert float(case.results("padded")["loss"]) < 0.7 * before


def test_the_loss_is_a_scalar_and_each_row_is_its_own_answer() -> None:
    case = Case("two_encoders")
    loss = case.model(case.question, None, case.answer, None)
    assert loss.shape == ()
    scores = case.model.embed_questions(case.question) @ case.model.embed_answers(case.answer).t()
    log_rows, log_columns = scores.log_softmax(1).diagonal(), scores.log_softmax(0).diagonal()
    assert gap(loss, -(log_rows.mean() + log_columns.mean()) / 2) < 1e-12


def test_initialisation_is_the_original_draw_for_draw() -> None:
    record = json.loads((DATA / "initialisation.json").read_text())
    torch.manual_seed(record["seed"])
    model = RetriBertModel(RetriBertConfig(**record["config"]))
    assert torch.rand(1).item() == record["next_draw"]
    found = {name: weight.double() for name, weight in model.named_parameters()}
    assert list(found) == list(record["weights"])
    for name, (mean, square) in record["weights"].items():
        assert found[name].mean().item() == pytest.approx(mean, abs=1e-7), name
        assert found[name].square().mean().item() == pytest.approx(square, rel=1e-5), name
    assert found["bert_doc.embeddings.word_embeddings.weight"][record["config"]["pad_token_id"]].abs().max() == 0


def test_size_and_parts_of_the_default_model() -> None:
    with torch.device("meta"):
        model = RetriBertModel(RetriBertConfig())
    assert sum(weight.numel() for weight in model.parameters()) == 81_327_360
    assert model.bert_doc is None and model.projection_dim == 128
    assert model.config._attn_implementation == "sdpa"
    children = [name for name, _ in model.named_children()]
    assert children == ["bert_query", "dropout", "project_query", "project_doc", "ce_loss"]
    assert model.project_query.bias is None and model.project_doc.bias is None


def test_contradicting_inputs_are_refused_with_both_values() -> None:
    case = Case("one_head")  # 4 rows of 7 and 11 tokens, 12 positions
    model, question, answer = case.model, case.question, case.answer
    with pytest.raises(ValueError, match=r"4 questions and 3 documents"):
        model(question, None, answer[:3], None)
    with pytest.raises(ValueError, match=r"13 tokens long.* 12 "):
        model.embed_answers(torch.zeros(2, 13, dtype=torch.long))
    with pytest.raises(ValueError, match=r"got 0 for a batch of 4"):
        model.embed_questions(question, None, 0)
    with pytest.raises(ValueError, match=r"\(4, 7\).*\(4, 11\)"):
        model.embed_answers(answer, case.question_mask)
    with pytest.raises(ValueError, match=r"\(batch, length\), got \(7,\)"):
        model.embed_questions(question[0])
    with pytest.raises(ValueError, match=r"hidden size \(30\).*heads \(4\)"):
        RetriBertModel(RetriBertConfig(vocab_size=9, hidden_size=30, num_attention_heads=4))


@pytest.mark.skipif(not ORACLE.is_dir(), reason="the shared reference outputs of transformers 4.30 are not here")
@pytest.mark.parametrize("attention", ["eager", "sdpa"])
@pytest.mark.parametrize("prefix", ["", "f64."])
@pytest.mark.parametrize("kind", ["bin", "safetensors"])
def test_equals_the_shared_oracle(kind: str, prefix: str, attention: str) -> None:
    with np.load(ORACLE / "tiny_shared_h2.npz") as arrays:
        wanted = {key: torch.from_numpy(arrays[key]) for key in arrays}
    dtype = "float64" if prefix else "float32"
    tolerance = TOLERANCE[dtype]
    path = ORACLE / "tiny_shared_h2" / kind
    model = AutoModel.from_pretrained(path, dtype=dtype, attn_implementation=attention)
    question, question_mask = wanted["input_ids_query"], wanted["attention_mask_query"]
    answer, answer_mask = wanted["input_ids_doc"], wanted["attention_mask_doc"]
    for chunk in CHUNKS:
        with torch.no_grad():
            found = {
                "emb_q": model.embed_questions(question, question_mask, chunk),
                "emb_a": model.embed_answers(answer, answer_mask, chunk),
                "loss": model(question, question_mask, answer, answer_mask, chunk),
            }
        for key, value in found.items():
            assert gap(value, wanted[f"{prefix}{key}.cbs{chunk}"]) < tolerance, (key, chunk)
    blind = question_mask.clone()
    blind[0] = 0
    with torch.no_grad():
        assert gap(model.embed_questions(question), wanted[f"{prefix}emb_q.nomask"]) < tolerance
        if not prefix:
            assert gap(model.embed_questions(question, blind), wanted["emb_q.row0_fully_masked"]) < tolerance
    for chunk in (-1, 2):
        model.zero_grad()
        model(question, question_mask, answer, answer_mask, chunk).backward()
        found = {name: weight.grad for name, weight in model.named_parameters()}
        assert_same_gradients(found, {n: wanted[f"{prefix}grad.cbs{chunk}.{n}"] for n in found}, tolerance)
