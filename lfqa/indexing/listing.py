"""What an index holds, source by source: the file beside its manifest, and what changed since it was written."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Literal

from lfqa.corpus.dataset import DatasetName
from lfqa.corpus.reading import Reading
from lfqa.corpus.sources import Roots, Skipped, Source

FILE = "sources.json"
READER = 1  # raised when readers or cutting change, so that everything is read again


@dataclass(frozen=True, slots=True)
class Held:
    """A source and its rows in an index.

    Attributes
    ----------
    rows
        How many, one after the other.
    whole
        Whether they are all of its passages: False where a later source has some of the same ids.
    """

    source: Source
    rows: int
    whole: bool = True


@dataclass(frozen=True)
class Listing:
    """The sources of an index, in the order of their rows."""

    roots: Roots = Roots()
    held: tuple[Held, ...] = ()
    reading: Reading = Reading()
    reader: int = READER

    def rows(self) -> dict[str, tuple[int, int]]:
        """Return the first row and the row after the last of each source, by its place."""
        bounds, first = {}, 0
        for each in self.held:
            bounds[each.source.place] = (first, first + each.rows)
            first += each.rows
        return bounds

    def write(self, folder: Path) -> None:
        """Write this listing to `folder`."""
        values = {
            "reader": self.reader,
            "reading": asdict(self.reading),
            "roots": asdict(self.roots),
            "sources": [{**asdict(each.source), "rows": each.rows, "whole": each.whole} for each in self.held],
        }
        (folder / FILE).write_text(json.dumps(values, indent=1) + "\n", encoding="utf-8")


def read_listing(folder: Path) -> Listing | None:
    """Return what `Listing.write` wrote to `folder`, or None where there is nothing readable."""
    try:
        values = json.loads((folder / FILE).read_text(encoding="utf-8"))
        roots = Roots(tuple(values["roots"]["paths"]), tuple(DatasetName(**name) for name in values["roots"]["datasets"]))
        held = [
            Held(Source(each["name"], each["place"], each["digest"], each["root"]), each["rows"], each["whole"])
            for each in values["sources"]
        ]
        return Listing(roots, tuple(held), Reading(**values["reading"]), values["reader"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


@dataclass(frozen=True, slots=True)
class Wanted:
    """A source that is to be in the index.

    Attributes
    ----------
    fresh
        Whether it is read; otherwise the rows that it has stay.
    kept
        Its rows in the index that is there.
    """

    source: Source
    fresh: bool
    kept: tuple[int, int] | None = None
    change: Literal["added", "changed", "unchanged"] = "unchanged"


@dataclass
class Changes:
    """How the sources of an index compare with what there is now; numbers of sources.

    Attributes
    ----------
    readable
        Sources that were looked at and can be read.
    """

    added: int = 0
    changed: int = 0
    removed: int = 0
    unchanged: int = 0
    readable: int = 0
    skipped: tuple[Skipped, ...] = field(default=())

    def count(self, change: str, by: int = 1) -> None:
        """Count a source as added, changed, removed or unchanged."""
        setattr(self, change, getattr(self, change) + by)

    def skip(self, skipped: Skipped, wanted: Wanted) -> None:
        """Count a source as skipped that could not be read after all; what is there of it stays."""
        self.skipped += (skipped,)
        self.readable -= 1
        self.count(wanted.change, -1)
        if wanted.kept is not None:
            self.count("unchanged")


def compare(there: Listing, roots: Roots, found: list[Source], skipped: list[Skipped], reading: Reading) -> tuple[list[Wanted], Changes]:
    """Return what is to be in an index of `there` once `roots` have been looked through, and what changes by that.

    Parameters
    ----------
    roots
        What was looked through; the sources of other roots stay as they are.
    found, skipped
        What was found in them. What is there already and can not be read now stays as it is.
    """
    bounds, held = there.rows(), {each.source.place: each for each in there.held}
    same_reader = (there.reading, there.reader) == (reading, READER)
    places, unread = {source.place for source in found}, {each.place for each in skipped}
    changes = Changes(readable=len(found), skipped=tuple(skipped))
    wanted: dict[str, list[Wanted]] = {root: [] for root in there.roots.joined(roots).names()}
    for source in found:
        before = held.get(source.place)
        as_before = before is not None and (before.source.name, before.source.digest) == (source.name, source.digest)
        fresh = not (as_before and same_reader and before is not None and before.whole)
        change: Literal["added", "changed", "unchanged"] = "added" if before is None else "unchanged" if as_before else "changed"
        wanted[source.root].append(Wanted(source, fresh, bounds.get(source.place), change))
        changes.count(change)
    for place, each in held.items():
        if place in places:
            continue
        if each.source.root in roots.names() and place not in unread:
            changes.count("removed")
            continue
        wanted[each.source.root].append(Wanted(each.source, False, bounds[place]))
        changes.count("unchanged")
    return [each for group in wanted.values() for each in group], changes


def listing_of(roots: Roots, wanted: list[Wanted], failed: dict[int, str], total: Counter[int], rows: Counter[int], reading: Reading,
               there: Listing) -> Listing:  # fmt: skip
    """Return the listing of an index that was made of `wanted`.

    Parameters
    ----------
    failed
        The numbers of those that could not be read.
    total, rows
        How many passages each had, by its number, and how many of them are in the index.
    """
    before = {each.source.place: each.source for each in there.held}
    held = []
    for number, each in enumerate(wanted):
        source = each.source
        if number in failed:  # what stays of it is what it was
            if each.kept is None:
                continue
            source = before[source.place]
        held.append(Held(source, rows[number], rows[number] == total[number]))
    return Listing(roots, tuple(held), reading)
