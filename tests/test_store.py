"""Passage files, good and bad, and the store."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pyarrow
import pytest
from pyarrow import parquet

from lfqa.corpus.store import PassageFileError, PassageStore, corpus_digest, read_passages
from lfqa.types import Passage
from tests.helpers import FRUIT, write_passages

RECORD = {"passage_id": "a", "article_title": "T", "section_title": "S", "passage_text": "Some text."}


def lines(*records: Any) -> bytes:
    return "\n".join(record if isinstance(record, str) else json.dumps(record) for record in records).encode()


def without(field: str) -> dict[str, str]:
    return {name: value for name, value in RECORD.items() if name != field}


def test_json_lines_are_read_gzipped_or_not_and_blank_lines_skipped(tmp_path: Path) -> None:
    plain = write_passages(tmp_path / "p.jsonl", FRUIT)
    zipped = tmp_path / "p.jsonl.gz"
    zipped.write_bytes(gzip.compress(b"\n\n" + plain.read_bytes() + b"\n"))
    assert list(read_passages(plain)) == list(read_passages(zipped)) == FRUIT


def test_wiki_snippets_id_counts_section_may_be_left_out_and_other_fields_are_ignored(tmp_path: Path) -> None:
    file = tmp_path / "p.jsonl"
    file.write_bytes(lines({"_id": "x1", "article_title": "T", "passage_text": "Text", "start_paragraph": 3}))
    assert list(read_passages(file)) == [Passage("x1", "T", "", "Text")]


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "holds no passages"),
        (b"\n \n", "holds no passages"),
        (lines(RECORD, without("passage_id")), "line 2: passage_id is missing"),
        (lines(without("article_title")), "line 1: article_title is missing"),
        (lines(without("passage_text")), "line 1: passage_text is missing"),
        (lines({**RECORD, "passage_id": 7}), "passage_id is int, not text"),
        (lines({**RECORD, "article_title": None}), "article_title is NoneType, not text"),
        (lines({**RECORD, "passage_text": "  "}), "passage_text is empty"),
        (lines({**RECORD, "passage_id": ""}), "passage_id is empty"),
        (lines({**RECORD, "passage_text": "x" * 20_001}), "20001 characters"),
        (lines(RECORD, {**RECORD, "passage_id": "b"}, RECORD), "line 3: passage_id 'a' comes a second time"),
        (lines(RECORD, "{not json"), "line 2: not JSON"),
        (lines("[" * 100_000), "line 1: not JSON"),
        (lines([1, 2]), "line 1: a passage is a JSON object, not list"),
        (lines("null"), "not NoneType"),
        (lines({**RECORD, "passage_text": "half \ud83d"}), "passage_text holds half of a surrogate pair"),
        (lines(RECORD) + b"\n\xff\xfe\x00\x01", "not UTF-8"),
        (json.dumps(RECORD).encode("utf-16"), "not UTF-8"),
        (b"PK\x03\x04\x00\x00binary\x00", "not JSON"),
    ],
)
def test_a_bad_file_is_refused_with_its_place_and_reason(data: bytes, words: str, tmp_path: Path) -> None:
    file = tmp_path / "p.jsonl"
    file.write_bytes(data)
    with pytest.raises(PassageFileError, match=words) as caught:
        list(read_passages(file))
    assert str(file) in str(caught.value)


@pytest.mark.parametrize("damage", ["truncated", "garbled", "no gzip at all"])
def test_a_damaged_gzip_file_is_refused(damage: str, tmp_path: Path) -> None:
    good = gzip.compress(lines(*({**RECORD, "passage_id": f"p{n}", "passage_text": f"{n} {n * 7919}"} for n in range(300))))
    data = {
        "truncated": good[: len(good) // 2],
        "garbled": good[:200] + bytes(255 - byte for byte in good[200:400]) + good[400:],
        "no gzip at all": b"plain text",
    }
    file = tmp_path / "p.jsonl.gz"
    file.write_bytes(data[damage])
    with pytest.raises(PassageFileError, match="p.jsonl.gz.*(can not be read|not UTF-8|not JSON)"):
        list(read_passages(file))


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(PassageFileError, match="gone.jsonl does not exist"):
        list(read_passages(tmp_path / "gone.jsonl"))
    with pytest.raises(PassageFileError, match="gone.jsonl does not exist"):
        corpus_digest(tmp_path / "gone.jsonl")


def test_a_folder_of_parquet_files_is_read_in_order(tmp_path: Path) -> None:
    columns = ("_id", "article_title", "section_title", "passage_text")
    for number, fruit in enumerate(FRUIT):
        values = (fruit.passage_id, fruit.article_title, fruit.section_title, fruit.passage_text)
        table = pyarrow.table({name: [value] for name, value in zip(columns, values, strict=True)})
        (tmp_path / "train").mkdir(exist_ok=True)
        parquet.write_table(table, tmp_path / "train" / f"{number:04}.parquet")
    assert list(read_passages(tmp_path)) == FRUIT
    before = corpus_digest(tmp_path)
    (tmp_path / "train" / "0002.parquet").unlink()
    assert corpus_digest(tmp_path) != before


def test_a_bad_parquet_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(PassageFileError, match="no Parquet files"):
        list(read_passages(tmp_path))
    parquet.write_table(pyarrow.table({"_id": ["a"], "passage_text": ["b"]}), tmp_path / "0.parquet")
    with pytest.raises(PassageFileError, match="article_title is missing"):
        list(read_passages(tmp_path))
    (tmp_path / "0.parquet").write_bytes(b"PAR1 nothing of the kind")
    with pytest.raises(PassageFileError, match="0.parquet can not be read as Parquet"):
        list(read_passages(tmp_path))


def test_the_digest_follows_the_bytes(tmp_path: Path) -> None:
    a, b = write_passages(tmp_path / "a.jsonl", FRUIT), write_passages(tmp_path / "b.jsonl", FRUIT)
    assert corpus_digest(a) == corpus_digest(b) and len(corpus_digest(a)) == 16
    write_passages(b, FRUIT[:2])
    assert corpus_digest(a) != corpus_digest(b)


def test_the_store_gives_back_what_was_written(tmp_path: Path) -> None:
    odd = Passage("odd", "Ünï 😀", "", "NUL \x00 and\nlines\u2028 stay.")
    PassageStore.write([*FRUIT, odd], tmp_path / "store")
    store = PassageStore.load(tmp_path / "store")
    assert len(store) == 4
    assert list(store) == [*FRUIT, odd]
    assert store[1] == FRUIT[1]


def test_a_store_is_a_data_set_and_a_data_set_a_store(tmp_path: Path) -> None:
    from datasets import load_from_disk

    PassageStore.write(FRUIT, tmp_path / "store")
    dataset = load_from_disk(str(tmp_path / "store"))
    assert [record["passage_id"] for record in dataset] == [fruit.passage_id for fruit in FRUIT]
    dataset.save_to_disk(str(tmp_path / "in two files"), num_shards=2)
    store = PassageStore.load(tmp_path / "in two files")
    assert list(store) == FRUIT
    assert store[-1] == FRUIT[-1]
    with pytest.raises(IndexError):
        _ = store[len(FRUIT)]


def test_a_missing_damaged_or_foreign_store_is_refused(tmp_path: Path) -> None:
    from datasets import Dataset

    with pytest.raises(ValueError, match="holds no readable passages"):
        PassageStore.load(tmp_path / "gone")
    PassageStore.write(FRUIT, tmp_path / "store")
    [data] = (tmp_path / "store").glob("*.arrow")
    data.write_bytes(data.read_bytes()[:100])
    with pytest.raises(ValueError, match="holds no readable passages"):
        PassageStore.load(tmp_path / "store")
    for state in ("{", "[]", "{}", '{"_data_files": []}', '{"_data_files": [{"filename": "gone.arrow"}]}'):
        (tmp_path / "store" / "state.json").write_text(state)
        with pytest.raises(ValueError, match="holds no readable passages"):
            PassageStore.load(tmp_path / "store")
    Dataset.from_dict({"text": ["a"]}).save_to_disk(str(tmp_path / "foreign"))
    with pytest.raises(ValueError, match="lacks the columns.*passage_id"):
        PassageStore.load(tmp_path / "foreign")
