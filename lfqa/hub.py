"""Published checkpoints and corpora: found on disk, or downloaded after saying what and how much; offline, refused at once."""

from __future__ import annotations

import logging
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlparse

from safetensors import SafetensorError

logger = logging.getLogger(__name__)

# sizes of what is downloaded, by name
CHECKPOINTS = {
    "yjernite/retribert-base-uncased": "the RetriBERT retriever of 2020, about 330 MB",
    "yjernite/bart_eli5": "the BART-large generator of 2020, about 1.6 GB",
}
CORPORA = {
    "wiki_snippets": "17,553,713 passages of Wikipedia (configuration wiki40b_en_100_0 as Parquet), 12.9 GB unpacked",
}


class HubUnavailable(OSError):
    """Something is neither on disk nor can it be downloaded now; the message says what it is and how large."""


def is_reachable(timeout: float = 3.0) -> bool:
    """Say whether the hub answers on its port, within `timeout` seconds."""
    from huggingface_hub import constants

    if constants.HF_HUB_OFFLINE or os.environ.get("TRANSFORMERS_OFFLINE") == "1":
        return False
    host = urlparse(constants.ENDPOINT)
    try:
        with socket.create_connection((host.hostname or "", host.port or 443), timeout=timeout):
            return True
    except OSError:
        return False


@contextmanager
def loading(folder: Path) -> Iterator[None]:
    """Turn what libraries say about a checkpoint that they can not load into an error that names its folder.

    Raises
    ------
    ValueError
        When the block raises anything that a damaged or incomplete checkpoint leads to.
    """
    try:
        yield
    except (SafetensorError, OSError, ValueError, KeyError, RuntimeError) as error:
        raise ValueError(f"the checkpoint in {folder} can not be loaded: {error}") from error


def checkpoint_folder(name: str) -> Path:
    """Return the folder of a checkpoint: `name` itself if it is one, else the hub's copy, downloaded on first use.

    Raises
    ------
    FileNotFoundError
        When `name` looks like a path and is no checkpoint folder.
    HubUnavailable
        When it is a hub name, not on disk, and the hub can not be reached.
    """
    path = Path(name).expanduser()
    if path.is_dir():
        if not (path / "config.json").is_file():
            raise FileNotFoundError(f"{path} is no checkpoint: config.json is missing")
        return path
    if path.is_absolute() or name.startswith(".") or name.count("/") != 1:
        raise FileNotFoundError(f"the checkpoint folder {path} does not exist")
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import LocalEntryNotFoundError

    wanted = ["*.json", "*.txt", "*.safetensors", "*.bin"]
    try:
        return Path(snapshot_download(name, allow_patterns=wanted, local_files_only=True))
    except LocalEntryNotFoundError:
        pass
    what = CHECKPOINTS.get(name, "a checkpoint of unknown size")
    if not is_reachable():
        raise HubUnavailable(
            f"{name} ({what}) is not on this machine, and the Hugging Face hub can not be reached. Connect to a network, or name a "
            "local folder, or use --profile embedded, which needs neither."
        )
    logger.warning("downloading %s: %s", name, what)
    return Path(snapshot_download(name, allow_patterns=wanted))
