"""RetriBertConfig: names, order, defaults, files."""

from __future__ import annotations

import inspect
import json
from pathlib import Path

import pytest
from transformers import AutoConfig

from lfqa.retribert import RetriBertConfig, register

ORIGINAL = {
    "vocab_size": 30522,
    "hidden_size": 768,
    "num_hidden_layers": 8,
    "num_attention_heads": 12,
    "intermediate_size": 3072,
    "hidden_act": "gelu",
    "hidden_dropout_prob": 0.1,
    "attention_probs_dropout_prob": 0.1,
    "max_position_embeddings": 512,
    "type_vocab_size": 2,
    "initializer_range": 0.02,
    "layer_norm_eps": 1e-12,
    "share_encoders": True,
    "projection_dim": 128,
    "pad_token_id": 0,
}
CHECKPOINT = Path(__file__).parent / "data/retribert/checkpoint"


def test_arguments_have_the_original_order_and_defaults() -> None:
    parameters = list(inspect.signature(RetriBertConfig).parameters.values())
    assert {p.name: p.default for p in parameters[:-1]} == ORIGINAL
    assert [p.name for p in parameters[:-1]] == list(ORIGINAL)
    assert parameters[-1].kind is inspect.Parameter.VAR_KEYWORD
    config = RetriBertConfig()
    assert {name: getattr(config, name) for name in ORIGINAL} == ORIGINAL


def test_arguments_may_be_positional() -> None:
    values = [99, 24, 3, 4, 48, "relu", 0.2, 0.3, 64, 1, 0.05, 1e-5, False, 7, 5]
    config = RetriBertConfig(*values)
    assert [getattr(config, name) for name in ORIGINAL] == values


def test_options_of_every_configuration_and_unknown_ones_become_attributes() -> None:
    config = RetriBertConfig(output_hidden_states=True, num_labels=5, flavour="plain")
    assert config.output_hidden_states is True
    assert config.num_labels == 5
    assert config.flavour == "plain"
    assert config.is_decoder is False


def test_saved_file_reads_as_the_old_one_did(tmp_path: Path) -> None:
    RetriBertConfig(hidden_size=24, share_encoders=False).save_pretrained(tmp_path)
    written = json.loads((tmp_path / "config.json").read_text())
    assert written.pop("transformers_version")
    assert written == {**ORIGINAL, "hidden_size": 24, "share_encoders": False, "model_type": "retribert"}


@pytest.mark.parametrize("pad_token_id", [3, None])
def test_round_trip_through_the_auto_class(tmp_path: Path, pad_token_id: int | None) -> None:
    config = RetriBertConfig(vocab_size=50, projection_dim=3, share_encoders=False, pad_token_id=pad_token_id)
    config.save_pretrained(tmp_path)
    loaded = AutoConfig.from_pretrained(tmp_path)
    assert type(loaded) is RetriBertConfig
    assert {n: getattr(loaded, n) for n in ORIGINAL} == {n: getattr(config, n) for n in ORIGINAL}


def test_a_file_of_2020_loads_and_options_override_it() -> None:
    config = AutoConfig.from_pretrained(CHECKPOINT, hidden_dropout_prob=0.0)
    assert type(config) is RetriBertConfig
    assert (config.hidden_size, config.projection_dim, config.hidden_dropout_prob) == (16, 6, 0.0)


def test_registering_again_changes_nothing() -> None:
    register()
    register()
    assert type(AutoConfig.for_model("retribert", hidden_size=48)) is RetriBertConfig
