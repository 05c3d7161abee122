"""Files and folders into a real Elasticsearch: what can be read, what changed, what can not be read any more."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from lfqa.corpus.sources import Roots, Skipped
from lfqa.indexing.build import IndexProblem
from lfqa.indexing.elastic_sources import Added, add_sources
from lfqa.retrieval.elastic_client import Connection
from tests.integration.made import MODEL, Dice, everything, opened


@pytest.fixture
def notes(tmp_path: Path) -> Path:
    folder = tmp_path / "notes"
    folder.mkdir()
    for fruit in ("Apple", "Pear", "Plum"):
        (folder / f"{fruit}.md").write_text(f"# {fruit}\n\n{fruit}s grow on trees.\n\n## Eating\n\nA {fruit} is sweet.\n", encoding="utf-8")
    return folder


def add(connection: Connection, name: str, folder: Path, encoder: Dice | None = None, **options: Any) -> Added:
    staged = folder.parent / "staged"
    added = add_sources(connection, name, Roots((str(folder),)), encoder or Dice(), MODEL, staged, **options)
    assert not staged.exists(), "nothing stays behind"
    return added


def texts(connection: Connection, name: str) -> set[str]:
    return {passage.passage_text for passage, _ in everything(opened(connection, name)).values()}


def test_a_folder_is_indexed_and_brought_up_to_date(connection: Connection, name: str, notes: Path) -> None:
    added = add(connection, name, notes)
    assert (added.manifest.passages, added.read, added.skipped) == (6, 3, 0)
    sources = {passage.source for passage, _ in everything(opened(connection, name)).values()}
    assert sources == {"notes/Apple.md", "notes/Pear.md", "notes/Plum.md"}
    (notes / "Plum.md").unlink()
    (notes / "Pear.md").write_text("# Pear\n\nPears grow on trees.\n\n## Eating\n\nA pear is juicy.\n", encoding="utf-8")
    encoder = Dice()
    assert add(connection, name, notes, encoder).manifest.passages == 4
    assert len(encoder.embedded) < 4 and "A pear is juicy." in texts(connection, name) and "A Plum is sweet." not in texts(connection, name)


def test_what_can_not_be_read_is_named_and_stays_as_it_was(connection: Connection, name: str, notes: Path) -> None:
    add(connection, name, notes)
    (notes / "Plum.md").write_bytes(b"\x00\x01\x02 no text")
    (notes / "Song.mp3").write_bytes(b"ID3")
    skipped: list[Skipped] = []
    told: list[tuple[str, int, int]] = []
    added = add(connection, name, notes, skip=skipped.append, progress=lambda *step: told.append(step))
    assert (added.manifest.passages, added.read, added.skipped) == (6, 2, 2)
    assert sorted(Path(each.place).name for each in skipped) == ["Plum.md", "Song.mp3"] and all(each.reason for each in skipped)
    assert "A Plum is sweet." in texts(connection, name)
    assert {step for step, *_ in told} == {"read", "embed", "write"} and ("embed", 4, 4) in told


def test_when_nothing_can_be_read_nothing_changes(connection: Connection, name: str, notes: Path) -> None:
    add(connection, name, notes)
    for file in notes.iterdir():
        file.write_bytes(b"\x00\x01")
    with pytest.raises(IndexProblem, match=f"nothing that was named can be read; the index {name} stays as it was"):
        add(connection, name, notes)
    assert len(texts(connection, name)) == 6
    with pytest.raises(IndexProblem, match="name the files"):
        add_sources(connection, name, Roots(), Dice(), MODEL, notes.parent / "staged")


def test_a_killed_run_goes_on(connection: Connection, name: str, notes: Path) -> None:
    def stop() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        add(connection, name, notes, Dice(stop))
    assert (notes.parent / "staged").is_dir()
    assert add(connection, name, notes).manifest.passages == 6
