"""The RetriBERT model: BERT encoders that put questions and passages into one vector space.

The names, arguments and results are those of the last Transformers release that had the model; the encoder inside is
Transformers' own ``BertModel``.

References
----------
- Jernite, "Explain Anything Like I'm Five: A Model for Open Domain Long Form Question Answering", 2020: the model.
- Devlin et al., "BERT: Pre-training of Deep Bidirectional Transformers", NAACL 2019, arXiv:1810.04805: the encoder.
- Henderson et al., "Efficient Natural Language Response Suggestion for Smart Reply", 2017, arXiv:1705.00652: the other
  answers of a batch as the negatives of a softmax.
- Chen et al., "Training Deep Nets with Sublinear Memory Cost", 2016, arXiv:1604.06174: gradient checkpointing.
"""

from __future__ import annotations

import os
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.checkpoint import checkpoint
from transformers import BertModel, PreTrainedModel

from lfqa.retribert.configuration_retribert import RetriBertConfig
from lfqa.retribert.loading import load_whole


class RetriBertPreTrainedModel(PreTrainedModel):
    """Loading, saving and initialising, shared by RetriBERT models.

    Fresh weights follow the rule of Transformers' base class: normal with standard deviation
    ``config.initializer_range`` in linear and embedding layers, zero in biases and in the padding embedding, one in the
    scales of layer normalisation. From the same seed, they are the original's numbers.
    """

    config: RetriBertConfig
    config_class = RetriBertConfig
    base_model_prefix = "retribert"
    # Without this flag the encoders inside fall back to eager attention too. Flash and flex attention are left out:
    # they cannot take the additive mask that a fully masked row needs (see `_additive_mask`).
    _supports_sdpa = True
    # Checkpoints of 2020 carry this buffer as if it were a weight.
    _keys_to_ignore_on_load_unexpected = [r"(^|\.)position_ids$"]

    @classmethod
    def from_pretrained(cls, pretrained_model_name_or_path: str | os.PathLike[str] | None, *model_args: Any, **kwargs: Any) -> Any:
        """Load a checkpoint whole, or not at all.

        Takes the arguments of every Transformers ``from_pretrained``, and differs in four points:

        - without ``dtype`` the weights become float32 (torch's default dtype), as they used to, not the file's dtype;
        - a missing, unknown or differently shaped weight is an error, where Transformers fills in random numbers;
        - ``ignore_mismatched_sizes`` and ``weights_only=False`` are refused, since they undo the point above or run
          code from the file;
        - a pickle that holds anything but tensors is refused with an OSError, and nothing in it is run.

        Parameters
        ----------
        pretrained_model_name_or_path
            A directory with ``config.json`` and ``model.safetensors`` or ``pytorch_model.bin`` (the pickle format from
            before PyTorch 1.6 included), or a name on the hub; None if ``config`` and ``state_dict`` are given.
        *model_args
            Further positional arguments of the model class.
        **kwargs
            Options of Transformers' ``from_pretrained``; names of the configuration override its values.

        Returns
        -------
        RetriBertPreTrainedModel or tuple
            The model in evaluation mode; with ``output_loading_info=True`` the pair of it and the report.

        Raises
        ------
        CheckpointMismatchError
            If the checkpoint does not fit; the message names every weight at fault.
        OSError
            If there is no checkpoint, or if it is a pickle of more than tensors.
        ValueError
            If one of the two refused options is given.
        """
        wants_report = kwargs.pop("output_loading_info", False)
        model, report = load_whole(super().from_pretrained, pretrained_model_name_or_path, *model_args, **kwargs)
        return (model, report) if wants_report else model


