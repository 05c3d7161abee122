"""JSON lines: what is read, and how a file that can not be read is named."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lfqa.corpus.lines import read_objects

values = st.dictionaries(st.text(max_size=5), st.none() | st.integers() | st.text(max_size=10) | st.lists(st.text(max_size=3)), max_size=3)


@given(st.lists(values, max_size=5), st.booleans())
def test_what_was_written_is_read_with_its_line_numbers(tmp_path_factory: Any, records: list[dict[str, Any]], packed: bool) -> None:
    path = tmp_path_factory.mktemp("lines") / ("lines.jsonl.gz" if packed else "lines.jsonl")
    text = "\n \n".join(json.dumps(record) for record in records).encode()
    path.write_bytes(gzip.compress(text) if packed else text)
    assert list(read_objects(path)) == [(1 + 2 * number, record) for number, record in enumerate(records)]


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b'{"a": 1}\n{"a": ', ["line 2", "not JSON"]),
        (b'{"a": 1}\n[1]', ["line 2", "not list"]),
        (b'"text"', ["line 1", "not str"]),
        (b"[" * 100_000, ["line 1", "not JSON"]),
        (b'{"a": "\xff"}', ["not UTF-8"]),
    ],
)
def test_a_line_that_is_no_object_is_named(data: bytes, words: list[str], tmp_path: Path) -> None:
    path = tmp_path / "lines.jsonl"
    path.write_bytes(data)
    with pytest.raises(ValueError) as caught:
        list(read_objects(path))
    assert all(word in str(caught.value) for word in ["lines.jsonl", *words])


@pytest.mark.parametrize("cut", [12, -9])
def test_a_packed_file_that_is_cut_short_or_damaged_is_named(cut: int, tmp_path: Path) -> None:
    path = tmp_path / "lines.jsonl.gz"
    path.write_bytes(gzip.compress(b'{"a": 1}\n' * 1000)[:cut])
    with pytest.raises(ValueError, match="lines.jsonl.gz is damaged"):
        list(read_objects(path))
    path.write_bytes(gzip.compress(b"x")[:10] + b"\xff" * 30)
    with pytest.raises(ValueError, match="lines.jsonl.gz is damaged"):
        list(read_objects(path))


def test_what_is_not_there_or_not_packed_is_an_os_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        list(read_objects(tmp_path / "gone.jsonl"))
    (tmp_path / "plain.jsonl.gz").write_bytes(b"{}")
    with pytest.raises(OSError, match="gzipped"):
        list(read_objects(tmp_path / "plain.jsonl.gz"))
