"""`lfqa corpus check`: the shipped corpus passes, and every kind of fault is found in a small broken copy of it."""

from __future__ import annotations

import functools
import itertools
import json
import math
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from lfqa import attribution
from lfqa.cli import app
from lfqa.corpus.check import PASSAGES, QUESTIONS, SUPPORTED_AT, UNANSWERABLE, Report, check_corpus, read_corpus
from lfqa.corpus.links import links
from lfqa.corpus.near import near_pairs, shingles
from tests.helpers import ASSETS

CORPUS = ASSETS / "corpus"
attribute = functools.partial(attribution.attribute, threshold=SUPPORTED_AT)
TOPICS = ("honey", "tides", "mushrooms")
"""One of each split, with questions that no passage answers near the first two."""

Records = dict[str, list[dict[str, Any]]]
Break = Callable[[Records], object]


def records(folder: Path) -> Records:
    return {
        name: [json.loads(line) for line in (folder / name).read_text(encoding="utf-8").splitlines()]
        for name in (PASSAGES, QUESTIONS, UNANSWERABLE)
    }


def write(folder: Path, held: Records) -> Path:
    folder.mkdir(exist_ok=True)
    for name, rows in held.items():
        (folder / name).write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return folder


def named(row: dict[str, Any]) -> str:
    return re.sub(r"-[qu]?\d+$", "", row.get("question_id") or row["passage_id"])


@pytest.fixture
def small(tmp_path: Path) -> Path:
    held = {name: [row for row in rows if named(row) in TOPICS] for name, rows in records(CORPUS).items()}
    return write(tmp_path / "small", held)


@pytest.fixture(scope="module")
def shipped() -> Report:
    return check_corpus(read_corpus(CORPUS), attribute)


def faults(folder: Path, unsupported: float = 0.5) -> dict[str, list[str]]:
    """Return what is wrong with the corpus in `folder`, by check; only checks that found something."""
    report = check_corpus(read_corpus(folder), attribute, unsupported)
    found = {check.name: [f"{fault.where}: {fault.what}" for fault in check.faults] for check in report.checks if not check.passed}
    assert report.passed is not bool(found)
    return found


def test_the_shipped_corpus_keeps_its_promises(shipped: Report) -> None:
    assert {check.name: check.faults for check in shipped.checks if not check.passed} == {}
    assert all(check.looked_at > 1000 for check in shipped.checks)


def test_the_shipped_corpus_is_as_large_as_the_datasheet_says(shipped: Report) -> None:
    counts = shipped.counts
    sheet = (CORPUS / "README.md").read_text(encoding="utf-8")
    answered, unanswered = counts["questions"], counts["unanswerable"]
    words = counts["words"]
    for said in (
        f"{counts['passages']:,} passages of {words['least']} to {words['most']} words in {counts['topics']} articles",
        f"{answered['all']:,} questions with answers",
        f"{unanswered['all']} questions that no passage answers",
        *(f"| `{split}` | {answered[split]} | {unanswered.get(split, 0)} |" for split in ("train", "validation", "test")),
    ):
        assert said in sheet
    assert counts["topics"] >= 300 and counts["passages"] >= 1200 and answered["all"] >= 1000
    assert unanswered["all"] >= 120 and unanswered["validation"] >= 50 and unanswered["test"] >= 70


def test_the_shipped_unanswerable_questions_come_out_of_no_template() -> None:
    asked = [row["question"] for row in records(CORPUS)[UNANSWERABLE]]
    openings = [" ".join(question.lower().split()[:5]) for question in asked]
    assert {opening for opening in openings if openings.count(opening) > 3 and "difference between" not in opening} == set()
    assert len({question.split()[0].lower() for question in asked}) >= 10


def test_a_small_sound_corpus_passes(small: Path) -> None:
    assert faults(small) == {}


def test_a_corpus_without_unanswerable_questions_passes(small: Path) -> None:
    (small / UNANSWERABLE).unlink()
    assert faults(small) == {}


def first(held: Records, name: str) -> dict[str, Any]:
    return held[name][0]


def retitled(held: Records) -> None:
    held[PASSAGES][1]["article_title"] = "Something else"


def question_of(held: Records, split: str) -> dict[str, Any]:
    return next(row for row in held[QUESTIONS] if row["split"] == split)


def doubled(held: Records, name: str, field: str, **changed: Any) -> None:
    held[name].append({**held[name][0], field: held[name][0][field], **changed})


