"""Checkpoints in and out: the Auto classes, every file format, and what is refused."""

from __future__ import annotations

import json
import pickle
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import huggingface_hub
import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoConfig, AutoModel, AutoTokenizer

from lfqa.retribert import (
    CheckpointMismatchError,
    RetriBertConfig,
    RetriBertModel,
    RetriBertTokenizer,
    RetriBertTokenizerFast,
)

DATA = Path(__file__).parent / "data/retribert"
CHECKPOINT = DATA / "checkpoint"
SENTENCES = json.loads((DATA / "tokenization.json").read_text())["sentences"][:4]
SMALL = {
    "vocab_size": 20,
    "hidden_size": 8,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "intermediate_size": 12,
    "max_position_embeddings": 10,
    "projection_dim": 4,
}


def weights() -> dict[str, torch.Tensor]:
    """The checkpoint's tensors, the stray one included."""
    return torch.load(CHECKPOINT / "pytorch_model.bin", weights_only=True)


def save_as(kind: str, state: dict[str, torch.Tensor], folder: Path) -> Path:
    shutil.copytree(CHECKPOINT, folder, ignore=shutil.ignore_patterns("*.bin"), dirs_exist_ok=True)
    if kind == "safetensors":
        save_file(state, folder / "model.safetensors", metadata={"format": "pt"})
    else:
        torch.save(state, folder / "pytorch_model.bin", _use_new_zipfile_serialization=kind == "zip")
    return folder


def small_model(**options: Any) -> RetriBertModel:
    torch.manual_seed(0)
    return RetriBertModel(RetriBertConfig(**{**SMALL, **options})).eval()


@pytest.mark.parametrize("with_json", [False, True])
@pytest.mark.parametrize("kind", ["pickle", "zip", "safetensors"])
def test_auto_classes_load_a_checkpoint_of_2020(tmp_path: Path, kind: str, with_json: bool) -> None:
    state = weights()
    assert "bert_query.embeddings.position_ids" in state
    folder = save_as(kind, state, tmp_path)
    if with_json:
        shutil.copy(DATA / "tokenizer.json", folder)
    assert type(AutoConfig.from_pretrained(folder)) is RetriBertConfig
    tokenizer = AutoTokenizer.from_pretrained(folder)
    assert type(tokenizer) is RetriBertTokenizerFast
    model, report = AutoModel.from_pretrained(folder, output_loading_info=True)
    assert type(model) is RetriBertModel and not model.training
    assert not any(report[kind] for kind in ("missing_keys", "unexpected_keys", "mismatched_keys"))
    inputs = tokenizer(SENTENCES, padding=True, truncation=True, return_tensors="pt")
    with np.load(DATA / "checkpoint.npz") as wanted, torch.no_grad():
        assert np.array_equal(inputs["input_ids"], wanted["ids"])
        assert np.array_equal(inputs["attention_mask"], wanted["mask"])
        assert np.abs(model.embed_questions(**inputs).numpy() - wanted["questions"]).max() < 5e-6
        assert np.abs(model.embed_answers(**inputs).numpy() - wanted["answers"]).max() < 5e-6
    for name, weight in model.named_parameters():
        assert torch.equal(weight, state[name]), name
    assert torch.equal(model.bert_query.embeddings.position_ids, torch.arange(20)[None])


def test_the_committed_checkpoint_is_in_the_old_pickle_format() -> None:
    assert not (CHECKPOINT / "pytorch_model.bin").read_bytes().startswith(b"PK")
    assert type(AutoModel.from_pretrained(CHECKPOINT)) is RetriBertModel


@pytest.mark.parametrize("kind", ["pickle", "safetensors"])
def test_weights_become_float32_unless_asked_otherwise(tmp_path: Path, kind: str) -> None:
    halved = {name: value.half() if value.is_floating_point() else value for name, value in weights().items()}
    folder = save_as(kind, halved, tmp_path)
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "torch_dtype": "float16"}))
    for options, wanted in (
        ({}, torch.float32),
        ({"dtype": None}, torch.float32),
        ({"dtype": torch.float64}, torch.float64),
        ({"dtype": "float16"}, torch.float16),
        ({"torch_dtype": torch.bfloat16}, torch.bfloat16),
        ({"dtype": "auto"}, torch.float16),
    ):
        for loader in (RetriBertModel, AutoModel):
            model = loader.from_pretrained(folder, **options)
            assert {weight.dtype for weight in model.parameters()} == {wanted}, (options, loader)
            assert model.config.dtype == wanted
    assert torch.equal(RetriBertModel.from_pretrained(folder).project_query.weight, halved["project_query.weight"].float())


