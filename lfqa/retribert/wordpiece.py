"""BERT's tokenization as plain functions: text to words, words to pieces, and the vocabulary file.

This is what the slow RetriBERT tokenizer does, character by character as in the 2020 release. (The Python tokenizer
that Transformers 5 still has composes characters, NFC, on the way in, which the original did not.)

References
----------
Devlin et al., "BERT", NAACL 2019, arXiv:1810.04805, and its published ``tokenization.py``; Wu et al., "Google's Neural
Machine Translation System", 2016, arXiv:1609.08144, for WordPiece.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Collection, Mapping
from pathlib import Path

# Blocks of CJK ideographs, whose texts have no spaces. Kana and Hangul are left out, as in BERT.
_IDEOGRAPHS = (
    (0x4E00, 0x9FFF),
    (0x3400, 0x4DBF),
    (0x20000, 0x2A6DF),
    (0x2A700, 0x2B73F),
    (0x2B740, 0x2B81F),
    (0x2B820, 0x2CEAF),
    (0xF900, 0xFAFF),
    (0x2F800, 0x2FA1F),
)
_REPLACEMENT_CHARACTER = "\ufffd"


def split_words(
    text: str,
    lower: bool = True,
    strip_accents: bool | None = None,
    split_ideographs: bool = True,
    never_split: Collection[str] = (),
) -> list[str]:
    """Cut a text into words and single punctuation marks.

    Parameters
    ----------
    text
        Any text; control characters are dropped.
    lower
        Whether to lower-case.
    strip_accents
        Whether to drop combining marks; None to do so exactly when lower-casing.
    split_ideographs
        Whether each CJK ideograph becomes a word.
    never_split
        Words that are not split at punctuation when they stand between spaces; nor changed, if found as they are.

    Returns
    -------
    list of str
        The words, without whitespace.

    Examples
    --------
    >>> split_words("Café, don't!")
    ['cafe', ',', 'don', "'", 't', '!']
    """
    strips = lower if strip_accents is None else strip_accents
    words: list[str] = []
    for word in _clean(text, split_ideographs).split():
        if word in never_split:
            words.append(word)
            continue
        if lower:
            word = word.lower()
        if strips:
            word = "".join(c for c in unicodedata.normalize("NFD", word) if unicodedata.category(c) != "Mn")
        if word in never_split:
            words.append(word)
            continue
        words += "".join(f" {c} " if _is_punctuation(c) else c for c in word).split()
    return words


def split_pieces(word: str, vocab: Mapping[str, int], unknown: str, longest: int = 100) -> list[str]:
    """Cut a word into the longest vocabulary entries that fit, from left to right.

    Parameters
    ----------
    word
        A word without whitespace.
    vocab
        Entries of the vocabulary; those that continue a word start with ``##``.
    unknown
        What to return for a word that cannot be composed.
    longest
        Longer words, in characters, count as unknown.

    Returns
    -------
    list of str
        Vocabulary entries, or ``unknown`` alone.

    Examples
    --------
    >>> split_pieces("unaffable", {"un": 0, "##aff": 1, "##able": 2}, "[UNK]")
    ['un', '##aff', '##able']
    """
    if len(word) > longest:
        return [unknown]
    pieces: list[str] = []
    start = 0
    while start < len(word):
        prefix = "##" if start else ""
        ends = range(len(word), start, -1)
        end = next((end for end in ends if prefix + word[start:end] in vocab), None)
        if end is None:
            return [unknown]
        pieces.append(prefix + word[start:end])
        start = end
    return pieces


def read_vocab(vocab_file: str | Path) -> dict[str, int]:
    """Read a vocabulary file.

    Parameters
    ----------
    vocab_file
        Text file in UTF-8 with one entry a line.

    Returns
    -------
    dict
        Entry to line number, from 0; of an entry that occurs twice, the later one.

    Raises
    ------
    ValueError
        If there is no such file.
    """
    if vocab_file is None or not Path(vocab_file).is_file():
        raise ValueError(f"there is no vocabulary file at {vocab_file!r}; to load by name, use from_pretrained")
    with Path(vocab_file).open(encoding="utf-8") as lines:
        return {line.rstrip("\n"): index for index, line in enumerate(lines)}


def write_vocab(vocab: Mapping[str, int], folder: str | Path, prefix: str | None = None) -> str:
    """Write ``vocab.txt`` so that :func:`read_vocab` gives the same ids again.

    Parameters
    ----------
    vocab
        Entry to id.
    folder
        An existing directory.
    prefix
        Put before the file's name, with a hyphen.

    Returns
    -------
    str
        The path of the file.
    """
    path = Path(folder) / (f"{prefix}-vocab.txt" if prefix else "vocab.txt")
    entries = {index: token for token, index in vocab.items()}
    last = max(entries, default=-1)
    # An entry that was in the file twice has left a gap. The last entry fills it: only its later line counts.
    lines = [entries.get(index, entries[last]) for index in range(last + 1)]
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8", newline="\n")
    return str(path)


def _clean(text: str, split_ideographs: bool) -> str:
    """Drop control characters, turn every space into a plain one, and set ideographs apart."""
    kept: list[str] = []
    for character in text:
        category = unicodedata.category(character)
        if character in " \t\n\r" or category == "Zs":
            kept.append(" ")
        elif character == _REPLACEMENT_CHARACTER or category.startswith("C"):
            continue
        elif split_ideographs and any(low <= ord(character) <= high for low, high in _IDEOGRAPHS):
            kept.append(f" {character} ")
        else:
            kept.append(character)
    return "".join(kept)


def _is_punctuation(character: str) -> bool:
    """Whether BERT cuts here: all ASCII that is neither letter, digit nor space, and Unicode punctuation."""
    if character.isascii():
        return character.isprintable() and not character.isalnum() and character != " "
    return unicodedata.category(character).startswith("P")
