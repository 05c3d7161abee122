"""A checkpoint's digest is computed once, and never believed when a file has changed."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from lfqa import digest
from lfqa.digest import checkpoint_digest


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    folder = tmp_path / "checkpoint"
    folder.mkdir()
    for name in ("config.json", "tokenizer.json", "model.safetensors"):
        (folder / name).write_text(f"contents of {name}")
    return folder


@pytest.fixture
def settled(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let files of this moment count as old."""
    monkeypatch.setattr(digest, "_SETTLED", -1.0)


def unread(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(digest, "_digest", lambda _: pytest.fail("read the files again"))


def test_a_noted_digest_saves_reading_the_files(checkpoint: Path, tmp_path: Path, settled: None, monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = checkpoint_digest(checkpoint)
    assert checkpoint_digest(checkpoint, tmp_path / "cache") == wanted
    [note] = (tmp_path / "cache" / "digests").iterdir()
    assert note.suffix == ".json", "and nothing else is left there"
    unread(monkeypatch)
    assert checkpoint_digest(checkpoint, tmp_path / "cache") == wanted


@pytest.mark.parametrize("name", ["config.json", "tokenizer.json", "model.safetensors"])
@pytest.mark.parametrize("how", ["in place", "replaced", "same size and time"])
def test_a_changed_file_is_read_again(how: str, name: str, checkpoint: Path, tmp_path: Path, settled: None) -> None:
    before = checkpoint_digest(checkpoint, tmp_path / "cache")
    file = checkpoint / name
    stat, text = file.stat(), file.read_text()
    time.sleep(0.02)  # more than a tick of the file system's clock
    if how == "replaced":
        (tmp_path / "other").write_text(text.upper())
        os.replace(tmp_path / "other", file)
    else:
        file.write_text(text.upper() if how == "same size and time" else text + " and more")
    if how != "in place":
        os.utime(file, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    after = checkpoint_digest(checkpoint, tmp_path / "cache")
    assert after == checkpoint_digest(checkpoint) != before


def test_a_file_that_went_changes_the_digest(checkpoint: Path, tmp_path: Path, settled: None) -> None:
    before = checkpoint_digest(checkpoint, tmp_path / "cache")
    (checkpoint / "tokenizer.json").unlink()
    assert checkpoint_digest(checkpoint, tmp_path / "cache") != before
    (checkpoint / "model.safetensors").unlink()
    with pytest.raises(FileNotFoundError, match=r"model.safetensors \(or pytorch_model.bin\) is missing"):
        checkpoint_digest(checkpoint, tmp_path / "cache")


def test_a_file_of_this_moment_is_not_trusted(checkpoint: Path, tmp_path: Path) -> None:
    checkpoint_digest(checkpoint, tmp_path / "cache")
    assert not (tmp_path / "cache").exists()


@pytest.mark.parametrize("text", ["", "{", "[]", '{"files": 1}', "\xff"])
def test_a_damaged_note_is_made_again(text: str, checkpoint: Path, tmp_path: Path, settled: None, monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = checkpoint_digest(checkpoint, tmp_path / "cache")
    [note] = (tmp_path / "cache" / "digests").iterdir()
    note.write_text(text, encoding="latin-1")
    assert checkpoint_digest(checkpoint, tmp_path / "cache") == wanted
    unread(monkeypatch)
    assert checkpoint_digest(checkpoint, tmp_path / "cache") == wanted


def test_two_checkpoints_have_a_note_each(checkpoint: Path, tmp_path: Path, settled: None) -> None:
    other = tmp_path / "other"
    other.mkdir()
    for file in checkpoint.iterdir():
        (other / file.name).write_text(file.read_text().upper())
    for _ in range(2):
        assert checkpoint_digest(checkpoint, tmp_path / "cache") == checkpoint_digest(checkpoint)
        assert checkpoint_digest(other, tmp_path / "cache") == checkpoint_digest(other) != checkpoint_digest(checkpoint)


def test_a_cache_that_can_not_be_written_does_no_harm(checkpoint: Path, tmp_path: Path, settled: None) -> None:
    (tmp_path / "cache").write_text("a file where the folder would be")
    assert checkpoint_digest(checkpoint, tmp_path / "cache") == checkpoint_digest(checkpoint)
