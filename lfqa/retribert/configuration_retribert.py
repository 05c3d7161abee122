"""Configuration of RetriBERT, the question and passage encoder of the 2020 ELI5 demonstration."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

from transformers import PreTrainedConfig


class RetriBertConfig(PreTrainedConfig):
    """Sizes and rates of a RetriBERT model; the defaults describe ``yjernite/retribert-base-uncased``.

    Arguments, their order and their defaults are those of the last Transformers release that had the model (4.57), so
    that old calls, positional ones included, keep their meaning. A value is not checked here: sizes that contradict
    each other are refused when the model is built.

    Parameters
    ----------
    vocab_size
        Number of entries of the token embedding table.
    hidden_size
        Width of the encoder; a multiple of ``num_attention_heads``.
    num_hidden_layers
        Number of encoder layers: 8, not the 12 of BERT-base.
    num_attention_heads
        Number of attention heads in each layer.
    intermediate_size
        Width of the feed-forward layer inside each encoder layer.
    hidden_act
        Activation of the feed-forward layer: a name known to Transformers, or a function (which cannot be saved).
    hidden_dropout_prob
        Dropout rate of embeddings and layer outputs, in [0, 1].
    attention_probs_dropout_prob
        Dropout rate of attention weights, in [0, 1].
    max_position_embeddings
        Longest input, in tokens.
    type_vocab_size
        Number of token types; RetriBERT itself only ever uses type 0.
    initializer_range
        Standard deviation of the normal distribution that fresh weights are drawn from.
    layer_norm_eps
        Term that keeps layer normalisation from dividing by zero.
    share_encoders
        Whether questions and documents go through the same encoder (they have a projection each in any case).
    projection_dim
        Length of the vectors the model returns.
    pad_token_id
        Id of the padding token, whose embedding starts at zero; None for none.
    **kwargs
        Whatever every Transformers configuration takes; unknown names become attributes.

    References
    ----------
    Jernite, "Explain Anything Like I'm Five: A Model for Open Domain Long Form Question Answering", 2020;
    Fan et al., "ELI5: Long Form Question Answering", ACL 2019, arXiv:1907.09190;
    Devlin et al., "BERT", NAACL 2019, arXiv:1810.04805.

    Examples
    --------
    >>> config = RetriBertConfig(hidden_size=64, num_attention_heads=4)
    >>> config.num_hidden_layers, config.projection_dim, config.share_encoders
    (8, 128, True)
    """

    model_type = "retribert"

    # Transformers' BertModel looks these up although they only concern decoders. Kept on the class, they stay out of
    # config.json, which then reads as it did in 2020.
    is_decoder: ClassVar[bool] = False
    add_cross_attention: ClassVar[bool] = False
    use_cache: ClassVar[bool] = False

    def __init__(
        self,
        vocab_size: int = 30522,
        hidden_size: int = 768,
        num_hidden_layers: int = 8,
        num_attention_heads: int = 12,
        intermediate_size: int = 3072,
        hidden_act: str | Callable[..., Any] = "gelu",
        hidden_dropout_prob: float = 0.1,
        attention_probs_dropout_prob: float = 0.1,
        max_position_embeddings: int = 512,
        type_vocab_size: int = 2,
        initializer_range: float = 0.02,
        layer_norm_eps: float = 1e-12,
        share_encoders: bool = True,
        projection_dim: int = 128,
        pad_token_id: int | None = 0,
        **kwargs: Any,
    ) -> None:
        # Before the parent's, which validates what it finds and would otherwise find nothing.
        self.vocab_size = vocab_size
        self.hidden_size = hidden_size
        self.num_hidden_layers = num_hidden_layers
        self.num_attention_heads = num_attention_heads
        self.intermediate_size = intermediate_size
        self.hidden_act = hidden_act
        self.hidden_dropout_prob = hidden_dropout_prob
        self.attention_probs_dropout_prob = attention_probs_dropout_prob
        self.max_position_embeddings = max_position_embeddings
        self.type_vocab_size = type_vocab_size
        self.initializer_range = initializer_range
        self.layer_norm_eps = layer_norm_eps
        self.share_encoders = share_encoders
        self.projection_dim = projection_dim
        self.pad_token_id = pad_token_id
        super().__init__(**kwargs)
