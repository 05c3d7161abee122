"""RetriBERT for questions, from a checkpoint's files alone.

Importing Transformers takes longer than answering a question. A checkpoint with nothing out of the ordinary (one safetensors file,
tokenizer.json, every size in config.json) is therefore read here, by the same operations on the same numbers as `RetriBertModel`;
for any other the functions return None, and the caller takes the long way, which knows what is wrong or how to read it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from tokenizers import Tokenizer, normalizers
from torch import Tensor
from torch.nn import functional

_SIZES = (
    "vocab_size", "hidden_size", "num_hidden_layers", "num_attention_heads", "intermediate_size", "max_position_embeddings",
    "type_vocab_size", "projection_dim",
)  # fmt: skip
_WITHOUT_EFFECT = {
    "architectures", "attention_probs_dropout_prob", "dtype", "hidden_dropout_prob", "initializer_range", "pad_token_id", "torch_dtype",
    "transformers_version",
}  # fmt: skip
_SPECIAL = ("unk_token", "sep_token", "pad_token", "cls_token", "mask_token")
_TOKENIZER_OPTIONS = {
    "backend", "clean_up_tokenization_spaces", "do_lower_case", "model_max_length", "strip_accents", "tokenize_chinese_chars",
    "tokenizer_class", *_SPECIAL,
}  # fmt: skip


class PlainRetriBert:
    """RetriBERT without dropout and gradients.

    Parameters
    ----------
    config
        The sizes, ``layer_norm_eps`` and ``share_encoders``, as in config.json.
    weights
        Tensors by the names that a checkpoint has for them.

    Notes
    -----
    The vectors equal those of `lfqa.retribert.RetriBertModel` bit for bit, as long as no row of the attention mask is empty, which
    [CLS] sees to.
    """

    def __init__(self, config: Mapping[str, Any], weights: Mapping[str, Tensor]) -> None:
        self.projection_dim = int(config["projection_dim"])
        self._layers, self._heads = int(config["num_hidden_layers"]), int(config["num_attention_heads"])
        self._eps = float(config["layer_norm_eps"])
        self._documents = "bert_query" if config["share_encoders"] else "bert_doc"
        # autocast keeps its low-precision copies from batch to batch only for what could be trained
        self._weights = {name: weight.detach().requires_grad_() for name, weight in weights.items()}

    def embed_questions(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """Return vectors of shape (batch, projection_dim) for ids and a mask of 1 and 0, both of shape (batch, length)."""
        return self._linear(self._pooled(input_ids, attention_mask, "bert_query"), "project_query")

    def embed_answers(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """Return vectors of documents; shapes as in `embed_questions`."""
        return self._linear(self._pooled(input_ids, attention_mask, self._documents), "project_doc")

    def _pooled(self, ids: Tensor, mask: Tensor, encoder: str) -> Tensor:
        device = ids.device.type
        low = torch.is_autocast_enabled(device)
        dtype = torch.get_autocast_dtype(device) if low else self._weights["project_query.weight"].dtype
        bias = ((1.0 - mask.to(dtype)) * torch.finfo(dtype).min)[:, None, None, :]  # (batch, 1, 1, length)
        place = f"{encoder}.embeddings"
        hidden = functional.embedding(ids, self._weights[f"{place}.word_embeddings.weight"])
        hidden = hidden + self._weights[f"{place}.token_type_embeddings.weight"][0]
        hidden = hidden + self._weights[f"{place}.position_embeddings.weight"][: ids.shape[1]]
        hidden = self._norm(hidden, place)  # (batch, length, hidden)
        for layer in range(self._layers):
            hidden = self._layer(hidden, bias, f"{encoder}.encoder.layer.{layer}")
        return torch.tanh(self._linear(hidden[:, 0], f"{encoder}.pooler.dense"))

    def _layer(self, hidden: Tensor, bias: Tensor, place: str) -> Tensor:
        batch, length, width = hidden.shape
        query, key, value = (  # (batch, heads, length, hidden / heads)
            self._linear(hidden, f"{place}.attention.self.{name}").view(batch, length, self._heads, -1).transpose(1, 2)
            for name in ("query", "key", "value")
        )
        attended = functional.scaled_dot_product_attention(query, key, value, attn_mask=bias)
        attended = attended.transpose(1, 2).reshape(batch, length, width)
        hidden = self._norm(self._linear(attended, f"{place}.attention.output.dense") + hidden, f"{place}.attention.output")
        wide = functional.gelu(self._linear(hidden, f"{place}.intermediate.dense"))
        return self._norm(self._linear(wide, f"{place}.output.dense") + hidden, f"{place}.output")

    def _linear(self, values: Tensor, place: str) -> Tensor:
        return functional.linear(values, self._weights[f"{place}.weight"], self._weights.get(f"{place}.bias"))

    def _norm(self, values: Tensor, place: str) -> Tensor:
        place = f"{place}.LayerNorm"
        return functional.layer_norm(values, values.shape[-1:], self._weights[f"{place}.weight"], self._weights[f"{place}.bias"], self._eps)


def load_plain(folder: Path, device: str = "cpu") -> PlainRetriBert | None:
    """Return the model in `folder` in float32, or None where it is not as ordinary as the module says.

    Raises
    ------
    SafetensorError
        When the weights are damaged.
    """
    config = _read_object(folder / "config.json")
    file = folder / "model.safetensors"
    if config is None or not file.is_file() or not _is_ordinary(config):
        return None
    shapes = _shapes(config)
    with safe_open(str(file), "pt", device=device) as tensors:
        if {name: tuple(tensors.get_slice(name).get_shape()) for name in tensors.keys()} != shapes:  # noqa: SIM118 - no mapping
            return None
        weights = {name: tensors.get_tensor(name) for name in shapes}
    if not all(weight.is_floating_point() for weight in weights.values()):
        return None
    return PlainRetriBert(config, {name: weight.float() for name, weight in weights.items()})


def load_plain_tokenizer(folder: Path) -> Tokenizer | None:
    """Return the tokenizer in `folder`, padding switched on, or None where Transformers would do more than read tokenizer.json."""
    options = _read_object(folder / "tokenizer_config.json")
    file = folder / "tokenizer.json"
    if options is None or not file.is_file() or not options.keys() <= _TOKENIZER_OPTIONS:
        return None
    tokenizer = Tokenizer.from_file(str(file))
    known = {token.content: index for index, token in tokenizer.get_added_tokens_decoder().items() if token.special}
    if not isinstance(tokenizer.normalizer, normalizers.BertNormalizer) or any(options.get(name) not in known for name in _SPECIAL):
        return None
    # the options go before what tokenizer.json says, as in RetriBertTokenizerFast
    tokenizer.normalizer = normalizers.BertNormalizer(
        clean_text=tokenizer.normalizer.clean_text,
        handle_chinese_chars=options.get("tokenize_chinese_chars", True),
        strip_accents=options.get("strip_accents"),
        lowercase=options.get("do_lower_case", True),
    )
    tokenizer.enable_padding(pad_id=known[options["pad_token"]], pad_token=options["pad_token"])
    return tokenizer


def _read_object(file: Path) -> dict[str, Any] | None:
    try:
        values = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return values if isinstance(values, dict) else None


def _is_ordinary(config: Mapping[str, Any]) -> bool:
    sizes = [config.get(name) for name in _SIZES]
    known = {*_SIZES, *_WITHOUT_EFFECT, "model_type", "hidden_act", "layer_norm_eps", "share_encoders"}
    return (
        config.keys() <= known
        and (config.get("model_type"), config.get("hidden_act")) == ("retribert", "gelu")
        and all(isinstance(size, int) and size > 0 for size in sizes)
        and config["hidden_size"] % config["num_attention_heads"] == 0
        and isinstance(config.get("layer_norm_eps"), float)
        and isinstance(config.get("share_encoders"), bool)
    )


def _shapes(config: Mapping[str, Any]) -> dict[str, tuple[int, ...]]:
    """Return the names and shapes of the weights of a model of these sizes."""
    width, wide, projected = config["hidden_size"], config["intermediate_size"], config["projection_dim"]
    shapes: dict[str, tuple[int, ...]] = {"project_query.weight": (projected, width), "project_doc.weight": (projected, width)}

    def linear(place: str, out: int, into: int) -> None:
        shapes.update({f"{place}.weight": (out, into), f"{place}.bias": (out,)})

    def norm(place: str) -> None:
        shapes.update({f"{place}.LayerNorm.weight": (width,), f"{place}.LayerNorm.bias": (width,)})

    for encoder in ("bert_query",) if config["share_encoders"] else ("bert_query", "bert_doc"):
        for table, rows in (("word", "vocab_size"), ("position", "max_position_embeddings"), ("token_type", "type_vocab_size")):
            shapes[f"{encoder}.embeddings.{table}_embeddings.weight"] = (config[rows], width)
        norm(f"{encoder}.embeddings")
        for number in range(config["num_hidden_layers"]):
            layer = f"{encoder}.encoder.layer.{number}"
            for name in ("query", "key", "value"):
                linear(f"{layer}.attention.self.{name}", width, width)
            linear(f"{layer}.attention.output.dense", width, width)
            norm(f"{layer}.attention.output")
            linear(f"{layer}.intermediate.dense", wide, width)
            linear(f"{layer}.output.dense", width, wide)
            norm(f"{layer}.output")
        linear(f"{encoder}.pooler.dense", width, width)
    return shapes