OTHER = " ".join(f"word{number}" for number in range(90))
BROKEN: dict[str, tuple[Break, str, str]] = {
    "a field is missing": (lambda h: first(h, PASSAGES).pop("section_title"), "fields", "passages.jsonl, line 1: section_title is missing"),
    "a field is empty": (lambda h: first(h, QUESTIONS).update(answer="  "), "fields", "questions.jsonl, line 1: answer must be a text"),
    "a field has the wrong type": (lambda h: first(h, QUESTIONS).update(passage_ids="honey-1"), "fields", "passage_ids must be a list"),
    "a field is too much": (lambda h: first(h, PASSAGES).update(note="x"), "fields", "unknown fields: note"),
    "a line break in a text": (
        lambda h: first(h, PASSAGES).update(section_title="a\nb"),
        "fields",
        "section_title must be a text of printable",
    ),
    "an unknown split": (lambda h: first(h, QUESTIONS).update(split="dev"), "fields", "split must be one of train, validation, test"),
    "only one passage is named": (
        lambda h: first(h, QUESTIONS).update(passage_ids=["honey-1"]),
        "fields",
        "passage_ids must be a list of 2 to 4 different ids",
    ),
    "a passage is named twice": (lambda h: first(h, QUESTIONS).update(passage_ids=["honey-1", "honey-1"]), "fields", "different ids"),
    "an unanswerable question has passages": (
        lambda h: first(h, UNANSWERABLE).update(passage_ids=["honey-1"]),
        "fields",
        "unanswerable.jsonl, line 1: an unanswerable question names passages or has an answer",
    ),
    "an unanswerable question is answerable": (
        lambda h: first(h, UNANSWERABLE).update(answerable=True),
        "fields",
        "answerable must be false",
    ),
    "an id comes twice": (
        lambda h: doubled(h, PASSAGES, "passage_id", passage_text=OTHER),
        "ids",
        "passage_id 'honey-1' is already in passages.jsonl, line 1",
    ),
    "a question's id is an unanswerable one's": (
        lambda h: first(h, UNANSWERABLE).update(question_id="honey-q1"),
        "ids",
        "unanswerable.jsonl, line 1: question_id 'honey-q1' is already in questions.jsonl, line 1",
    ),
    "an article has two titles": (retitled, "article titles", "'Something else'"),
    "a passage is too short": (
        lambda h: first(h, PASSAGES).update(passage_text="Honey is sweet indeed." + " Honey is sweet." * 9),
        "passage length",
        "passages.jsonl, line 1: honey-1 has 31 words, not 80 to 120",
    ),
    "a passage is too long": (lambda h: first(h, PASSAGES).update(passage_text=f"{OTHER} {OTHER}"), "passage length", "180 words"),
    "an answer is too short": (
        lambda h: first(h, QUESTIONS).update(answer="Bees make honey."),
        "answer length",
        "has 1 sentences, not 3 to 6",
    ),
    "a passage is not there": (
        lambda h: first(h, QUESTIONS).update(passage_ids=["honey-1", "honey-99"]),
        "references",
        "honey-q1 names the passage honey-99, which is not there",
    ),
    "a topic is not there": (lambda h: first(h, UNANSWERABLE).update(near="jam"), "references", "honey-u1 is near jam, which is no topic"),
    "a topic is trained on and tested": (
        lambda h: question_of(h, "test").update(split="train"),
        "splits",
        "tides: is in two splits: train",
    ),
    "an unanswerable question is trained on": (lambda h: first(h, UNANSWERABLE).update(split="train"), "splits", "is in the split train"),
    "an unanswerable question is in another split than its topic": (
        lambda h: next(row for row in h[UNANSWERABLE] if row["near"] == "tides").update(split="validation"),
        "splits",
        "is in the split validation, its topic tides in test",
    ),
    "a passage comes twice": (
        lambda h: doubled(h, PASSAGES, "passage_id", passage_id="honey-9"),
        "passages alike",
        "honey-9 is 1.00 like honey-1 (passages.jsonl, line 1)",
    ),
    "a passage comes again with a few other words": (
        lambda h: doubled(h, PASSAGES, "passage_id", passage_id="honey-9", passage_text="In short, " + first(h, PASSAGES)["passage_text"]),
        "passages alike",
        "honey-9 is 0.9",
    ),
    "a question comes twice": (
        lambda h: question_of(h, "validation").update(question=first(h, QUESTIONS)["question"].upper()),
        "questions alike",
        "like honey-q1",
    ),
    "an unanswerable question is nearly an answerable one": (
        lambda h: first(h, UNANSWERABLE).update(question=first(h, QUESTIONS)["question"].rstrip("?") + ", please?"),
        "questions alike",
        "honey-u1 is 0.",
    ),
    "an answer comes twice": (
        lambda h: h[QUESTIONS][1].update(answer=first(h, QUESTIONS)["answer"]),
        "answers alike",
        "honey-q2 is 1.00 like honey-q1",
    ),
    "a passage links to a file that is not there": (
        lambda h: first(h, PASSAGES).update(passage_text=OTHER + " [see](bees.txt)"),
        "links",
        "passages.jsonl, line 1: the link leads to bees.txt, which is not there",
    ),
}


