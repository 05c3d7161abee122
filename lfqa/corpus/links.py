"""Links in Markdown and plain text, and whether they lead somewhere, without a network."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote, urlsplit

from lfqa.corpus.faults import Fault

# [text](target) and ![text](target), and addresses that stand alone
_LINK = re.compile(r"\]\(\s*<?([^)\s>]+)>?[^)]*\)|\b(https?://[^\s)>\]\"'`]+)")


def links(text: str) -> list[str]:
    """Return the targets of Markdown links and the bare addresses of a text, in order."""
    return [match[1] or match[2].rstrip(".,;:!?") for match in _LINK.finditer(text)]


def link_faults(where: str, text: str, folder: Path) -> Iterator[Fault]:
    """Yield the links that lead nowhere: files that are not there, headings the page lacks, addresses without a host. No network."""
    headings = {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in re.findall(r"(?m)^#+\s+(.+)$", text)}
    for target in links(text):
        try:
            parts = urlsplit(target)
        except ValueError as error:
            yield Fault(where, f"the address {target} is broken ({error})")
            continue
        if parts.scheme in ("http", "https"):
            if not re.fullmatch(r"[\w-]+(\.[\w-]+)+", parts.hostname or ""):
                yield Fault(where, f"the address {target} has no host")
        elif parts.scheme not in ("", "mailto"):
            yield Fault(where, f"the link {target} is neither a file nor a web address")
        elif parts.path and not parts.scheme and not (folder / unquote(parts.path)).exists():
            yield Fault(where, f"the link leads to {target}, which is not there")
        elif not parts.path and not parts.scheme and parts.fragment not in headings:
            yield Fault(where, f"the link leads to #{parts.fragment}, which is no heading here")
