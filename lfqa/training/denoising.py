"""Denoising and grounded copying: what teaches the generator to take words over from its input (Lewis et al. 2020).

Two kinds of examples are made from running passages. *Aligned*: a window of text with a few spans masked, to be restored.
*Selected*: several passages, and for a question a few words of some sentences among them; those sentences are the target. The
second has the shape of question answering, so the copying learned there is the copying needed later.
"""

from __future__ import annotations

import random
import re
from collections.abc import Sequence

from lfqa.generation.prompt import PASSAGE_MARK, RANK_MARKS
from lfqa.sentences import split_sentences

MASK = "<mask>"
_RANK_NOISE = 0.6
_WORD = re.compile(r"[^\W\d_]{4,}")


def mask_spans(text: str, rng: random.Random, share: float = 0.06, longest: int = 3) -> str:
    """Return `text` with spans of 1 to `longest` words replaced by one mask each; a span starts at `share` of the words."""
    words, out, number = text.split(), [], 0
    while number < len(words):
        if rng.random() < share:
            number += rng.randint(1, longest)
            out.append(MASK)
        else:
            out.append(words[number])
            number += 1
    return " ".join(out)


def aligned_example(passage: dict[str, str], rng: random.Random, words: int = 64) -> tuple[str, str]:
    """Return a masked window of about `words` words of the passage, and the window."""
    tokens = passage["text"].split()
    start = rng.randrange(max(1, len(tokens) - words + 1))
    window = " ".join(tokens[start : start + words])
    return mask_spans(window, rng), window


def cloze_question(sentences: Sequence[str], title: str, rng: random.Random) -> str:
    """Return a few words of `sentences`, the rarer-looking (longer) ones more often, sometimes with the title."""
    words = list(dict.fromkeys(word for sentence in sentences for word in _WORD.findall(sentence)))
    count = min(len(words), rng.randint(2, 6))
    chosen = sorted(words, key=lambda word: rng.random() ** (1 / len(word)), reverse=True)[:count]
    rng.shuffle(chosen)
    if title and rng.random() < 0.6:
        chosen.insert(rng.randint(0, len(chosen)), title)
    return " ".join(chosen).lower() if rng.random() < 0.5 else " ".join(chosen)


def selected_example(
    passages: Sequence[dict[str, str]], rng: random.Random, *, source_words: int = 140, target_words: int = 60
) -> tuple[str, str]:
    """Return a cloze question with sentences of `passages` as context, and the sentences that it asks for.

    One or two of the passages are asked for; the others are distractors. The context keeps each passage's sentences in order,
    and about `source_words` words in all; the ranks marked in it favour what is asked for, as a scorer of sentences would, with noise.
    """
    split = [split_sentences(passage["text"]) for passage in passages]
    asked = rng.sample(range(len(passages)), 1 if rng.random() < 0.6 or len(passages) < 2 else 2)
    target: list[str] = []
    kept: dict[int, set[int]] = {number: set() for number in range(len(passages))}
    used = 0
    for number in asked:
        start = rng.randrange(len(split[number]))
        for index in range(start, min(start + rng.randint(1, 3), len(split[number]))):
            length = len(split[number][index].split())
            if target and used + length > target_words:
                break
            target.append(split[number][index])
            kept[number].add(index)
            used += length
    others = [(n, i) for n, sentences in enumerate(split) for i in range(len(sentences)) if i not in kept[n]]
    rng.shuffle(others)
    for number, index in others:
        length = len(split[number][index].split())
        if used + length <= source_words:
            kept[number].add(index)
            used += length
    asked_for = {(n, i) for n in asked for i in kept[n] if split[n][i] in target}
    ranked = sorted(
        ((n, i) for n in kept for i in kept[n]), key=lambda place: ((place in asked_for) + rng.gauss(0, _RANK_NOISE), place), reverse=True
    )
    marks = dict(zip(ranked, RANK_MARKS, strict=False))
    parts = []
    order = list(range(len(passages)))
    rng.shuffle(order)
    for number in order:
        if kept[number]:
            head = ". ".join(x for x in (passages[number]["title"], passages[number]["section"]) if x)
            body = " ".join(f"{marks.get((number, index), '')} {split[number][index]}".strip() for index in sorted(kept[number]))
            parts.append(f"{PASSAGE_MARK} {head}: {body}" if head else f"{PASSAGE_MARK} {body}")
    question = cloze_question(target, passages[asked[0]]["title"], rng)
    return f"question: {question} context: {' '.join(parts)}", " ".join(target)
