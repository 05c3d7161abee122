"""Hugging Face data sets as sources of passages, streamed: from the hub by name, or from a local folder of the same layout."""

from __future__ import annotations

import hashlib
import logging
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lfqa.corpus.documents import DocumentError
from lfqa.hub import HubUnavailable, is_reachable
from lfqa.types import Passage

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class DatasetName:
    """A split of a data set: its name on the hub or a local folder, and its configuration where it has several.

    Attributes
    ----------
    shard
        ``i/n`` is every n-th row from the i-th on: what one of n machines takes. Empty for all rows.
    """

    name: str
    config: str | None = None
    split: str = "train"
    shard: str = ""

    def __post_init__(self) -> None:
        if self.shard and not (re.fullmatch(r"\d{1,6}/\d{1,6}", self.shard) and 1 <= self.part[0] <= self.part[1]):
            raise ValueError(f"a shard is 1/4 for the first of four, not {self.shard!r}")

    def __str__(self) -> str:
        whole = "/".join(part for part in (self.name, self.config, self.split) if part)
        return f"{whole}@{self.shard}" if self.shard else whole

    @property
    def part(self) -> tuple[int, int]:
        """The number of the shard, from 1, and how many there are."""
        number, _, count = (self.shard or "1/1").partition("/")
        return int(number), int(count)

    @property
    def folder(self) -> Path | None:
        """The local folder that it is, or None."""
        path = Path(self.name).expanduser()
        return path if path.is_dir() else None

    @property
    def label(self) -> str:
        """What its passages' ids begin with."""
        return "/".join(part for part in (Path(self.name).name if self.folder else self.name, self.config) if part)


def dataset_digest(name: DatasetName) -> str:
    """Return 32 hexadecimal digits that change with the data set: with the files of a folder, or its revision on the hub.

    Raises
    ------
    DocumentError
        When there is no such data set.
    HubUnavailable
        When it is not a folder, and the hub can not be reached.
    """
    folder = name.folder
    whole = hashlib.sha256(str(name).encode())
    if folder is not None:
        for file in sorted(path for path in folder.rglob("*") if path.is_file() and not path.name.startswith(".")):
            whole.update(str(file.relative_to(folder)).encode())
            with file.open("rb") as stream:
                whole.update(hashlib.file_digest(stream, "sha256").digest())
        return whole.hexdigest()[:32]
    _refuse_unreachable(name)
    from huggingface_hub import HfApi
    from huggingface_hub.errors import HfHubHTTPError

    try:
        revision = HfApi().dataset_info(name.name).sha
    except HfHubHTTPError as error:
        raise DocumentError(f"there is no data set {name.name} on the hub, or it is not open to you ({error})") from error
    whole.update(str(revision).encode())
    return whole.hexdigest()[:32]


def _refuse_unreachable(name: DatasetName) -> None:
    if name.name.startswith((".", "/", "~")):
        raise DocumentError(f"the folder {name.name} does not exist")
    if not is_reachable():
        raise HubUnavailable(
            f"the data set {name.name} is no folder here, and the Hugging Face hub can not be reached. Connect to a network, or give "
            "--dataset a local copy of it."
        )


def read_dataset(name: DatasetName, skip: int = 0) -> Iterator[list[Passage]]:
    """Yield the passages of each row of the shard, streamed, but for its first `skip` rows.

    Raises
    ------
    DocumentError
        When a row has neither a passage's fields nor text, or the data set can not be read.
    HubUnavailable
        When it is not a folder, and the hub can not be reached.
    """
    from lfqa.corpus.records import passages_of_record

    if name.folder is None:
        _refuse_unreachable(name)
    rows = _open(name)
    label = name.label
    first, step = name.part
    past = skip * step  # rows, of this shard and the others
    for number, record in enumerate(rows.skip(past) if past else rows, start=past + 1):
        if (number - first) % step == 0:
            yield list(passages_of_record(record, number, label, "", f"row {number}"))


def _open(name: DatasetName) -> Any:
    from datasets import disable_progress_bars, load_dataset

    disable_progress_bars()
    folder = name.folder
    try:
        if folder is None:
            return load_dataset(name.name, name.config, split=name.split, streaming=True)
        if name.config and (folder / name.config).is_dir():  # the layout of a repository on the hub
            return load_dataset(str(folder / name.config), split=name.split, streaming=True)
        return load_dataset(str(folder), name.config, split=name.split, streaming=True)
    except Exception as error:  # the library raises a dozen kinds over data sets that it does not find or can not read
        raise DocumentError(f"the data set {name} can not be read: {error}") from error
