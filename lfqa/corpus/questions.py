"""Questions that somebody wrote an answer to, from passages of the corpus."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lfqa.corpus.lines import read_objects

SPLIT = "train"
"""The split that may be shown; the others are for measuring."""


@dataclass(frozen=True, slots=True)
class AnsweredQuestion:
    """A question with its written answer and the ids of the passages that it was written from."""

    question: str
    answer: str
    passage_ids: tuple[str, ...] = ()


def questions_file(given: str | None, corpus: str | None) -> Path | None:
    """Return the question file `given`, or the ``questions.jsonl`` beside a corpus file ``passages.jsonl``; None where neither is there.

    That is the layout of the bundled corpus; either file may be a ``.gz``. A corpus under another name has no questions unless they are
    given: what lies beside it may belong to something else.
    """
    if given:
        return Path(given).expanduser()
    passages = Path(corpus or "").expanduser()
    if passages.name not in ("passages.jsonl", "passages.jsonl.gz"):
        return None
    beside = (passages.with_name(name) for name in ("questions.jsonl", "questions.jsonl.gz"))
    return next((file for file in beside if file.is_file()), None)


def read_answered(path: Path, split: str = SPLIT) -> Iterator[AnsweredQuestion]:
    """Yield the questions of `split` that have an answer, in the order of a JSON-lines file, gzipped or not.

    A line has ``question`` and ``answer``, and may have ``passage_ids``, ``split`` and ``answerable``; other fields are left alone.
    One without `split` counts as training. What is marked ``"answerable": false``, or has no answer, is passed over.

    Raises
    ------
    FileNotFoundError
        When there is no such file.
    ValueError
        When it is not JSON lines, or a field is not what it should be; the message names file, line and field.
    """
    if not path.is_file():
        raise FileNotFoundError(f"the question file {path} does not exist")
    for number, record in read_objects(path):
        if record.get("split", SPLIT) == split and record.get("answerable", True) and record.get("answer"):
            yield _answered(record, f"{path}, line {number}")


def _answered(record: dict[str, Any], where: str) -> AnsweredQuestion:
    question, answer, names = record.get("question"), record["answer"], record.get("passage_ids", [])
    for field, value in (("question", question), ("answer", answer)):
        if not isinstance(value, str) or not value.strip():
            raise ValueError(f"{where}: {field} must be a text, not {value!r}")
        if any("\ud800" <= character <= "\udfff" for character in value):
            raise ValueError(f"{where}: {field} holds half of a surrogate pair, which is no text")
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise ValueError(f"{where}: passage_ids must be a list of ids, not {names!r}")
    return AnsweredQuestion(str(question), str(answer), tuple(names))