@pytest.mark.parametrize("share_encoders", [True, False])
def test_round_trip_is_exact(tmp_path: Path, share_encoders: bool) -> None:
    model = small_model(share_encoders=share_encoders)
    tokenizer = AutoTokenizer.from_pretrained(CHECKPOINT)
    model.save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    names = {path.name for path in tmp_path.iterdir()}
    assert names == {"config.json", "model.safetensors", "vocab.txt", "tokenizer.json", "tokenizer_config.json"}
    assert not any("position_ids" in name for name in load_file(tmp_path / "model.safetensors"))
    loaded = AutoModel.from_pretrained(tmp_path)
    assert (loaded.bert_doc is None) is share_encoders
    found, wanted = loaded.state_dict(), model.state_dict()
    assert list(found) == list(wanted)
    assert all(torch.equal(found[name], wanted[name]) for name in wanted)
    assert AutoTokenizer.from_pretrained(tmp_path)(SENTENCES) == tokenizer(SENTENCES)
    again = tmp_path / "again"
    loaded.save_pretrained(again)
    for name in ("model.safetensors", "config.json"):
        assert (again / name).read_bytes().replace(b'  "dtype": "float32",\n', b"") == (tmp_path / name).read_bytes().replace(
            b'  "dtype": "float32",\n', b""
        )


def test_a_sharded_checkpoint(tmp_path: Path) -> None:
    model = small_model(share_encoders=False)
    model.save_pretrained(tmp_path, max_shard_size="3KB")
    assert len(list(tmp_path.glob("model-*.safetensors"))) > 1
    loaded = RetriBertModel.from_pretrained(tmp_path)
    assert all(torch.equal(value, model.state_dict()[name]) for name, value in loaded.state_dict().items())


def test_a_state_dict_loads_and_is_checked_as_a_file_is() -> None:
    model = small_model()
    state = model.state_dict()
    loaded = RetriBertModel.from_pretrained(None, config=model.config, state_dict=dict(state))
    assert all(torch.equal(value, state[name]) for name, value in loaded.state_dict().items())
    with pytest.raises(CheckpointMismatchError, match=r"missing from the checkpoint: project_doc\.weight"):
        lacking = {name: value for name, value in state.items() if name != "project_doc.weight"}
        RetriBertModel.from_pretrained(None, config=model.config, state_dict=lacking)


@pytest.mark.parametrize("kind", ["pickle", "safetensors"])
def test_every_fault_of_a_checkpoint_is_named(tmp_path: Path, kind: str) -> None:
    state = weights()
    state["bert_query.pooler.dens.weight"] = state.pop("bert_query.pooler.dense.weight")
    del state["project_doc.weight"]
    state["project_query.weight"] = torch.zeros(6, 15)
    state["bert_query.embeddings.word_embeddings.weight"] = torch.zeros(116, 16)
    folder = save_as(kind, state, tmp_path)
    for loader in (RetriBertModel, AutoModel):
        with pytest.raises(CheckpointMismatchError) as caught:
            loader.from_pretrained(folder)
        assert isinstance(caught.value, ValueError)
        assert caught.value.missing == ["bert_query.pooler.dense.weight", "project_doc.weight"]
        assert caught.value.unexpected == ["bert_query.pooler.dens.weight"]
        assert caught.value.mismatched == [
            ("bert_query.embeddings.word_embeddings.weight", (116, 16), (115, 16)),
            ("project_query.weight", (6, 15), (6, 16)),
        ]
        message = str(caught.value)
        for part in (
            "missing from the checkpoint: bert_query.pooler.dense.weight",
            "missing from the checkpoint: project_doc.weight",
            "unknown to the model: bert_query.pooler.dens.weight",
            "project_query.weight is [6, 15] in the checkpoint, [6, 16] in the model",
            str(folder),
        ):
            assert part in message


