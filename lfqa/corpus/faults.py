"""What can be wrong with the records of a corpus: pure functions that yield faults.

An article's passages and questions belong to one topic: the passage id without its number.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lfqa.corpus.near import near_pairs
from lfqa.sentences import split_sentences
from lfqa.types import Passage, Sentence

SPLITS = ("train", "validation", "test")
WORDS = (80, 120)
SENTENCES = (3, 6)
NAMED = (2, 4)

Attribute = Callable[[str, Sequence[Passage]], Sequence[Sentence]]
"""Splits an answer into sentences and says of each whether the passages support it: `lfqa.attribution.attribute`."""
Row = tuple[str, dict[str, Any]]
"""Where a record is (file and line), and the record."""


@dataclass(frozen=True, slots=True)
class Fault:
    """Something that is wrong, and where: a file with its line, or an id."""

    where: str
    what: str


def topic(name: str) -> str:
    """Return the topic of a passage's id: what stands before its number."""
    return re.sub(r"-\d+$", "", name)


# fields: what a value must be, and the words for it

_Rule = tuple[Callable[[Any], bool], str]


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and value.strip() == value != "" and value.isprintable()


_TEXT: _Rule = (_is_text, "must be a text of printable characters without space around it")
_ID: _Rule = (lambda value: isinstance(value, str) and bool(re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", value)), "must be like bird-flight-2")
_IDS: _Rule = (
    lambda value: (
        isinstance(value, list) and all(isinstance(name, str) for name in value) and NAMED[0] <= len(set(value)) == len(value) <= NAMED[1]
    ),
    f"must be a list of {NAMED[0]} to {NAMED[1]} different ids",
)
_SPLIT: _Rule = (lambda value: value in SPLITS, f"must be one of {', '.join(SPLITS)}")
_FALSE: _Rule = (lambda value: value is False, "must be false")

PASSAGE_FIELDS: Mapping[str, _Rule] = {"passage_id": _ID, "article_title": _TEXT, "section_title": _TEXT, "passage_text": _TEXT}
QUESTION_FIELDS: Mapping[str, _Rule] = {"question_id": _ID, "question": _TEXT, "answer": _TEXT, "passage_ids": _IDS, "split": _SPLIT}
UNANSWERABLE_FIELDS: Mapping[str, _Rule] = {"question_id": _ID, "question": _TEXT, "near": _ID, "answerable": _FALSE, "split": _SPLIT}


def field_faults(rows: Sequence[Row], fields: Mapping[str, _Rule]) -> Iterator[Fault]:
    """Yield what is missing, too much, or of the wrong kind in the records."""
    for where, record in rows:
        for name, (fits, words) in fields.items():
            if name not in record:
                yield Fault(where, f"{name} is missing")
            elif not fits(record[name]):
                yield Fault(where, f"{name} {words}, not {str(record[name])[:60]!r}")
        if "answer" not in fields and (record.get("passage_ids") or record.get("answer")):
            yield Fault(where, "an unanswerable question names passages or has an answer")
        elif extra := sorted(record.keys() - fields.keys()):
            yield Fault(where, f"unknown fields: {', '.join(extra)}")


def id_faults(rows: Iterable[Row], field: str) -> Iterator[Fault]:
    """Yield the ids that come a second time."""
    seen: dict[Any, str] = {}
    for where, record in rows:
        if record[field] in seen:
            yield Fault(where, f"{field} {record[field]!r} is already in {seen[record[field]]}")
        seen.setdefault(record[field], where)


def title_faults(passages: Sequence[Row]) -> Iterator[Fault]:
    """Yield the passages whose article has another title than the rest of their topic, or shares its title with another topic."""
    titles: dict[str, str] = {}
    topics: dict[str, str] = {}
    for where, record in passages:
        of, title = topic(record["passage_id"]), record["article_title"]
        if titles.setdefault(of, title) != title or topics.setdefault(title, of) != of:
            yield Fault(where, f"the article of {of} is called {titles[of]!r}, and {title!r} is the article of {topics.get(title, of)}")


def length_faults(passages: Sequence[Row]) -> Iterator[Fault]:
    """Yield the passages that are too short or too long."""
    for where, record in passages:
        words = len(record["passage_text"].split())
        if not WORDS[0] <= words <= WORDS[1]:
            yield Fault(where, f"{record['passage_id']} has {words} words, not {WORDS[0]} to {WORDS[1]}")


def answer_faults(questions: Sequence[Row]) -> Iterator[Fault]:
    """Yield the answers with too few or too many sentences."""
    for where, record in questions:
        count = len(split_sentences(record["answer"]))
        if not SENTENCES[0] <= count <= SENTENCES[1]:
            yield Fault(where, f"the answer of {record['question_id']} has {count} sentences, not {SENTENCES[0]} to {SENTENCES[1]}")


def reference_faults(passages: Sequence[Row], questions: Sequence[Row], unanswerable: Sequence[Row]) -> Iterator[Fault]:
    """Yield the names of passages and topics that are not there."""
    there = {record["passage_id"] for _, record in passages}
    topics = {topic(name) for name in there}
    for where, record in questions:
        for name in record["passage_ids"]:
            if name not in there:
                yield Fault(where, f"{record['question_id']} names the passage {name}, which is not there")
    for where, record in unanswerable:
        if record["near"] not in topics:
            yield Fault(where, f"{record['question_id']} is near {record['near']}, which is no topic")


def split_faults(questions: Sequence[Row], unanswerable: Sequence[Row]) -> Iterator[Fault]:
    """Yield the topics that are in two splits: those of the answers' passages, and those that unanswerable questions are near.

    Unanswerable questions are never trained on, so that they may be near a topic of the training questions, in one split each.
    """
    splits: dict[str, dict[str, str]] = defaultdict(dict)
    for _, record in questions:
        for name in record["passage_ids"]:
            splits[topic(name)].setdefault(record["split"], record["question_id"])
    for name, found in splits.items():
        if len(found) > 1:
            yield Fault(name, "is in two splits: " + ", ".join(f"{split} ({question})" for split, question in found.items()))
    near: dict[str, str] = {}
    for where, record in unanswerable:
        expected = set(splits.get(record["near"], ())) - {"train"} or {near.setdefault(record["near"], record["split"])}
        if record["split"] == "train" or record["split"] not in expected:
            yield Fault(where, f"{record['question_id']} is in the split {record['split']}, its topic {record['near']} in {min(expected)}")


def near_faults(rows: Sequence[Row], id_field: str, text_field: str, alike: tuple[int, float]) -> Iterator[Fault]:
    """Yield the records whose text is the same as another's or nearly so."""
    for first, second, similarity in near_pairs([record[text_field] for _, record in rows], *alike):
        (there, other), (where, record) = rows[first], rows[second]
        yield Fault(where, f"{record[id_field]} is {similarity:.2f} like {other[id_field]} ({there}): {record[text_field][:80]!r}")


def support_faults(passages: Sequence[Row], questions: Sequence[Row], attribute: Attribute) -> tuple[int, list[Fault], list[Fault]]:
    """Return the number of answer sentences, those that no named passage supports, and the passages named that support no sentence."""
    texts = {r["passage_id"]: Passage(*(r[name] for name in PASSAGE_FIELDS)) for _, r in passages}
    count, unsupported, idle = 0, [], []
    for where, record in questions:
        named = [texts[name] for name in record["passage_ids"] if name in texts]
        sentences = attribute(record["answer"], named)
        count += len(sentences)
        unsupported += [Fault(where, f"{record['question_id']}: {s.text}") for s in sentences if not s.supported]
        cited = {citation.passage_id for s in sentences for citation in s.citations}
        idle += [Fault(where, f"{record['question_id']}: {p.passage_id}") for p in named if p.passage_id not in cited]
    return count, unsupported, idle
