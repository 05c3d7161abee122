"""Whether a corpus keeps its promises: fields, ids, lengths, references, splits, duplicates, support, links.

A corpus is a folder with ``passages.jsonl`` and ``questions.jsonl``, perhaps ``unanswerable.jsonl``, and pages about them (``*.md``).
What does not keep the promises is a fault; a file that can not be read at all is an error.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from lfqa.corpus import faults
from lfqa.corpus.faults import SPLITS, Attribute, Fault, Row, topic
from lfqa.corpus.lines import read_objects
from lfqa.corpus.links import link_faults

PASSAGES, QUESTIONS, UNANSWERABLE = "passages.jsonl", "questions.jsonl", "unanswerable.jsonl"
SAME_PASSAGE, SAME_QUESTION, SAME_ANSWER = (3, 0.2), (1, 0.65), (3, 0.3)
"""Words a shingle, and the similarity from which two texts count as near-duplicates (see `lfqa.corpus.near`)."""
SUPPORTED_AT = 0.1
"""Support score that a sentence of a written answer needs: lower than what a generator needs, whose slips are to be caught."""
UNSUPPORTED = 0.15
"""Share of the answer sentences that no named passage needs to support: attribution misses free paraphrases (12 % of the bundled
answers' sentences), and a sentence that only leads to the answer has nothing to rest on."""


@dataclass(frozen=True, slots=True)
class Check:
    """One promise: how many things were looked at, and what is wrong with them.

    Attributes
    ----------
    allowed
        So many faults are no failure.
    """

    name: str
    looked_at: int
    faults: tuple[Fault, ...]
    allowed: int = 0

    @property
    def passed(self) -> bool:
        """Whether there are no more faults than allowed."""
        return len(self.faults) <= self.allowed


@dataclass(frozen=True, slots=True)
class Corpus:
    """The records of a corpus as they stand in its files."""

    folder: Path
    passages: tuple[Row, ...]
    questions: tuple[Row, ...]
    unanswerable: tuple[Row, ...]
    pages: tuple[Path, ...]


@dataclass(frozen=True, slots=True)
class Report:
    """What there is, and what each check found."""

    counts: dict[str, Any]
    checks: tuple[Check, ...]

    @property
    def passed(self) -> bool:
        """Whether every check passed."""
        return all(check.passed for check in self.checks)

    def as_dict(self) -> dict[str, Any]:
        """Return the report as plain values for JSON."""
        checks = {
            check.name: {
                "passed": check.passed,
                "looked_at": check.looked_at,
                "allowed": check.allowed,
                "faults": [{"where": fault.where, "what": fault.what} for fault in check.faults],
            }
            for check in self.checks
        }
        return {"passed": self.passed, "counts": self.counts, "checks": checks}


def read_corpus(folder: Path) -> Corpus:
    """Return the records of the corpus in `folder`; ``unanswerable.jsonl`` may be missing.

    Raises
    ------
    OSError, ValueError
        When a file is missing, holds nothing, or is no JSON lines (cut off, binary); the message names the file, and the line.
    """
    if not folder.is_dir():
        raise FileNotFoundError(f"{folder} is no folder: a corpus is a folder with {PASSAGES} and {QUESTIONS}")
    for name in (PASSAGES, QUESTIONS):
        if not (folder / name).is_file():
            raise FileNotFoundError(f"{folder / name} is missing: a corpus is a folder with {PASSAGES} and {QUESTIONS}")
    rows = {name: _rows(folder / name) for name in (PASSAGES, QUESTIONS, UNANSWERABLE) if (folder / name).exists()}
    for name, found in rows.items():
        if not found:
            raise ValueError(f"{folder / name} holds no records")
    pages = tuple(sorted(page for page in folder.glob("*.md") if page.is_file()))
    return Corpus(folder, rows[PASSAGES], rows[QUESTIONS], rows.get(UNANSWERABLE, ()), pages)


def _rows(path: Path) -> tuple[Row, ...]:
    return tuple((f"{path.name}, line {number}", record) for number, record in read_objects(path))


def check_corpus(corpus: Corpus, attribute: Attribute, unsupported: float = UNSUPPORTED) -> Report:
    """Return what is wrong with `corpus`; records with faulty fields are left out of the checks that follow.

    Parameters
    ----------
    attribute
        Decides which sentences of an answer its passages support.
    unsupported
        Share of the answer sentences that may be unsupported, and of the named passages that may support none, 0 to 1.

    Raises
    ------
    OSError, ValueError
        When `unsupported` is no share, or a page can not be read.
    """
    if not 0 <= unsupported <= 1:
        raise ValueError(f"a share is between 0 and 1, not {unsupported}")
    wrong = (
        *faults.field_faults(corpus.passages, faults.PASSAGE_FIELDS),
        *faults.field_faults(corpus.questions, faults.QUESTION_FIELDS),
        *faults.field_faults(corpus.unanswerable, faults.UNANSWERABLE_FIELDS),
    )
    bad = {fault.where for fault in wrong}
    passages, questions, none = (
        tuple(row for row in rows if row[0] not in bad) for rows in (corpus.passages, corpus.questions, corpus.unanswerable)
    )
    asked = questions + none
    sentences, alone, idle = faults.support_faults(passages, questions, attribute)
    named = sum(len(record["passage_ids"]) for _, record in questions)
    near = faults.near_faults
    return Report(
        counts(corpus),
        (
            _check("fields", corpus.passages + corpus.questions + corpus.unanswerable, wrong),
            _check("ids", passages + asked, (*faults.id_faults(passages, "passage_id"), *faults.id_faults(asked, "question_id"))),
            _check("article titles", passages, faults.title_faults(passages)),
            _check("passage length", passages, faults.length_faults(passages)),
            _check("answer length", questions, faults.answer_faults(questions)),
            _check("references", asked, faults.reference_faults(passages, questions, none)),
            _check("splits", asked, faults.split_faults(questions, none)),
            _check("passages alike", passages, near(passages, "passage_id", "passage_text", SAME_PASSAGE)),
            _check("questions alike", asked, near(asked, "question_id", "question", SAME_QUESTION)),
            _check("answers alike", questions, near(questions, "question_id", "answer", SAME_ANSWER)),
            Check("answer sentences supported", sentences, tuple(alone), int(unsupported * sentences + 1e-9)),
            Check("named passages used", named, tuple(idle), int(unsupported * named + 1e-9)),
            _check("links", corpus.pages + passages + asked, _links(corpus.folder, corpus.pages, passages + asked)),
        ),
    )


def _check(name: str, looked_at: Sequence[object], found: Iterator[Fault] | Sequence[Fault]) -> Check:
    return Check(name, len(looked_at), tuple(found))


def _links(folder: Path, pages: Sequence[Path], rows: Sequence[Row]) -> Iterator[Fault]:
    for page in pages:
        yield from link_faults(page.name, _text(page), folder)
    for where, record in rows:
        for field in ("passage_text", "question", "answer"):
            yield from link_faults(where, record.get(field, ""), folder)


def _text(page: Path) -> str:
    try:
        return page.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise ValueError(f"{page} is not UTF-8 text ({error})") from error


def counts(corpus: Corpus) -> dict[str, Any]:
    """Return how much there is: topics, passages with their lengths in words, questions and unanswerable questions by split."""
    words = sorted(len(str(record.get("passage_text", "")).split()) for _, record in corpus.passages)
    return {
        "topics": len({topic(str(record.get("passage_id"))) for _, record in corpus.passages}),
        "passages": len(corpus.passages),
        "words": {"least": words[0], "median": median(words), "most": words[-1]},
        "questions": _by_split(corpus.questions),
        "unanswerable": _by_split(corpus.unanswerable),
    }


def _by_split(rows: Sequence[Row]) -> dict[str, int]:
    found = Counter(str(record.get("split")) for _, record in rows)
    return {"all": len(rows), **{split: found[split] for split in SPLITS if found[split]}}