def test_one_encoder_is_not_loaded_into_two_nor_two_into_one(tmp_path: Path) -> None:
    one, two = small_model(), small_model(share_encoders=False)
    one.save_pretrained(tmp_path / "one")
    two.save_pretrained(tmp_path / "two")
    documents = sorted(name for name in two.state_dict() if name.startswith("bert_doc."))
    for loader in (RetriBertModel, AutoModel):
        with pytest.raises(CheckpointMismatchError, match="share_encoders=False, the checkpoint only the") as caught:
            loader.from_pretrained(tmp_path / "one", share_encoders=False)
        assert caught.value.missing == documents and not caught.value.unexpected
        assert all(name in str(caught.value) for name in documents)
        with pytest.raises(CheckpointMismatchError, match="share_encoders=True, the checkpoint a second") as caught:
            loader.from_pretrained(tmp_path / "two", share_encoders=True)
        assert caught.value.unexpected == documents and not caught.value.missing


def test_a_bert_checkpoint_is_not_taken_for_a_retribert(tmp_path: Path) -> None:
    model = small_model()
    model.save_pretrained(tmp_path)
    save_file(model.bert_query.state_dict(), tmp_path / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(CheckpointMismatchError):
        RetriBertModel.from_pretrained(tmp_path)


def test_options_that_would_hide_faults_are_refused() -> None:
    with pytest.raises(ValueError, match="ignore_mismatched_sizes"):
        RetriBertModel.from_pretrained(CHECKPOINT, ignore_mismatched_sizes=True)
    with pytest.raises(ValueError, match="weights_only"):
        AutoModel.from_pretrained(CHECKPOINT, weights_only=False)
    assert RetriBertModel.from_pretrained(CHECKPOINT, ignore_mismatched_sizes=False, weights_only=True)


class Trap:
    """Creates a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.path,)


@pytest.mark.parametrize("options", [{}, {"dtype": "auto"}])
@pytest.mark.parametrize("kind", ["pickle", "zip"])
def test_a_pickle_with_code_is_refused_and_not_run(tmp_path: Path, kind: str, options: dict[str, str]) -> None:
    sprung = tmp_path / "sprung"
    folder = save_as(kind, {**weights(), "trap": Trap(sprung)}, tmp_path / "checkpoint")  # type: ignore[dict-item]
    for loader in (RetriBertModel, AutoModel):
        with pytest.raises(OSError, match="not a plain file of tensors"):
            loader.from_pretrained(folder, **options)
    assert not sprung.exists()
    (folder / "pytorch_model.bin").write_bytes(pickle.dumps(Trap(sprung), protocol=2))
    with pytest.raises(OSError, match="not a plain file of tensors"):
        RetriBertModel.from_pretrained(folder, **options)
    assert not sprung.exists()
    pickle.loads(pickle.dumps(Trap(sprung)))
    assert sprung.exists()


def test_a_missing_checkpoint_is_an_oserror(tmp_path: Path) -> None:
    RetriBertConfig(**SMALL).save_pretrained(tmp_path)
    with pytest.raises(OSError, match="no file named"):
        RetriBertModel.from_pretrained(tmp_path)


@pytest.mark.parametrize("tokenizer_class", [RetriBertTokenizer, RetriBertTokenizerFast])
def test_a_push_to_the_hub_takes_all_files_along(monkeypatch: pytest.MonkeyPatch, tokenizer_class: type) -> None:
    pushed: dict[str, bytes] = {}

    def commit(_: object, *, operations: list[huggingface_hub.CommitOperationAdd], **__: object) -> None:
        for operation in operations:
            pushed[operation.path_in_repo] = Path(str(operation.path_or_fileobj)).read_bytes()

    monkeypatch.setattr(huggingface_hub.HfApi, "create_repo", lambda *_, **__: SimpleNamespace(repo_id="someone/retriever"))
    monkeypatch.setattr(huggingface_hub.HfApi, "create_commit", commit)
    card = huggingface_hub.ModelCard("---\ntags: []\n---\n")
    monkeypatch.setattr("transformers.utils.hub.create_and_tag_model_card", lambda *_, **__: card)
    small_model().push_to_hub("someone/retriever")
    tokenizer_class.from_pretrained(CHECKPOINT).push_to_hub("someone/retriever")
    wanted = {"config.json", "model.safetensors", "vocab.txt", "tokenizer_config.json", "README.md"}
    assert set(pushed) == wanted | ({"tokenizer.json"} if tokenizer_class is RetriBertTokenizerFast else set())
    assert pushed["vocab.txt"] == (CHECKPOINT / "vocab.txt").read_bytes()
    assert json.loads(pushed["config.json"])["model_type"] == "retribert"


def test_importing_lfqa_alone_stays_light() -> None:
    code = "import sys, lfqa; sys.exit(bool({'torch', 'transformers'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], cwd=Path(__file__).parents[1]).returncode == 0