@pytest.mark.parametrize(("spoil", "check", "message"), BROKEN.values(), ids=BROKEN)
def test_a_fault_is_found_where_it_is(small: Path, spoil: Break, check: str, message: str) -> None:
    held = records(small)
    spoil(held)
    found = faults(write(small, held), unsupported=1)
    assert check in found
    assert any(message in fault for fault in found[check]), found[check]


def test_a_sentence_that_no_named_passage_supports_is_found(small: Path) -> None:
    held = records(small)
    made_up = "Honey was first landed on Jupiter by 47 Portuguese accountants."
    held[QUESTIONS][0]["answer"] = " ".join(held[QUESTIONS][0]["answer"].split(". ")[:2]) + ". " + "Bees make honey. " + made_up
    found = faults(write(small, held), unsupported=0)
    assert f"questions.jsonl, line 1: honey-q1: {made_up}" in found["answer sentences supported"]


def test_a_named_passage_that_supports_nothing_is_found(small: Path) -> None:
    held = records(small)
    held[QUESTIONS][0]["passage_ids"] = ["honey-1", "tides-1"]
    found = faults(write(small, held), unsupported=0)
    assert "questions.jsonl, line 1: honey-q1: tides-1" in found["named passages used"]


@pytest.mark.parametrize("unsupported", [-0.1, 1.1, math.nan])
def test_a_share_is_between_0_and_1(small: Path, unsupported: float) -> None:
    with pytest.raises(ValueError, match="a share is between 0 and 1"):
        check_corpus(read_corpus(small), attribute, unsupported)


@pytest.mark.parametrize(
    ("page", "message"),
    [
        ("[the rows](rows.jsonl)", "the link leads to rows.jsonl, which is not there"),
        ("![plot](images/plot.png)", "the link leads to images/plot.png"),
        ("see https:///nowhere for more", "the address https:///nowhere has no host"),
        ("[a](http://exa mple)", "the address http://exa has no host"),
        ("[a](http://[::1)", "the address http://[::1 is broken"),
        ("[a](file:///etc/hosts)", "the link file:///etc/hosts is neither a file nor a web address"),
        ("# Licence\n[a](#limits)", "the link leads to #limits, which is no heading here"),
    ],
)
def test_a_link_on_a_page_that_leads_nowhere_is_found(small: Path, page: str, message: str) -> None:
    (small / "README.md").write_text(page, encoding="utf-8")
    found = faults(small)
    assert list(found) == ["links"]
    assert found["links"][0].startswith(f"README.md: {message}")


def test_links_that_lead_somewhere_are_fine(small: Path) -> None:
    page = "# The limits, and more\n[a](passages.jsonl) [b](<../small/questions.jsonl>) [c](#the-limits-and-more) <https://example.org/a?b=c#d>."
    (small / "README.md").write_text(page, encoding="utf-8")
    assert faults(small) == {}
    assert links(page) == ["passages.jsonl", "../small/questions.jsonl", "#the-limits-and-more", "https://example.org/a?b=c#d"]


# near-duplicates, against comparing all pairs


def similarity_of_all_pairs(texts: list[str], size: int) -> dict[tuple[int, int], float]:
    held = [shingles(text, size) for text in texts]
    weight = {s: math.log((len(texts) + 1) / sum(s in other for other in held)) for s in set().union(*held)}
    similarity = {}
    for first, second in itertools.combinations(range(len(texts)), 2):
        if either := held[first] | held[second]:
            both = held[first] & held[second]
            similarity[first, second] = sum(weight[s] for s in both) / sum(weight[s] for s in either)
    return similarity


few_words = st.lists(st.sampled_from(["why", "do", "cats", "Cats", "purr", "the", "tides", "don’t", "3"]), max_size=8).map(" ".join)


@given(st.lists(few_words, min_size=1, max_size=12), st.integers(1, 3), st.sampled_from([0.05, 0.3, 0.5, 0.65, 0.9, 1.0]))
def test_near_pairs_are_those_found_by_comparing_all(texts: list[str], size: int, at_least: float) -> None:
    expected = similarity_of_all_pairs(texts, size)
    found = {(first, second): similarity for first, second, similarity in near_pairs(texts, size, at_least)}
    for pair, similarity in expected.items():
        if abs(similarity - at_least) > 1e-9:
            assert (pair in found) == (similarity > at_least)
    assert all(found[pair] == pytest.approx(expected[pair]) for pair in found)


