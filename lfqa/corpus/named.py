"""Where the passages of a corpus are: a passage file, a folder in the layout of ``wiki_snippets``, that data set on the hub, or another."""

from __future__ import annotations

import logging
from pathlib import Path

from lfqa.corpus.dataset import DatasetName
from lfqa.hub import CORPORA, HubUnavailable, is_reachable

logger = logging.getLogger(__name__)


def corpus_dataset(name: str) -> DatasetName | None:
    """Return the data set that the corpus `name` means, ``NAME@CONFIG`` on the hub or as a local folder; None where it means a file."""
    if "@" not in name or Path(name).expanduser().exists():
        return None
    dataset, _, config = name.rpartition("@")
    return DatasetName(dataset, config or None)


def corpus_file(name: str, cache: Path) -> Path:
    """Return the passage file or folder that the corpus `name` means.

    Raises
    ------
    FileNotFoundError
        When it is a path that does not exist.
    HubUnavailable
        When it is a known data set that is not on this machine and the hub can not be reached.
    """
    path = Path(name).expanduser()
    if path.exists():
        return path
    if name not in CORPORA:
        raise FileNotFoundError(
            f"the corpus {name} does not exist: name a passage file, a folder of Parquet files, one of {sorted(CORPORA)}, or "
            "a data set as NAME@CONFIG"
        )
    if not is_reachable():
        raise HubUnavailable(
            f"{name} ({CORPORA[name]}) is not on this machine, and the Hugging Face hub can not be reached. Connect to a network, or "
            "give --corpus a local folder of its Parquet files, or use --profile embedded, which needs neither."
        )
    from huggingface_hub import snapshot_download

    logger.warning("downloading %s: %s", name, CORPORA[name])
    folder = snapshot_download(
        f"community-datasets/{name}", repo_type="dataset", allow_patterns=["wiki40b_en_100_0/*.parquet"], cache_dir=cache / "hub"
    )
    return Path(folder)
