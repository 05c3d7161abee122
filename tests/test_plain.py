"""RetriBERT read without Transformers, held against RetriBERT by Transformers: the same ids, and the same vectors to the last bit."""

from __future__ import annotations

import functools
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer
from transformers import AutoTokenizer

from lfqa.retribert import CheckpointMismatchError, RetriBertConfig, RetriBertModel
from lfqa.retrieval.dense import Encoder
from lfqa.retrieval.plain import load_plain, load_plain_tokenizer
from lfqa.sentences import split_sentences
from tests.helpers import ASSETS, prose

BUNDLED = ASSETS / "models" / "retriever"
DATA = Path(__file__).parent / "data" / "retribert"
OPTIONS = json.loads((DATA / "tokenization.json").read_text())["options"]
ODD = ["", " ", "word " * 700, "😀 \x00 [SEP] </s> [MASK]", "Ünïcödé ﬁ ǅ İ ß", "为什么天空", "a" * 300, "don't-stop\u200b!", "\ud7ff\ue000"]


def small_checkpoint(folder: Path, dtype: torch.dtype = torch.float32, **options: Any) -> RetriBertModel:
    """Save a small model with weights that are not small, the bundled tokenizer beside it, and return it."""
    torch.manual_seed(0)
    sizes = {"hidden_size": 24, "num_hidden_layers": 2, "num_attention_heads": 3, "intermediate_size": 40, "projection_dim": 5}
    model = RetriBertModel(RetriBertConfig(**{**sizes, "initializer_range": 0.3, **options})).eval()
    for name, weight in model.named_parameters():
        if name.endswith("bias") or "LayerNorm" in name:
            torch.nn.init.normal_(weight, mean=0.2, std=0.5)
    model.to(dtype).save_pretrained(folder)
    for name in ("tokenizer.json", "tokenizer_config.json", "vocab.txt"):
        shutil.copy(BUNDLED / name, folder)
    return model


def batch(rows: int = 5, length: int = 17) -> tuple[torch.Tensor, torch.Tensor]:
    """Return ids and a mask with more and more padding."""
    ids = torch.randint(1000, 30000, (rows, length), generator=torch.Generator().manual_seed(1))
    return ids, (torch.arange(length)[None] < length - 3 * torch.arange(rows)[:, None]).long()


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
@pytest.mark.parametrize("share_encoders", [True, False])
def test_the_vectors_are_those_of_the_model_bit_for_bit(share_encoders: bool, dtype: torch.dtype, tmp_path: Path) -> None:
    small_checkpoint(tmp_path, dtype, share_encoders=share_encoders)
    whole, plain = RetriBertModel.from_pretrained(tmp_path), load_plain(tmp_path)
    assert plain is not None and plain.projection_dim == 5
    for low in (False, True):
        with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16, enabled=low):
            for name in ("embed_questions", "embed_answers"):
                found, wanted = getattr(plain, name)(*batch()), getattr(whole, name)(*batch())
                assert found.dtype == wanted.dtype and torch.equal(found, wanted), (name, low)


def texts_of_the_corpus() -> list[str]:
    lines = (ASSETS / "corpus" / "passages.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line)["passage_text"] for line in lines[::5]]


@pytest.fixture(scope="module")
def by_transformers() -> Callable[[list[str], int], tuple[np.ndarray, np.ndarray]]:
    tokenizer = AutoTokenizer.from_pretrained(BUNDLED)

    def tokenize(texts: list[str], longest: int) -> tuple[np.ndarray, np.ndarray]:
        found = tokenizer(texts, truncation=True, max_length=longest, padding=True, return_tensors="np")
        return found["input_ids"], found["attention_mask"]

    return tokenize


@functools.cache
def bundled_tokenizer() -> Tokenizer:
    tokenizer = load_plain_tokenizer(BUNDLED)
    assert tokenizer is not None
    return tokenizer


def tokenize(tokenizer: Tokenizer, texts: list[str], longest: int) -> tuple[np.ndarray, np.ndarray]:
    tokenizer.enable_truncation(longest)
    found = tokenizer.encode_batch(texts)
    return np.array([row.ids for row in found]), np.array([row.attention_mask for row in found])


def test_the_ids_are_those_of_transformers(by_transformers: Callable[[list[str], int], Any]) -> None:
    tokenizer, passages = bundled_tokenizer(), texts_of_the_corpus()
    for texts in (passages, [s for text in passages[:60] for s in split_sentences(text)], ODD):
        for longest in (8, 64, 256):
            np.testing.assert_array_equal(tokenize(tokenizer, texts, longest), by_transformers(texts, longest))


@settings(max_examples=60)
@given(st.lists(st.one_of(prose, st.text(max_size=60)), min_size=1, max_size=4))
def test_the_ids_of_any_text_are_those_of_transformers(by_transformers: Callable[[list[str], int], Any], texts: list[str]) -> None:
    np.testing.assert_array_equal(tokenize(bundled_tokenizer(), texts, 24), by_transformers(texts, 24))


@pytest.mark.parametrize("options", [*OPTIONS.values(), {"do_lower_case": False, "strip_accents": True}])
def test_options_beside_tokenizer_json_count(options: dict[str, Any], tmp_path: Path) -> None:
    for name in ("tokenizer.json", "config.json"):
        shutil.copy(BUNDLED / name, tmp_path)
    given = json.loads((BUNDLED / "tokenizer_config.json").read_text())
    (tmp_path / "tokenizer_config.json").write_text(json.dumps({**given, **options}))
    whole = AutoTokenizer.from_pretrained(tmp_path)
    plain = load_plain_tokenizer(tmp_path)
    for text in [*ODD, "Café Ärger ÉCOLE 东京 [UNK]"]:
        if plain is not None:
            assert plain.encode(text).ids == whole(text)["input_ids"]
    assert plain is not None or not options.keys() <= {"do_lower_case", "strip_accents", "tokenize_chinese_chars"}


def test_an_encoder_gives_the_vectors_of_transformers(tmp_path: Path, by_transformers: Callable[[list[str], int], Any]) -> None:
    """The bundled checkpoint, and the same one with an unknown word in its configuration, for which Transformers is asked."""
    shutil.copytree(BUNDLED, tmp_path, dirs_exist_ok=True)
    config = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps({**config, "colour": "blue"}))
    options = json.loads((tmp_path / "tokenizer_config.json").read_text())
    (tmp_path / "tokenizer_config.json").write_text(json.dumps({**options, "colour": "blue"}))
    assert load_plain(tmp_path) is None and load_plain_tokenizer(tmp_path) is None
    short, long = Encoder(str(BUNDLED)), Encoder(str(tmp_path))
    texts = [*texts_of_the_corpus()[:40], *ODD]
    np.testing.assert_array_equal(short.texts(texts), long.texts(texts))
    whole = RetriBertModel.from_pretrained(BUNDLED)
    for text in ("Why is the sky blue?", *ODD):
        np.testing.assert_array_equal(short.questions([text]), long.questions([text]))
        ids, mask = (torch.from_numpy(values) for values in by_transformers([text], 64))
        with torch.inference_mode():
            assert torch.equal(torch.from_numpy(short.questions([text])), whole.embed_questions(ids, mask))


