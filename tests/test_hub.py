"""Checkpoints on disk, and what is said when they are not."""

from __future__ import annotations

import socket
from pathlib import Path

import huggingface_hub
import pytest
from huggingface_hub import constants
from huggingface_hub.errors import LocalEntryNotFoundError

from lfqa import hub
from lfqa.hub import HubUnavailable, checkpoint_folder, is_reachable
from tests.helpers import ASSETS


def test_a_checkpoint_folder_is_itself() -> None:
    assert checkpoint_folder(str(ASSETS / "models/retriever")) == ASSETS / "models/retriever"


def test_a_folder_without_a_configuration_is_no_checkpoint(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="no checkpoint: config.json is missing"):
        checkpoint_folder(str(tmp_path))


@pytest.mark.parametrize("name", ["/nowhere/model", "./model", "../a/b", "model", "a/b/c"])
def test_a_path_that_does_not_exist_is_not_looked_up_on_the_hub(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(huggingface_hub, "snapshot_download", lambda *_, **__: pytest.fail("asked the hub"))
    with pytest.raises(FileNotFoundError, match="does not exist"):
        checkpoint_folder(name)


@pytest.mark.parametrize(
    ("name", "size"), [("yjernite/retribert-base-uncased", "330 MB"), ("yjernite/bart_eli5", "1.6 GB"), ("some/model", "unknown size")]
)
def test_offline_a_hub_name_is_refused_at_once_with_its_size(name: str, size: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "create_connection", lambda *_, **__: pytest.fail("tried the network"))
    with pytest.raises(HubUnavailable) as caught:
        checkpoint_folder(name)
    for words in (name, size, "can not be reached", "--profile embedded"):
        assert words in str(caught.value)


def test_what_was_downloaded_before_is_taken_offline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        huggingface_hub, "snapshot_download", lambda name, **options: str(tmp_path) if options["local_files_only"] else None
    )
    assert checkpoint_folder("yjernite/bart_eli5") == tmp_path


def test_a_download_is_announced_with_its_size(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    def download(name: str, **options: object) -> str:
        if options.get("local_files_only"):
            raise LocalEntryNotFoundError("not here")
        assert "1.6 GB" in caplog.text, "said before it starts"
        return str(tmp_path)

    monkeypatch.setattr(hub, "is_reachable", lambda: True)
    monkeypatch.setattr(huggingface_hub, "snapshot_download", download)
    assert checkpoint_folder("yjernite/bart_eli5") == tmp_path


def test_reachable_asks_the_port_unless_told_to_stay_offline(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[str, int]] = []

    def connect(address: tuple[str, int], timeout: float) -> socket.socket:
        asked.append(address)
        return socket.socket()

    monkeypatch.setattr(socket, "create_connection", connect)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    assert not is_reachable() and not asked
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setenv("TRANSFORMERS_OFFLINE", "1")
    assert not is_reachable() and not asked
    monkeypatch.delenv("TRANSFORMERS_OFFLINE")
    monkeypatch.setattr(constants, "ENDPOINT", "http://hub.invalid:8080")
    assert is_reachable() and asked == [("hub.invalid", 8080)]

    def refuse(*_: object, **__: object) -> socket.socket:
        raise TimeoutError

    monkeypatch.setattr(socket, "create_connection", refuse)
    assert not is_reachable()
