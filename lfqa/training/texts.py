"""Running text for tokenizer training, denoising and distillation: the files of a data folder as 100-word passages.

The folder holds gzipped JSON lines, one file a source (README: "Training"). What is held out for measuring is left out here.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from lfqa.corpus.cutting import cut_passages
from lfqa.corpus.lines import read_objects

HELD_OUT_DOMAIN = "technology"
"""The LFRQA domain that no training example comes from."""

_HEADING = re.compile(r"^=+ (.+?) =+$")
_TRACES = re.compile(
    r"\b(?:figure|table|chapter|module|section|equation|exercise|example|appendix)s?\s+\d|\b(?:the|this|following|above|below) "
    r"(?:figure|table|chapter|module|section|equation|example|video|link|website)|\bas (?:we|you) (?:saw|have seen|will see)|"
    r"openstax|learning objectives|\[link\]|\[/?latex|creative commons|\bclick\b|\bwatch this\b",
    re.IGNORECASE,
)


def held_out(key: str, percent: int = 4) -> bool:
    """Say whether `key` (a title, a module) belongs to the measured share of about `percent` in a hundred."""
    return int(hashlib.sha1(key.strip().lower().encode()).hexdigest()[:8], 16) % 100 < percent


def read_records(folder: Path, name: str) -> Iterator[dict[str, Any]]:
    """Yield the records of ``name.jsonl.gz`` in `folder`.

    Raises
    ------
    FileNotFoundError
        When the folder has no such file; the message names what it should hold.
    ValueError
        When a line is not a JSON object.
    """
    path = folder / f"{name}.jsonl.gz"
    if not path.is_file():
        raise FileNotFoundError(f"{path} is missing: the data folder holds one gzipped JSON-lines file per source")
    for _, record in read_objects(path):
        yield record


def detokenise(text: str) -> str:
    """Undo Treebank tokenisation (``Australia 's climate , `` hot ''``), as Natural Questions and CLAPnq carry it."""
    text = text.replace("``", '"').replace("''", '"').replace("::", " ").replace("-LRB-", "(").replace("-RRB-", ")")
    text = re.sub(r"(?<=\w) - (?=\w)", "-", text)
    text = re.sub(r" -- ", " – ", text)
    text = re.sub(r" ('(?:s|S|re|ve|ll|d|m)|n't)\b", r"\1", text)
    text = re.sub(r"(\w)s ' ", r"\1s' ", text)
    text = re.sub(r"\( ", "(", text)
    text = re.sub(r" \)", ")", text)
    text = re.sub(r"\s+([,.;:!?%])", r"\1", text)
    text = re.sub(r"([$£€]) (?=\d)", r"\1", text)
    text = re.sub(r'" ([^"]*?) "', r'"\1"', text)
    return re.sub(r"\s+", " ", text).strip()


def has_traces(text: str) -> bool:
    """Say whether `text` refers to a figure, a table, a chapter or the like of the book that it came from."""
    return bool(_TRACES.search(text))


def clean(text: str) -> str:
    """Return `text` on one line, without emptied brackets and doubled spaces."""
    text = re.sub(r"\((?:[;,:\s]|or|also)*\)", "", text)
    text = re.sub(r"\[\d+\]|\{\{.*?\}\}|(?<=[.,;]):\s?\d+(?:[-–]\d+)?|^: \d+ ", "", text)
    text = re.sub(r"(?<=[a-z)\]][.!?])(?=[A-Z][a-z])", " ", text)  # extracted wikitext glues sentences at footnotes
    text = text.replace('""', '"')
    return re.sub(r"\s+([,.;])", r"\1", re.sub(r"\s+", " ", text)).strip()


def _wiki_sections(text: str, simple: bool) -> Iterator[tuple[str, str]]:
    """Yield ``(section, text)``; `simple`: headings are short lines that end in a full stop, else ``== heading ==``."""
    section = ""
    lines: list[str] = []
    for raw in text.split("\n"):
        line = raw.strip()
        heading = _HEADING.match(line)
        short = simple and line.endswith(".") and len(line.split()) <= 5 and line[:1].isupper()
        if heading or short:
            if lines:
                yield section, " ".join(lines)
            section, lines = heading.group(1) if heading else line.rstrip("."), []
        elif len(line.split()) >= 6:
            lines.append(line)
    if lines:
        yield section, " ".join(lines)


_SKIPPED_SECTIONS = {"references", "see also", "external links", "further reading", "notes", "sources", "other websites", "bibliography"}


def sections(folder: Path) -> Iterator[dict[str, str]]:
    """Yield ``{source, title, section, text}`` for every section of prose in the data folder."""
    for row in read_records(folder, "openstax_sections"):
        text = clean(" ".join(p for p in row["paragraphs"] if len(p.split()) >= 12 and not has_traces(p)))
        yield {"source": "openstax", "title": row["title"], "section": row["heading"] or "", "text": text}
    for name, simple in (("wikipedia_vital", False), ("simplewiki", True)):
        for row in read_records(folder, name):
            for section, text in _wiki_sections(row["text"], simple):
                if section.lower() not in _SKIPPED_SECTIONS:
                    yield {"source": name, "title": row["title"], "section": section, "text": clean(text)}
    for row in read_records(folder, "medquad"):
        yield {"source": "medquad", "title": row["focus"] or "", "section": row["qtype"], "text": clean(row["answer"])}
    for row in read_records(folder, "lfrqa_train"):
        if row["domain"] != HELD_OUT_DOMAIN:
            yield {"source": "lfrqa", "title": "", "section": row["domain"], "text": clean(row["answer"])}


def passages(folder: Path, words: int = 100) -> Iterator[dict[str, str]]:
    """Yield ``{source, title, section, text}`` for every passage of at least 25 words whose title is not held out.

    Nor is there one of an article whose paragraphs the retriever is measured on (squadshifts_wiki).
    """
    measured = {row["title"].lower() for row in read_records(folder, "squadshifts_wiki")}
    for section in sections(folder):
        if section["title"].lower() in measured or held_out(section["title"] or section["text"][:40]):
            continue
        for start, end in cut_passages(section["text"], words):
            text = section["text"][start:end]
            if len(text.split()) >= 25 and sum(c.isascii() for c in text) > 0.97 * len(text):
                yield {**section, "text": text}