def change_config(folder: Path, **changes: Any) -> None:
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, **changes}))


def change_weights(folder: Path, change: Callable[[dict[str, torch.Tensor]], object]) -> None:
    weights = load_file(folder / "model.safetensors")
    change(weights)
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})


def in_pickle(folder: Path) -> None:
    torch.save(load_file(folder / "model.safetensors"), folder / "pytorch_model.bin")
    (folder / "model.safetensors").unlink()


def in_pieces(folder: Path) -> None:
    whole = RetriBertModel.from_pretrained(folder)
    (folder / "model.safetensors").unlink()
    whole.save_pretrained(folder, max_shard_size="300KB")


UNUSUAL: dict[str, Callable[[Path], object]] = {
    "a pickle": in_pickle,
    "in pieces": in_pieces,
    "an unknown setting": lambda folder: change_config(folder, attn_implementation="eager"),
    "another activation": lambda folder: change_config(folder, hidden_act="relu"),
    "the position ids of 2020": lambda folder: change_weights(
        folder, lambda w: w.update({"bert_query.embeddings.position_ids": torch.arange(512)[None]})
    ),
}


@pytest.mark.parametrize("kind", UNUSUAL)
def test_an_unusual_checkpoint_takes_the_long_way(kind: str, tmp_path: Path) -> None:
    small_checkpoint(tmp_path)
    UNUSUAL[kind](tmp_path)
    assert load_plain(tmp_path) is None
    found = Encoder(str(tmp_path)).questions(["Why is the sky blue?"])
    ids = AutoTokenizer.from_pretrained(tmp_path)(["Why is the sky blue?"], return_tensors="pt")
    with torch.inference_mode():
        wanted = RetriBertModel.from_pretrained(tmp_path).embed_questions(ids["input_ids"], ids["attention_mask"])
    np.testing.assert_array_equal(found, wanted)


WRONG: dict[str, Callable[[dict[str, torch.Tensor]], object]] = {
    "a weight lacks": lambda w: w.pop("project_doc.weight"),
    "one too many": lambda w: w.update(other=torch.zeros(2)),
    "another shape": lambda w: w.update({"bert_query.pooler.dense.bias": torch.zeros(23)}),
}


@pytest.mark.parametrize("kind", WRONG)
def test_weights_that_do_not_fit_are_named(kind: str, tmp_path: Path) -> None:
    small_checkpoint(tmp_path)
    change_weights(tmp_path, WRONG[kind])
    assert load_plain(tmp_path) is None
    with pytest.raises(CheckpointMismatchError, match=r"project_doc.weight|other|bert_query.pooler.dense.bias"):
        Encoder(str(tmp_path))


@pytest.mark.parametrize("text", ["{", "[]", "\xff", '{"model_type": "bert"}'])
def test_a_damaged_configuration_is_left_to_transformers(text: str, tmp_path: Path) -> None:
    small_checkpoint(tmp_path)
    (tmp_path / "config.json").write_text(text, encoding="latin-1")
    assert load_plain(tmp_path) is None


def test_cut_weights_are_refused(tmp_path: Path) -> None:
    small_checkpoint(tmp_path)
    (tmp_path / "model.safetensors").write_bytes((tmp_path / "model.safetensors").read_bytes()[:2000])
    with pytest.raises(SafetensorError):
        load_plain(tmp_path)


@pytest.mark.parametrize("change", [{"padding_side": "left"}, {"pad_token": "[NONE]"}, {"added_tokens_decoder": {}}, {"mask_token": None}])
def test_an_unusual_tokenizer_takes_the_long_way(change: dict[str, Any], tmp_path: Path) -> None:
    small_checkpoint(tmp_path)
    options = json.loads((tmp_path / "tokenizer_config.json").read_text())
    (tmp_path / "tokenizer_config.json").write_text(json.dumps({**options, **change}))
    assert load_plain_tokenizer(tmp_path) is None
    (tmp_path / "tokenizer_config.json").unlink()
    assert load_plain_tokenizer(tmp_path) is None
