"""A cased byte-level BPE tokenizer for the generator, trained on the project's own training texts (Sennrich et al. 2016)."""

from __future__ import annotations

from collections.abc import Iterable

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from transformers import PreTrainedTokenizerFast

from lfqa.generation.prompt import PASSAGE_MARK, RANK_MARKS

SPECIAL_TOKENS = ["<s>", "<pad>", "</s>", "<unk>", "<mask>", PASSAGE_MARK, *RANK_MARKS]


def train_tokenizer(texts: Iterable[str], vocab_size: int = 20_000) -> PreTrainedTokenizerFast:
    """Train a BPE of `vocab_size` tokens.

    A space is put before the first word, so that a word has the same tokens wherever it stands: what the decoder copies looks as
    it did in the input. An encoded text ends in ``</s>`` and has no ``<s>``, which only starts the decoder.
    """
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size,
        special_tokens=SPECIAL_TOKENS,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        min_frequency=5,
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    end = tokenizer.token_to_id("</s>")
    tokenizer.post_processor = processors.TemplateProcessing(single="$A </s>", pair="$A </s> $B </s>", special_tokens=[("</s>", end)])
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        bos_token="<s>",
        eos_token="</s>",
        pad_token="<pad>",
        unk_token="<unk>",
        mask_token="<mask>",
        additional_special_tokens=[PASSAGE_MARK, *RANK_MARKS],
        model_max_length=512,
        clean_up_tokenization_spaces=False,
        model_input_names=["input_ids", "attention_mask"],
    )
