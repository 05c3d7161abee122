"""Building and opening an index: whole or not at all."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lfqa.indexing import build
from lfqa.indexing.build import FORMAT, Index, IndexProblem, Manifest, build_index, check_name, open_index, read_manifest
from lfqa.retrieval.dense import DenseIndex
from lfqa.retrieval.sparse import SparseIndex
from tests.helpers import FRUIT, WordEncoder


def made(folder: Path, passages: Any = FRUIT, encoder: WordEncoder | None = None, **options: Any) -> Index:
    return build_index(passages, folder, encoder or WordEncoder(), corpus="c", model="m", **options)  # type: ignore[arg-type]


def test_the_parts_of_an_index_agree(tmp_path: Path) -> None:
    index = made(tmp_path / "fruit")
    assert index.manifest == read_manifest(tmp_path / "fruit") == Manifest(FORMAT, "c", "m", 3, 16)
    assert list(index.passages) == FRUIT
    vectors = WordEncoder().passages(FRUIT)
    for row in range(3):
        np.testing.assert_array_equal(index.dense.vector(row), vectors[row])
    assert index.sparse.search("banana", 1)[0][0] == 1
    assert list(open_index(tmp_path / "fruit").passages) == FRUIT
    assert [path.name for path in tmp_path.iterdir()] == ["fruit"], "nothing is left beside it"


def test_known_vectors_are_not_embedded_again(tmp_path: Path) -> None:
    encoder = WordEncoder()
    known = {FRUIT[0]: np.full(16, 7, dtype=np.float32)}
    index = made(tmp_path / "fruit", encoder=encoder, known=known)
    assert len(encoder.embedded) == 2
    assert index.dense.vector(0).tolist() == [7.0] * 16


def test_progress_is_told_to_the_end(tmp_path: Path) -> None:
    told: list[tuple[str, int, int]] = []
    made(tmp_path / "fruit", progress=lambda *step: told.append(step))
    assert told == [("embed", 3, 3), ("write", 0, 3), ("write", 1, 3), ("write", 2, 3), ("write", 3, 3)]


def test_no_passages_are_no_index(tmp_path: Path) -> None:
    with pytest.raises(IndexProblem, match="no passages"):
        made(tmp_path / "fruit", passages=[])
    assert not (tmp_path / "fruit").exists()


@pytest.mark.parametrize("part", ["PassageStore.write", "DenseIndex.save", "SparseIndex.build", "_put"])
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
        ("no dense", "holds no readable FAISS index"),
        ("truncated dense", "holds no readable FAISS index"),
        ("foreign dense", "manifest says 3 passages.*'dense': 2"),
        ("no sparse", "holds no readable BM25 index"),
        ("foreign sparse", "'sparse': 1"),
        ("no passages", "holds no readable passages"),
        ("no manifest", "no index: it has no manifest.json"),
        ("manifest cut", "manifest.json is damaged"),
        ("manifest binary", "manifest.json is damaged"),
        ("manifest a list", "manifest.json is damaged"),
        ("manifest lacks a field", "manifest.json is damaged.*dimension"),
        ("other format", f"index format 99, this version reads {FORMAT}"),
        ("wrong count", "manifest says 4 passages"),
    ],
)
def test_a_damaged_index_is_refused_with_what_to_do(damage: str, words: str, tmp_path: Path) -> None:
    folder = tmp_path / "fruit"
    made(folder)
    manifest = folder / "manifest.json"
    values = json.loads(manifest.read_text())
    changes: dict[str, Any] = {
        "no dense": lambda: (folder / "dense.faiss").unlink(),
        "truncated dense": lambda: (folder / "dense.faiss").write_bytes((folder / "dense.faiss").read_bytes()[:80]),
        "foreign dense": lambda: DenseIndex.build(np.ones((2, 16), dtype=np.float32)).save(folder / "dense.faiss"),
        "no sparse": lambda: shutil.rmtree(folder / "sparse"),
        "foreign sparse": lambda: (shutil.rmtree(folder / "sparse"), SparseIndex.build(FRUIT[:1], folder / "sparse")),
        "no passages": lambda: shutil.rmtree(folder / "passages"),
        "no manifest": manifest.unlink,
        "manifest cut": lambda: manifest.write_text(manifest.read_text()[:20]),
        "manifest binary": lambda: manifest.write_bytes(b"\xff\x00\xfe"),
        "manifest a list": lambda: manifest.write_text("[1]"),
        "manifest lacks a field": lambda: manifest.write_text(json.dumps({k: v for k, v in values.items() if k != "dimension"})),
        "other format": lambda: manifest.write_text(json.dumps({**values, "format": 99})),
        "wrong count": lambda: manifest.write_text(json.dumps({**values, "passages": 4})),
    }
    changes[damage]()
    with pytest.raises(IndexProblem, match=words) as caught:
        open_index(folder)
    assert str(folder) in str(caught.value)


@pytest.mark.parametrize(
    "name", ["", ".", "..", "../x", "a/b", "a\\b", "/etc", ".hidden", "-x", "a b", "a\n", "ü", "x" * 65, "$(id)", "a\x00"]
)
def test_names_that_could_leave_the_folder_are_refused(name: str) -> None:
    with pytest.raises(ValueError, match="can not name an index: use 1 to 64 letters"):
        check_name(name)


@pytest.mark.parametrize("name", ["a", "my-notes_2.1", "x" * 64, "0"])
def test_plain_names_pass(name: str) -> None:
    assert check_name(name) == name
