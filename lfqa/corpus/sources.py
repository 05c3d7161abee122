"""What an index is made of: the files under the paths that were named, and data sets, each known by a digest of its content."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from lfqa.corpus.dataset import DatasetName, dataset_digest, read_dataset
from lfqa.corpus.documents import DocumentError
from lfqa.corpus.reading import ENDINGS, Reading, kind_of, read_file
from lfqa.types import Passage


@dataclass(frozen=True, slots=True)
class Source:
    """A file or data set, as it was when it was looked at.

    Attributes
    ----------
    name
        Unique in an index; what passages name as their source.
    place
        Absolute path of the file; of a data set its name, configuration and split.
    digest
        Of its content.
    root
        The path or data set that was named, and brought it in.
    """

    name: str
    place: str
    digest: str
    root: str


@dataclass(frozen=True, slots=True)
class Skipped:
    """A file that is left out, and why."""

    place: str
    reason: str


@dataclass(frozen=True)
class Roots:
    """What an index was asked to hold.

    Attributes
    ----------
    paths
        Absolute paths of files and folders.
    """

    paths: tuple[str, ...] = ()
    datasets: tuple[DatasetName, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.paths or self.datasets)

    def names(self) -> tuple[str, ...]:
        """Return what `Source.root` calls them, in order."""
        return (*self.paths, *map(str, self.datasets))

    def joined(self, other: Roots) -> Roots:
        """Return these roots and those of `other` that are not among them."""
        return Roots(tuple(dict.fromkeys((*self.paths, *other.paths))), tuple(dict.fromkeys((*self.datasets, *other.datasets))))


def find_sources(roots: Roots, taken: Mapping[str, str] | None = None) -> tuple[list[Source], list[Skipped]]:
    """Return what there is under `roots`, in an order that depends on names only, and what of it can not be read.

    A folder is searched through; in it hidden files and folders are passed over without a word. A path that is gone has no sources.

    Parameters
    ----------
    taken
        Places by the names of sources that are there already.

    Raises
    ------
    DocumentError, HubUnavailable
        When a data set is not there or can not be reached.
    """
    sources: list[Source] = []
    skipped: list[Skipped] = []
    places: set[Path] = set()
    names = dict(taken or {})
    for root in map(Path, roots.paths):
        for file in _files(root, skipped):
            real = file.resolve()
            if real in places:
                continue
            places.add(real)
            if kind_of(file) is None:
                skipped.append(Skipped(str(file), f"is no kind of file that is read ({ENDINGS})"))
                continue
            try:
                with file.open("rb") as stream:
                    digest = hashlib.file_digest(stream, "sha256").hexdigest()[:32]
            except OSError as error:
                skipped.append(Skipped(str(file), f"can not be read ({error.strerror or error})"))
                continue
            name = file.name if file == root else f"{root.name}/{file.relative_to(root).as_posix()}"
            name = os.fsencode(name if names.get(name, str(file)) == str(file) else str(file)).decode("utf-8", "replace")
            names[name] = str(file)
            sources.append(Source(name, str(file), digest, str(root)))
    sources += [Source(name.label, str(name), dataset_digest(name), str(name)) for name in roots.datasets]
    return sources, skipped


def _files(root: Path, skipped: list[Skipped]) -> Iterator[Path]:
    def unreadable(error: OSError) -> None:
        skipped.append(Skipped(str(error.filename), f"can not be read ({error.strerror or error})"))

    if not root.is_dir():
        yield from [root] if root.exists() else []
        return
    for folder, folders, files in os.walk(root, onerror=unreadable):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        yield from (Path(folder, name) for name in sorted(files) if not name.startswith("."))


def read_source(source: Source, datasets: Sequence[DatasetName], reading: Reading, skip: int = 0) -> Iterator[list[Passage]]:
    """Yield the passages of each document of `source`, but for the first `skip`.

    Raises
    ------
    DocumentError
        When it can not be read; the message is the reason.
    """
    for name in datasets:
        if str(name) == source.place:
            yield from read_dataset(name, skip)
            return
    yield from read_file(Path(source.place), source.name, reading, skip)


def check_paths(paths: Sequence[Path]) -> tuple[str, ...]:
    """Return the absolute paths.

    Raises
    ------
    DocumentError
        When one does not exist, or is neither file nor folder.
    """
    for path in paths:
        if not path.exists():
            raise DocumentError(f"{path} does not exist")
        if not (path.is_file() or path.is_dir()):
            raise DocumentError(f"{path} is neither a file nor a folder")
    return tuple(str(path.absolute()) for path in paths)
