"""Building and opening an index: whole or not at all."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lfqa.indexing import build
from lfqa.indexing.build import FORMAT, Index, IndexProblem, check_name, open_index, read_manifest, vectors_of
from lfqa.retrieval.dense import DenseIndex
from lfqa.retrieval.filters import Filters
from lfqa.retrieval.search import search
from lfqa.retrieval.sparse import SparseIndex
from tests.helpers import FRUIT, WordEncoder, build_small, passage


def made(folder: Path, passages: Any = FRUIT, encoder: WordEncoder | None = None, **options: Any) -> Index:
    return build_small(folder, passages, encoder, corpus="c", **options)  # type: ignore[no-any-return]


def test_the_parts_of_an_index_agree(tmp_path: Path) -> None:
    index = made(tmp_path / "fruit")
    manifest = read_manifest(tmp_path / "fruit")
    assert index.manifest == manifest
    assert (manifest.format, manifest.corpus, manifest.model, manifest.passages, manifest.dimension) == (FORMAT, "c", "m", 3, 16)
    assert {"vectors.npy", "dense.faiss", "passages/state.json"} <= set(manifest.files) and "faiss-cpu" in manifest.versions
    assert list(index.passages) == FRUIT
    vectors = WordEncoder().passages(FRUIT)
    np.testing.assert_array_equal(vectors_of(index), vectors)
    for row in range(3):
        np.testing.assert_array_equal(index.dense.vector(row), vectors[row])
    assert index.sparse.search("banana", 1)[0][0] == 1
    assert list(open_index(tmp_path / "fruit").passages) == FRUIT
    assert [path.name for path in tmp_path.iterdir()] == ["fruit"], "nothing is left beside it"


def test_of_passages_with_the_same_id_the_last_is_taken(tmp_path: Path) -> None:
    later = passage(1, "Apples are pomes.", "Apple")
    assert list(made(tmp_path / "fruit", [*FRUIT, later]).passages) == [FRUIT[1], FRUIT[2], later]


def test_many_passages_are_embedded_in_chunks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lfqa.indexing.staging.CHUNK", 4)
    passages = [passage(n, f"Fruit number {n}.") for n in range(11)]
    told: list[tuple[str, int, int]] = []
    index = made(tmp_path / "fruit", passages, progress=lambda *step: told.append(step))
    np.testing.assert_array_equal(vectors_of(index), WordEncoder().passages(passages))
    assert told == [*(("embed", done, 11) for done in (4, 8, 11)), *(("write", done, 3) for done in range(4))]


def test_a_question_can_be_kept_to_some_passages(tmp_path: Path) -> None:
    index = made(tmp_path / "fruit")
    vector = WordEncoder().questions(["apples bananas"])[0]
    for filters, rows in ((None, {0, 1, 2}), (Filters(articles=("banana", "cherry")), {1, 2}), (Filters(articles=("none",)), set())):
        asked = index.asked(filters)
        assert {row for row, _ in asked.dense.search(vector, 10)} == rows
        assert {row for row, _ in asked.sparse.search("apples bananas cherries", 10)} == rows
        hits = search("apples bananas", vector, 2, retriever="hybrid", passages=asked.passages, dense=asked.dense, sparse=asked.sparse)
        assert len(hits) == min(2, len(rows))


def test_no_passages_are_no_index(tmp_path: Path) -> None:
    with pytest.raises(IndexProblem, match="no passages"):
        made(tmp_path / "fruit", passages=[])
    assert not (tmp_path / "fruit").exists()


@pytest.mark.parametrize("part", ["PassageWriter.close", "DenseIndex.save", "SparseIndex.build", "_put"])
@pytest.mark.parametrize("before", [False, True])
def test_a_build_that_fails_leaves_what_was_there(part: str, before: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "fruit"
    if before:
        made(folder, FRUIT[:1])

    def fail(*_: object, **__: object) -> None:
        raise OSError("no space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(f"lfqa.indexing.build.{part}", fail)
        with pytest.raises(OSError, match="no space"):
            made(folder)
    assert [path.name for path in tmp_path.iterdir()] == (["fruit"] if before else [])
    if before:
        assert list(open_index(folder).passages) == FRUIT[:1]


def test_when_the_new_index_can_not_take_its_place_the_old_one_returns(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "fruit"
    made(folder, FRUIT[:1])
    rename = build.os.rename
    refused: list[str] = []

    def once_refused(source: Any, target: Any) -> None:
        if Path(target) == folder and len(refused) < 2 and Path(source).name != "index":
            refused.append(str(source))
            raise OSError("refused")
        rename(source, target)

    with monkeypatch.context() as patch:
        patch.setattr("os.rename", once_refused)
        with pytest.raises(OSError, match="refused"):
            made(folder)
    assert len(refused) == 2
    assert list(open_index(folder).passages) == FRUIT[:1]


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        ("no dense", "dense.faiss is missing"),
        ("truncated dense", "dense.faiss has 80 bytes, its manifest says"),
        ("garbled dense", "holds no readable FAISS index"),
        ("foreign dense", "manifest says 3 passages.*'dense': 2"),
        ("dense of another length", "vectors of 16, its dense half holds vectors of 8"),
        ("no sparse", "sparse/.* is missing"),
        ("foreign sparse", "sparse/.* is missing|'sparse': 1"),
        ("no passages", "passages/.* is missing"),
        ("truncated passages", "passages/data.*bytes"),
        ("no manifest", "is no index: .* has no manifest.json"),
        ("manifest cut", "manifest.json can not be read"),
        ("manifest binary", "manifest.json can not be read"),
        ("manifest a list", "manifest.json can not be read"),
        ("manifest lacks a field", "manifest.json can not be read.*dimension"),
        ("other format", f"has format 99, this version reads {FORMAT}"),
        ("wrong count", "manifest says 4 passages"),
    ],
)
def test_a_damaged_index_is_refused_by_name(damage: str, words: str, tmp_path: Path) -> None:
    folder = tmp_path / "fruit"
    made(folder)
    manifest, dense = folder / "manifest.json", folder / "dense.faiss"
    values = json.loads(manifest.read_text())

    def other_dense(rows: int, length: int) -> None:
        DenseIndex.build(np.ones((rows, length), dtype=np.float32)).save(dense)
        fitting = {**values["files"], "dense.faiss": dense.stat().st_size}
        manifest.write_text(json.dumps({**values, "files": fitting}))

    def cut(file: Path, size: int) -> None:
        file.write_bytes(file.read_bytes()[:size])

    changes: dict[str, Any] = {
        "no dense": dense.unlink,
        "truncated dense": lambda: cut(dense, 80),
        "garbled dense": lambda: dense.write_bytes(bytes(dense.stat().st_size)),
        "foreign dense": lambda: other_dense(2, 16),
        "dense of another length": lambda: other_dense(3, 8),
        "no sparse": lambda: shutil.rmtree(folder / "sparse"),
        "foreign sparse": lambda: (shutil.rmtree(folder / "sparse"), SparseIndex.build(FRUIT[:1], folder / "sparse")),
        "no passages": lambda: shutil.rmtree(folder / "passages"),
        "truncated passages": lambda: cut(folder / "passages" / "data-00000-of-00001.arrow", 100),
        "no manifest": manifest.unlink,
        "manifest cut": lambda: cut(manifest, 20),
        "manifest binary": lambda: manifest.write_bytes(b"\xff\x00\xfe"),
        "manifest a list": lambda: manifest.write_text("[1]"),
        "manifest lacks a field": lambda: manifest.write_text(json.dumps({k: v for k, v in values.items() if k != "dimension"})),
        "other format": lambda: manifest.write_text(json.dumps({**values, "format": 99})),
        "wrong count": lambda: manifest.write_text(json.dumps({**values, "passages": 4})),
    }
    changes[damage]()
    with pytest.raises(IndexProblem, match=words) as caught:
        open_index(folder)
    assert "fruit" in str(caught.value)


def test_vectors_that_are_damaged_are_refused(tmp_path: Path) -> None:
    index = made(tmp_path / "fruit")
    file = index.folder / "vectors.npy"
    for data, words in ((b"x", "can not be read"), (None, "holds float16 of shape")):
        if data is None:
            np.save(file, np.zeros((2, 16), dtype=np.float16))
        else:
            file.write_bytes(data)
        with pytest.raises(IndexProblem, match=f"the index fruit is damaged: vectors.npy {words}"):
            vectors_of(index)


@pytest.mark.parametrize(
    "name", ["", ".", "..", "../x", "a/b", "a\\b", "/etc", ".hidden", "-x", "a b", "a\n", "ü", "x" * 65, "$(id)", "a\x00"]
)
def test_names_that_could_leave_the_folder_are_refused(name: str) -> None:
    with pytest.raises(ValueError, match="can not name an index: use 1 to 64 letters"):
        check_name(name)


@pytest.mark.parametrize("name", ["a", "my-notes_2.1", "x" * 64, "0"])
def test_plain_names_pass(name: str) -> None:
    assert check_name(name) == name
