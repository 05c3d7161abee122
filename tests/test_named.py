"""Where a corpus is."""

from __future__ import annotations

from pathlib import Path

import huggingface_hub
import pytest

from lfqa.corpus import named
from lfqa.corpus.dataset import DatasetName
from lfqa.corpus.named import corpus_dataset, corpus_file
from lfqa.hub import CORPORA, HubUnavailable


def test_a_path_that_exists_is_itself(tmp_path: Path) -> None:
    assert corpus_file(str(tmp_path), tmp_path) == tmp_path


@pytest.mark.parametrize("name", ["nowhere.jsonl", "../wiki_snippets", "wiki_snippet", "x" * 100])
def test_an_unknown_name_is_refused_with_the_choices(name: str, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="does not exist.*wiki_snippets"):
        corpus_file(name, tmp_path)


def test_offline_the_message_says_what_is_missing_how_large_it_is_and_what_else_there_is(tmp_path: Path) -> None:
    with pytest.raises(HubUnavailable) as caught:
        corpus_file("wiki_snippets", tmp_path)
    for words in ("wiki_snippets", "17,553,713 passages", CORPORA["wiki_snippets"], "GB", "can not be reached", "--profile embedded"):
        assert words in str(caught.value)


def test_online_the_parquet_conversion_is_downloaded_after_saying_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    asked = {}

    def download(name: str, **options: object) -> str:
        asked.update(options, name=name)
        return str(tmp_path / "downloaded")

    monkeypatch.setattr(named, "is_reachable", lambda: True)
    monkeypatch.setattr(huggingface_hub, "snapshot_download", download)
    assert corpus_file("wiki_snippets", tmp_path) == tmp_path / "downloaded"
    assert str(asked["name"]).endswith("wiki_snippets") and asked["repo_type"] == "dataset"
    assert "wiki40b_en_100_0" in str(asked["allow_patterns"]), "one configuration, not all of them"
    assert tmp_path in Path(str(asked["cache_dir"])).parents
    assert CORPORA["wiki_snippets"] in caplog.text


def test_a_data_set_is_named_with_its_configuration(tmp_path: Path) -> None:
    assert corpus_dataset("wikimedia/wikipedia@20231101.simple") == DatasetName("wikimedia/wikipedia", "20231101.simple")
    assert corpus_dataset("someone/notes@") == DatasetName("someone/notes")
    assert corpus_dataset("wiki_snippets") is None
    (tmp_path / "a@b.jsonl").write_text("{}")
    assert corpus_dataset(str(tmp_path / "a@b.jsonl")) is None, "a file of that name goes first"
