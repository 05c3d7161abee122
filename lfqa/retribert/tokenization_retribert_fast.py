"""RetriBERT's tokenizer on the ``tokenizers`` library: BERT's WordPiece.

Transformers 5 folds BERT's two tokenizers into one that ignores ``vocab_file`` and, beside a ``tokenizer.json``,
``do_lower_case``. This one honours both.

References
----------
Devlin et al., "BERT", NAACL 2019, arXiv:1810.04805; the format of ``tokenizer.json`` is the library's.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors
from transformers import PreTrainedTokenizerBase, PreTrainedTokenizerFast

from lfqa.retribert.tokenization_retribert import RetriBertTokenizer, with_old_defaults
from lfqa.retribert.wordpiece import read_vocab, write_vocab


class RetriBertTokenizerFast(PreTrainedTokenizerFast):
    """WordPiece tokenizer on the ``tokenizers`` library; returns ``input_ids`` and ``attention_mask``.

    Names, arguments (positional ones too), defaults and ids are those of the last Transformers release that had it, but
    for one point: built straight from a vocabulary file it knows its special tokens, as it does when loaded with
    ``from_pretrained``; the original then took ``[SEP]`` in a text for plain text, and did not skip it in decoding.

    Parameters
    ----------
    vocab_file
        Text file in UTF-8 with one vocabulary entry a line; needed if there is no ``tokenizer_file``.
    tokenizer_file
        A ``tokenizer.json``; goes before ``vocab_file``, save that the four options below override what is in it.
    do_lower_case
        Whether to lower-case text (special tokens excepted).
    unk_token, sep_token, pad_token, cls_token, mask_token
        The special tokens; those that the vocabulary lacks are added at its end.
    tokenize_chinese_chars
        Whether each CJK ideograph becomes a word.
    strip_accents
        Whether to drop accents; None to do so exactly when lower-casing.
    **kwargs
        Whatever every Transformers tokenizer takes.

    Raises
    ------
    ValueError
        If there is neither a ``tokenizer_file`` nor a ``vocab_file``.
    """

    vocab_files_names = {"vocab_file": "vocab.txt", "tokenizer_file": "tokenizer.json"}
    model_input_names = ["input_ids", "attention_mask"]
    slow_tokenizer_class = RetriBertTokenizer  # type: ignore[assignment]

    def __init__(
        self,
        vocab_file: str | Path | None = None,
        tokenizer_file: str | Path | None = None,
        do_lower_case: bool = True,
        unk_token: str = "[UNK]",
        sep_token: str = "[SEP]",
        pad_token: str = "[PAD]",
        cls_token: str = "[CLS]",
        mask_token: str = "[MASK]",
        tokenize_chinese_chars: bool = True,
        strip_accents: bool | None = None,
        **kwargs: Any,
    ) -> None:
        backend = kwargs.pop("tokenizer_object", None)
        if backend is None and tokenizer_file is not None:
            backend = Tokenizer.from_file(str(tokenizer_file))
        if backend is None:
            specials = [str(token) for token in (unk_token, sep_token, pad_token, cls_token, mask_token)]
            backend = _build_backend(vocab_file, specials)
        if isinstance(backend.normalizer, normalizers.BertNormalizer):
            backend.normalizer = normalizers.BertNormalizer(
                clean_text=backend.normalizer.clean_text,
                handle_chinese_chars=tokenize_chinese_chars,
                strip_accents=strip_accents,
                lowercase=do_lower_case,
            )
        self.do_lower_case = do_lower_case
        super().__init__(
            tokenizer_object=backend,
            do_lower_case=do_lower_case,
            unk_token=unk_token,
            sep_token=sep_token,
            pad_token=pad_token,
            cls_token=cls_token,
            mask_token=mask_token,
            tokenize_chinese_chars=tokenize_chinese_chars,
            strip_accents=strip_accents,
            **with_old_defaults(kwargs),
        )

    @classmethod
    def convert_to_native_format(cls, trust_remote_code: bool = False, **kwargs: Any) -> dict[str, Any]:
        """Leave the files to the constructor, where Transformers would take them apart and lose the options."""
        return kwargs

    def build_inputs_with_special_tokens(self, token_ids_0: list[int], token_ids_1: list[int] | None = None) -> list[int]:
        """Put ``[CLS] A [SEP]``, or ``[CLS] A [SEP] B [SEP]``, together from the ids of A and B."""
        first = [self.cls_token_id, *token_ids_0, self.sep_token_id]
        return [*first, *token_ids_1, self.sep_token_id] if token_ids_1 else first

    def create_token_type_ids_from_sequences(self, token_ids_0: list[int], token_ids_1: list[int] | None = None) -> list[int]:
        """Token types of ``[CLS] A [SEP] B [SEP]``: 0 up to the first ``[SEP]``, 1 after it."""
        first = [0] * (len(token_ids_0) + 2)
        return first if token_ids_1 is None else first + [1] * (len(token_ids_1) + 1)

    def save_vocabulary(self, save_directory: str, filename_prefix: str | None = None) -> tuple[str]:
        """Write ``vocab.txt``; arguments and result as in :meth:`RetriBertTokenizer.save_vocabulary`."""
        vocab = self.backend_tokenizer.get_vocab(with_added_tokens=False)
        return (write_vocab(vocab, save_directory, filename_prefix),)

    def _save_pretrained(
        self,
        save_directory: str | os.PathLike[str],
        file_names: tuple[str, ...],
        legacy_format: bool | None = None,
        filename_prefix: str | None = None,
    ) -> tuple[str, ...]:
        # Transformers 5 saves tokenizer.json alone, which the Python tokenizer and older releases cannot use. Done in
        # this hook, and not around `save_pretrained`, so that a push to the hub takes the files along.
        if legacy_format is not True:
            file_names = super()._save_pretrained(save_directory, file_names, legacy_format, filename_prefix)
        if legacy_format is not False:
            file_names = PreTrainedTokenizerBase._save_pretrained(self, save_directory, file_names, legacy_format, filename_prefix)
        return file_names


def _build_backend(vocab_file: str | Path | None, specials: list[str]) -> Tokenizer:
    """BERT's tokenizer, as the ``tokenizers`` library expresses it; ``specials`` as in the constructors."""
    if vocab_file is None:
        raise ValueError("a RetriBertTokenizerFast needs a vocab_file or a tokenizer_file")
    unk_token, sep_token, _, cls_token, _ = specials
    backend = Tokenizer(models.WordPiece(read_vocab(vocab_file), unk_token=unk_token))
    backend.add_special_tokens(specials)
    backend.normalizer = normalizers.BertNormalizer()
    backend.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    backend.decoder = decoders.WordPiece(prefix="##")
    backend.post_processor = processors.TemplateProcessing(
        single=f"{cls_token}:0 $A:0 {sep_token}:0",
        pair=f"{cls_token}:0 $A:0 {sep_token}:0 $B:1 {sep_token}:1",
        special_tokens=[(token, backend.token_to_id(token)) for token in (cls_token, sep_token)],
    )
    return backend
