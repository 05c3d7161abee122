"""RetriBERT's tokenizer in Python: BERT's WordPiece.

References
----------
Devlin et al., "BERT", NAACL 2019, arXiv:1810.04805.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from transformers import PreTrainedTokenizer

from lfqa.retribert.wordpiece import read_vocab, split_pieces, split_words, write_vocab

# Old Transformers knew the input limit, in tokens, of the published checkpoint by its name.
_PUBLISHED_LIMITS = {"yjernite/retribert-base-uncased": 512}


class RetriBertTokenizer(PreTrainedTokenizer):
    """WordPiece tokenizer in Python; returns ``input_ids`` and ``attention_mask``.

    Names, arguments (positional ones too), defaults and ids are those of the last Transformers release that had it, but
    for one point: built straight from a vocabulary file it knows its special tokens wherever they stand in a text, as
    it does when loaded with ``from_pretrained``; the original then needed spaces around them. It is slower than
    :class:`~lfqa.retribert.RetriBertTokenizerFast`, and the only one with ``never_split`` and ``do_basic_tokenize``.

    Parameters
    ----------
    vocab_file
        Text file in UTF-8 with one vocabulary entry a line; the line number, from 0, is the id.
    do_lower_case
        Whether to lower-case text (special tokens excepted).
    do_basic_tokenize
        Whether to clean the text and split it at punctuation; if not, only at spaces, and nothing is lower-cased.
    never_split
        Words that stay whole; without effect if ``do_basic_tokenize`` is off.
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
        If there is no file at ``vocab_file``.
    """

    vocab_files_names = {"vocab_file": "vocab.txt"}
    model_input_names = ["input_ids", "attention_mask"]

    def __init__(
        self,
        vocab_file: str | Path,
        do_lower_case: bool = True,
        do_basic_tokenize: bool = True,
        never_split: list[str] | None = None,
        unk_token: str = "[UNK]",
        sep_token: str = "[SEP]",
        pad_token: str = "[PAD]",
        cls_token: str = "[CLS]",
        mask_token: str = "[MASK]",
        tokenize_chinese_chars: bool = True,
        strip_accents: bool | None = None,
        **kwargs: Any,
    ) -> None:
        # Set before the parent's constructor, which looks special tokens up in the vocabulary.
        self.vocab = read_vocab(vocab_file)
        self.ids_to_tokens = {index: token for token, index in self.vocab.items()}
        self.do_lower_case = do_lower_case
        self.do_basic_tokenize = do_basic_tokenize
        self.never_split = never_split
        self.tokenize_chinese_chars = tokenize_chinese_chars
        self.strip_accents = strip_accents
        for token in kwargs.get("added_tokens_decoder", {}).values():
            # A fast tokenizer saves them in their own case, and this one looks for them in lower-cased text.
            if do_lower_case and token.normalized and not token.special:
                token.content = token.content.lower()
        super().__init__(
            do_lower_case=do_lower_case,
            do_basic_tokenize=do_basic_tokenize,
            never_split=never_split,
            unk_token=unk_token,
            sep_token=sep_token,
            pad_token=pad_token,
            cls_token=cls_token,
            mask_token=mask_token,
            tokenize_chinese_chars=tokenize_chinese_chars,
            strip_accents=strip_accents,
            **{"special_tokens_pattern": "cls_sep", **with_old_defaults(kwargs)},
        )

    @property
    def vocab_size(self) -> int:
        """Number of entries of the vocabulary file; added tokens are not counted."""
        return len(self.vocab)

    def get_vocab(self) -> dict[str, int]:
        """Give the vocabulary, added tokens included, as a new dict of token to id."""
        return {**self.vocab, **self.get_added_vocab()}

    def tokenize(self, text: str, pair: str | None = None, add_special_tokens: bool = False, **kwargs: Any) -> list[str]:
        """Cut a text into vocabulary entries, without special tokens around it.

        Parameters
        ----------
        text
            Any text; added and special tokens in it stay whole.
        pair, add_special_tokens
            Without effect, as in every Python tokenizer.
        **kwargs
            Options of Transformers' ``tokenize``.

        Returns
        -------
        list of str
            The vocabulary entries.
        """
        if self.do_lower_case and self.do_basic_tokenize:
            # Added tokens are searched for next, and are stored in lower case. One character at a time, as the
            # original: as a word, Greek with a final sigma would come out differently.
            whole = {*self.get_added_vocab(), *self.all_special_tokens}
            pattern = "|".join([*map(re.escape, sorted(whole, key=len, reverse=True)), "."])
            text = re.sub(pattern, lambda match: match[0] if match[0] in whole else match[0].lower(), text)
        return super().tokenize(text, pair=pair, add_special_tokens=add_special_tokens, **kwargs)

    def _tokenize(self, text: str, **kwargs: Any) -> list[str]:
        unknown = str(self.unk_token)
        if not self.do_basic_tokenize:
            return [piece for word in text.split() for piece in split_pieces(word, self.vocab, unknown)]
        kept = set(self.never_split or ())
        words = split_words(
            text,
            self.do_lower_case,
            self.strip_accents,
            self.tokenize_chinese_chars,
            kept.union(self.all_special_tokens),
        )
        return [piece for word in words for piece in ([word] if word in kept else split_pieces(word, self.vocab, unknown))]

    def _convert_token_to_id(self, token: str) -> int | None:
        return self.vocab.get(token, self.vocab.get(str(self.unk_token)))

    def _convert_id_to_token(self, index: int) -> str:
        return self.ids_to_tokens.get(index, str(self.unk_token))

    def convert_tokens_to_string(self, tokens: list[str]) -> str:
        """Join vocabulary entries into text: pieces to words, words with spaces between."""
        return " ".join(tokens).replace(" ##", "").strip()

    def save_vocabulary(self, save_directory: str, filename_prefix: str | None = None) -> tuple[str]:
        """Write ``vocab.txt``.

        Parameters
        ----------
        save_directory
            An existing directory.
        filename_prefix
            Put before the file's name, with a hyphen.

        Returns
        -------
        tuple of str
            The path of the file.
        """
        return (write_vocab(self.vocab, save_directory, filename_prefix),)


def with_old_defaults(kwargs: dict[str, Any]) -> dict[str, Any]:
    """Complete the options of a tokenizer by the defaults that Transformers 4 had.

    Parameters
    ----------
    kwargs
        Options of Transformers' tokenizers.

    Returns
    -------
    dict
        A copy with decoded text cleaned up, unless said otherwise, and with the published checkpoint's input limit.
    """
    options = {"clean_up_tokenization_spaces": True, **kwargs}
    limit = _PUBLISHED_LIMITS.get(options.get("name_or_path", ""))
    if limit is not None:
        options["model_max_length"] = min(options.get("model_max_length") or limit, limit)
    return options