class RetriBertModel(RetriBertPreTrainedModel):
    """Embeds questions and documents so that a question's inner product is largest with its own document.

    Parameters
    ----------
    config
        Sizes of the model. With ``share_encoders`` there is one encoder, ``bert_query``, and ``bert_doc`` is None.

    Examples
    --------
    >>> config = RetriBertConfig(vocab_size=100, hidden_size=16, num_hidden_layers=1, num_attention_heads=2)
    >>> model = RetriBertModel(config).eval()
    >>> model.embed_questions(torch.tensor([[1, 5, 2], [1, 7, 2]])).shape
    torch.Size([2, 128])
    """

    def __init__(self, config: RetriBertConfig) -> None:
        super().__init__(config)
        self.projection_dim = config.projection_dim
        # BertModel asks its configuration for names only, and RetriBertConfig has them all.
        self.bert_query = BertModel(config)  # type: ignore[arg-type]
        self.bert_doc = None if config.share_encoders else BertModel(config)  # type: ignore[arg-type]
        # Never applied, in the original neither; kept because code may look it up.
        self.dropout = nn.Dropout(config.hidden_dropout_prob)
        self.project_query = nn.Linear(config.hidden_size, config.projection_dim, bias=False)
        self.project_doc = nn.Linear(config.hidden_size, config.projection_dim, bias=False)
        self.ce_loss = nn.CrossEntropyLoss(reduction="mean")
        self.post_init()

    def embed_sentences_checkpointed(
        self,
        input_ids: Tensor,
        attention_mask: Tensor | None,
        sent_encoder: BertModel,
        checkpoint_batch_size: int = -1,
    ) -> Tensor:
        """Pooled encoder output of each row, before projection.

        Token embeddings are computed for the whole batch at once. If the batch has at least ``checkpoint_batch_size``
        rows, the layers above them run on that many rows at a time and keep none of their activations, which the
        backward pass computes again: memory falls to about that of one such chunk, for about a third more time.

        Parameters
        ----------
        input_ids
            Token ids, shape (batch, length), with ``length <= config.max_position_embeddings``.
        attention_mask
            1 for a token, 0 for padding, of any dtype, shape (batch, length), or (batch, length, length) for one mask
            a query position; None for no padding.
        sent_encoder
            The encoder to run.
        checkpoint_batch_size
            Rows in a chunk; negative for no chunks.

        Returns
        -------
        Tensor
            Shape (batch, hidden_size), the tanh of a linear layer on each row's first position.

        Raises
        ------
        ValueError
            If ids, mask, chunk size and encoder do not fit together.
        """
        _check_inputs(input_ids, attention_mask, sent_encoder, checkpoint_batch_size)
        mask = None if attention_mask is None else _additive_mask(attention_mask, sent_encoder.dtype)
        rows = input_ids.shape[0]
        if checkpoint_batch_size < 0 or rows < checkpoint_batch_size:
            with _exact_attention(mask):
                whole: Tensor = sent_encoder(input_ids, attention_mask=mask)[1]
            return whole

        def pool(hidden: Tensor, mask: Tensor | None) -> Tensor:  # (chunk, length, hidden) -> (chunk, hidden)
            with _exact_attention(mask):
                encoded = sent_encoder.encoder(hidden, attention_mask=mask)[0]
            return sent_encoder.pooler(encoded)  # type: ignore[misc]

        hidden = sent_encoder.embeddings(input_ids)  # (batch, length, hidden)
        chunks = [slice(start, start + checkpoint_batch_size) for start in range(0, rows, checkpoint_batch_size)]
        # The non-reentrant kind also trains the layers when the embeddings are frozen.
        pooled = [checkpoint(pool, hidden[chunk], None if mask is None else mask[chunk], use_reentrant=False) for chunk in chunks]
        return torch.cat(pooled)

    def embed_questions(self, input_ids: Tensor, attention_mask: Tensor | None = None, checkpoint_batch_size: int = -1) -> Tensor:
        """Vectors of questions.

        Parameters
        ----------
        input_ids, attention_mask, checkpoint_batch_size
            As in :meth:`embed_sentences_checkpointed`.

        Returns
        -------
        Tensor
            Shape (batch, projection_dim), not normalised: compare by inner product.

        Raises
        ------
        ValueError
            As in :meth:`embed_sentences_checkpointed`.
        """
        pooled = self.embed_sentences_checkpointed(input_ids, attention_mask, self.bert_query, checkpoint_batch_size)
        vectors: Tensor = self.project_query(pooled)
        return vectors

    def embed_answers(self, input_ids: Tensor, attention_mask: Tensor | None = None, checkpoint_batch_size: int = -1) -> Tensor:
        """Vectors of documents (passages, answers).

        Parameters
        ----------
        input_ids, attention_mask, checkpoint_batch_size
            As in :meth:`embed_sentences_checkpointed`.

        Returns
        -------
        Tensor
            Shape (batch, projection_dim), not normalised: compare by inner product.

        Raises
        ------
        ValueError
            As in :meth:`embed_sentences_checkpointed`.
        """
        encoder = self.bert_query if self.bert_doc is None else self.bert_doc
        pooled = self.embed_sentences_checkpointed(input_ids, attention_mask, encoder, checkpoint_batch_size)
        vectors: Tensor = self.project_doc(pooled)
        return vectors

    def forward(
        self,
        input_ids_query: Tensor,
        attention_mask_query: Tensor | None,
        input_ids_doc: Tensor,
        attention_mask_doc: Tensor | None,
        checkpoint_batch_size: int = -1,
    ) -> Tensor:
        """In-batch contrastive loss of questions and the documents that belong to them.

        Row i of the questions belongs to row i of the documents, and all other rows are its negatives. With the
        inner products S (batch, batch), unscaled, the loss is the mean of the cross entropies of S's rows and of S's
        columns against the diagonal.

        Parameters
        ----------
        input_ids_query, attention_mask_query
            Questions, shape (batch, question length); the mask may be None.
        input_ids_doc, attention_mask_doc
            Documents, shape (batch, document length); the mask may be None.
        checkpoint_batch_size
            Rows embedded at a time (see :meth:`embed_sentences_checkpointed`); it does not change the negatives.

        Returns
        -------
        Tensor
            The loss, a scalar in nats.

        Raises
        ------
        ValueError
            If the two batches differ in size, or as in :meth:`embed_sentences_checkpointed`.
        """
        if input_ids_query.shape[0] != input_ids_doc.shape[0]:
            raise ValueError(
                "each question needs its document, in the same row: "
                f"got {input_ids_query.shape[0]} questions and {input_ids_doc.shape[0]} documents"
            )
        questions = self.embed_questions(input_ids_query, attention_mask_query, checkpoint_batch_size)
        documents = self.embed_answers(input_ids_doc, attention_mask_doc, checkpoint_batch_size)
        scores = questions @ documents.t()  # (batch, batch)
        diagonal = torch.arange(scores.shape[0], device=scores.device)
        loss: Tensor = (self.ce_loss(scores, diagonal) + self.ce_loss(scores.t(), diagonal)) / 2
        return loss