def test_common_words_count_for_little() -> None:
    filler = [f"what is the difference between {a} and {b}" for a, b in itertools.pairwise("abcdefghijklmnop")]
    texts = [*filler, "what is the difference between quartz and pyrite", "what is the difference between basalt and granite"]
    assert near_pairs(texts, 1, 0.65) == []
    assert [pair[:2] for pair in near_pairs([*texts, "is there a difference between pyrite and quartz"], 1, 0.3)][:1] == [(15, 17)]


@pytest.mark.parametrize(("size", "at_least"), [(0, 0.5), (1, 0.0), (1, 1.5)])
def test_near_pairs_need_a_size_and_a_similarity(size: int, at_least: float) -> None:
    with pytest.raises(ValueError, match="at least one word"):
        near_pairs(["a"], size, at_least)


# the command


def invoke(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["corpus", "check", *map(str, arguments)])


def test_the_command_reports_and_passes(small: Path) -> None:
    result = invoke(small, "--unsupported", 0.5)
    assert result.exit_code == 0, result.output
    counts = read_corpus(small)
    assert f"3 topics, {len(counts.passages)} passages" in result.output
    assert "ok" in result.output and "FAIL" not in result.output


def test_the_command_says_what_is_wrong_and_exits_with_1(small: Path) -> None:
    held = records(small)
    for row in held[PASSAGES][:3]:
        row["passage_text"] = "Too short."
    write(small, held)
    result = invoke(small, "--unsupported", 1, "--show", 2)
    assert result.exit_code == 1
    assert "FAIL passage length" in result.output
    assert "passages.jsonl, line 2: honey-2 has 2 words" in result.output
    assert "honey-3 has" not in result.output and "and 1 more" in result.output
    found = json.loads(invoke(small, "--unsupported", 1, "--json").output)
    assert found["passed"] is False
    assert found["counts"]["questions"]["all"] == len(held[QUESTIONS])
    assert found["checks"]["ids"] == {"passed": True, "looked_at": found["checks"]["ids"]["looked_at"], "allowed": 0, "faults": []}
    assert len(found["checks"]["passage length"]["faults"]) == 3


@pytest.mark.parametrize("name", [PASSAGES, QUESTIONS])
def test_a_missing_file_is_named(small: Path, name: str) -> None:
    (small / name).unlink()
    result = invoke(small)
    assert result.exit_code == 2
    assert f"{small / name} is missing" in result.stderr


def test_a_missing_folder_is_named(small: Path) -> None:
    for path in (small / "nowhere", small / PASSAGES):
        result = invoke(path)
        assert result.exit_code == 2
        assert f"{path} is no folder" in result.stderr


@pytest.mark.parametrize("name", [PASSAGES, QUESTIONS, UNANSWERABLE])
def test_a_file_that_is_cut_off_is_named_with_its_line(small: Path, name: str) -> None:
    path = small / name
    whole = path.read_bytes()
    path.write_bytes(whole[:-30])
    result = invoke(small)
    assert result.exit_code == 2
    last = len(whole.splitlines())
    assert f"{path}, line {last}: not JSON" in result.stderr


@pytest.mark.parametrize("name", [PASSAGES, QUESTIONS, UNANSWERABLE])
def test_a_binary_file_is_named_with_its_line(small: Path, name: str) -> None:
    path = small / name
    path.write_bytes(b"\x89PNG\r\n\x1a\n\x00\x00\xff\xfe")
    result = invoke(small)
    assert result.exit_code == 2
    assert f"{path} is not UTF-8 text (after line 0)" in result.stderr


@pytest.mark.parametrize("name", [PASSAGES, QUESTIONS, UNANSWERABLE])
def test_an_empty_file_is_named(small: Path, name: str) -> None:
    (small / name).write_text("\n\n", encoding="utf-8")
    result = invoke(small)
    assert result.exit_code == 2
    assert f"{small / name} holds no records" in result.stderr


def test_a_line_that_is_no_object_is_named(small: Path) -> None:
    with (small / QUESTIONS).open("a", encoding="utf-8") as lines:
        lines.write("[1, 2]\n")
    count = len((small / QUESTIONS).read_text(encoding="utf-8").splitlines())
    result = invoke(small)
    assert result.exit_code == 2
    assert f"{small / QUESTIONS}, line {count}: a record is a JSON object, not list" in result.stderr


def test_a_page_that_is_no_text_is_named(small: Path) -> None:
    (small / "README.md").write_bytes(b"\xff\xfe\x00")
    result = invoke(small)
    assert result.exit_code == 2
    assert f"{small / 'README.md'} is not UTF-8 text" in result.stderr
