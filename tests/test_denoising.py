"""Denoising and copying examples, by properties."""

from __future__ import annotations

import random
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lfqa.generation.prompt import RANK_MARKS
from lfqa.sentences import split_sentences
from lfqa.training.denoising import MASK, aligned_example, cloze_question, mask_spans, selected_example
from tests.training_helpers import SUBJECTS, prose

PASSAGES = [
    {"title": s.title() if n % 2 else "", "section": "Use" if n % 3 else "", "text": prose(s, 6, n)} for n, s in enumerate(SUBJECTS)
]
seeds = st.integers(0, 10_000)
words = st.lists(st.text("abcdef.,", min_size=1, max_size=5), max_size=60)


@given(words, seeds, st.floats(0, 1), st.integers(1, 5))
def test_what_masks_leave_is_in_order_and_every_gap_has_a_mask(given_words: list[str], seed: int, share: float, longest: int) -> None:
    masked = mask_spans(" ".join(given_words), random.Random(seed), share, longest).split()
    kept = [word for word in masked if word != MASK]
    rest = iter(given_words)
    assert all(word in rest for word in kept)
    missing = len(given_words) - len(kept)
    masks = masked.count(MASK)
    assert masks <= missing <= masks * longest
    # the words between two masks stand together in the original
    text = f" {' '.join(given_words)} "
    assert all(f" {run.strip()} " in text for run in " ".join(masked).split(MASK) if run.strip())


def test_no_share_masks_nothing_and_a_whole_share_everything() -> None:
    text = prose("tide")
    assert mask_spans(text, random.Random(0), 0.0) == text
    assert set(mask_spans(text, random.Random(0), 1.0).split()) == {MASK}


@given(seeds, st.integers(1, 120))
def test_an_aligned_window_is_cut_from_the_passage(seed: int, length: int) -> None:
    passage = PASSAGES[seed % len(PASSAGES)]
    source, target = aligned_example(passage, random.Random(seed), length)
    assert target in passage["text"]
    assert len(target.split()) == min(length, len(passage["text"].split()))
    assert set(source.split()) <= {MASK, *target.split()}


@given(seeds)
def test_a_cloze_question_has_words_of_the_sentences_and_perhaps_the_title(seed: int) -> None:
    sentences = split_sentences(PASSAGES[1]["text"])[:2]
    question = cloze_question(sentences, "Lake Baikal", random.Random(seed))
    asked = re.sub("lake baikal", "", question, flags=re.IGNORECASE).split()
    assert 2 <= len(asked) <= 6
    assert {word.lower() for word in asked} <= {word.lower() for word in re.findall(r"\w{4,}", " ".join(sentences))}
    assert cloze_question(["a b c."], "", random.Random(seed)) == ""


@given(seeds, st.integers(1, 4), st.integers(20, 160), st.integers(10, 80))
def test_selected_targets_are_sentences_that_the_context_holds(seed: int, count: int, source_words: int, target_words: int) -> None:
    rng = random.Random(seed)
    passages = rng.sample(PASSAGES, count)
    source, target = selected_example(passages, rng, source_words=source_words, target_words=target_words)
    sentences = {s: p for p in passages for s in split_sentences(p["text"])}
    found = [mark for mark in RANK_MARKS if mark in source]
    source = re.sub(r"<[1-4]> ", "", source)
    said = split_sentences(target)
    assert said
    assert len(set(said)) == len(said)
    assert all(sentence in sentences and sentence in source for sentence in said)
    assert len({sentences[s]["text"] for s in said}) <= 2
    assert len(target.split()) <= max(target_words, len(said[0].split()))
    head, context = source.split(" context: ")
    assert head.startswith("question: ")
    body = 0
    for part in re.split(r"(?:^| )<P> ", context)[1:]:
        owner = next(p for p in passages if any(s in part for s in split_sentences(p["text"])))
        title = ". ".join(x for x in (owner["title"], owner["section"]) if x)
        text = part.removeprefix(f"{title}: ") if title else part
        assert title == "" or part.startswith(f"{title}: ")
        kept = split_sentences(text)
        positions = [split_sentences(owner["text"]).index(s) for s in kept]
        assert positions == sorted(set(positions)), "a passage's sentences keep their order"
        body += len(text.split())
    assert body <= max(source_words, len(target.split()))
    assert len(found) == min(len(RANK_MARKS), sum(sentence in source for sentence in sentences))


def test_the_ranks_favour_what_is_asked_for_but_not_always() -> None:
    first = []
    for seed in range(200):
        source, target = selected_example(PASSAGES[:3], random.Random(seed))
        marked = re.search(r"<1> (.*?)(?= <[1-4P]>|$)", source)
        assert marked
        first.append(marked[1].split(". ")[0].rstrip(".") in target)
    assert 0.5 < sum(first) / len(first) < 0.97


def test_the_same_seed_gives_the_same_example() -> None:
    assert selected_example(PASSAGES[:3], random.Random(5)) == selected_example(PASSAGES[:3], random.Random(5))


@pytest.mark.parametrize("length", [1, 2])
def test_short_passages_do(length: int) -> None:
    passage = {"title": "", "section": "", "text": " ".join(["word"] * length) + "."}
    for seed in range(20):
        source, target = selected_example([passage], random.Random(seed))
        assert target == passage["text"]
        assert source.endswith(f"<P> <1> {target}")