def _additive_mask(attention_mask: Tensor, dtype: torch.dtype) -> Tensor:
    """Mask to add to attention scores: 0 where attended, the lowest finite number where not.

    This is the original's mask. Where a row is masked throughout, the lowest number swallows every score, and the
    softmax is uniform; the boolean mask that BertModel would make gives zeros or NaN there, depending on the kernel.
    (In float16, 65504 swallows scores only while they are added in float16, which fused kernels do not do.)

    Returns shape (batch, 1, 1, length) or, from a mask for each position, (batch, 1, length, length).
    """
    device = attention_mask.device.type
    if torch.is_autocast_enabled(device):
        # Autocast casts the mask as well, and the lowest float32 would become minus infinity.
        dtype = torch.get_autocast_dtype(device)
    mask = (1.0 - attention_mask.to(dtype)) * torch.finfo(dtype).min
    return mask[:, None, None, :] if mask.dim() == 2 else mask[:, None, :, :]


def _exact_attention(mask: Tensor | None) -> AbstractContextManager[None]:
    """Keep torch's attention from fused kernels where a row is masked throughout.

    Their backward pass restores attention weights from the logarithm of the softmax's denominator, which the lowest
    number has swallowed, and makes each weight 1. Such rows do not occur in real text, so the speed does not matter.
    The setting is process-wide for as long as it lasts.
    """
    if mask is not None and bool((mask.amax(-1) < 0).any()):
        return sdpa_kernel(SDPBackend.MATH)
    return nullcontext()


def _check_inputs(input_ids: Tensor, attention_mask: Tensor | None, encoder: BertModel, checkpoint_batch_size: int) -> None:
    """Raise ValueError if the arguments of ``embed_sentences_checkpointed`` contradict each other."""
    if input_ids.dim() != 2:
        raise ValueError(f"input_ids must have the shape (batch, length), got {tuple(input_ids.shape)}")
    rows, length = input_ids.shape
    if checkpoint_batch_size == 0:
        raise ValueError(
            f"checkpoint_batch_size must be at least 1 row, or negative for no chunks: got {checkpoint_batch_size} for a batch of {rows}"
        )
    if length > encoder.config.max_position_embeddings:
        raise ValueError(
            f"the input is {length} tokens long, and the model has positions for "
            f"{encoder.config.max_position_embeddings} (max_position_embeddings)"
        )
    if attention_mask is not None and attention_mask.shape not in ((rows, length), (rows, length, length)):
        raise ValueError(f"attention_mask has the shape {tuple(attention_mask.shape)}, input_ids {tuple(input_ids.shape)}")
