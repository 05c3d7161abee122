"""Words, pieces and the vocabulary file."""

from __future__ import annotations

from pathlib import Path

import pytest

from lfqa.retribert.wordpiece import read_vocab, split_pieces, split_words, write_vocab


def test_words() -> None:
    assert split_words("Café\u200b, don't!") == ["cafe", ",", "don", "'", "t", "!"]
    assert split_words("É", lower=False) == ["É"]
    assert split_words("É", lower=False, strip_accents=True) == ["E"]
    assert split_words("É", strip_accents=False) == ["é"]
    assert split_words("中a", split_ideographs=False) == ["中a"]
    assert split_words("x-y A-B", never_split=["x-y", "A-B"]) == ["x-y", "A-B"]


def test_pieces() -> None:
    vocab = {"un": 0, "##aff": 1, "##able": 2, "##a": 3}
    assert split_pieces("unaffable", vocab, "?") == ["un", "##aff", "##able"]
    assert split_pieces("unaffables", vocab, "?") == ["?"]
    assert split_pieces("un" + "a" * 98, vocab, "?") == ["un"] + ["##a"] * 98
    assert split_pieces("un" + "a" * 99, vocab, "?") == ["?"]


def test_a_vocabulary_file_is_read_by_lines_and_written_back(tmp_path: Path) -> None:
    (tmp_path / "vocab.txt").write_bytes("a\nb\r\n\u2028\n#\n".encode())
    vocab = read_vocab(tmp_path / "vocab.txt")
    assert vocab == {"a": 0, "b": 1, "\u2028": 2, "#": 3}
    assert write_vocab(vocab, tmp_path, "new") == str(tmp_path / "new-vocab.txt")
    assert (tmp_path / "new-vocab.txt").read_bytes() == "a\nb\n\u2028\n#\n".encode()


def test_a_gap_in_the_ids_does_not_move_those_after_it(tmp_path: Path) -> None:
    vocab = {"b": 1, "a": 3, "c": 4}
    assert read_vocab(write_vocab(vocab, tmp_path)) == vocab


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no vocabulary file at"):
        read_vocab(tmp_path / "vocab.txt")
