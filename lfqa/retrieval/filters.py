"""Which passages a search may return: one shape for every engine."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from lfqa.types import Passage


@dataclass(frozen=True, slots=True)
class Filters:
    """A passage passes that has, in each field named here, one of the values; letter case does not count.

    Attributes
    ----------
    articles, sections
        Titles.
    sources
        The documents that passages were cut from; a passage without one passes no filter by source.
    """

    articles: tuple[str, ...] = ()
    sections: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.articles or self.sections or self.sources)

    def by_field(self) -> Mapping[str, tuple[str, ...]]:
        """Return the values by the name of the passage's field, where there are any."""
        named = {"article_title": self.articles, "section_title": self.sections, "source": self.sources}
        return {field: values for field, values in named.items() if values}

    def passes(self, passage: Passage) -> bool:
        """Say whether `passage` passes."""
        return all(
            str(getattr(passage, field, "")).lower() in {value.lower() for value in values} for field, values in self.by_field().items()
        )
