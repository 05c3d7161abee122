"""Cutting running text into passages of about 100 words, at sentence ends."""

from __future__ import annotations

from lfqa.sentences import sentence_spans


def cut_passages(text: str, words: int = 100) -> list[tuple[int, int]]:
    """Cut `text` into passages of about `words` words and return their ``(start, end)`` characters.

    Cuts fall at sentence ends only, the passages come out about equally long, and a sentence longer than `words` is a passage
    of its own, uncut.

    Raises
    ------
    ValueError
        When `words` is not positive.
    """
    if words < 1:
        raise ValueError(f"words must be at least 1, not {words}")
    spans = sentence_spans(text)
    lengths = [len(text[start:end].split()) for start, end in spans]
    total = sum(lengths)
    if not total:
        return []
    target = total / max(1, round(total / words))
    passages: list[tuple[int, int]] = []
    first, held = 0, 0
    for number, length in enumerate(lengths):
        # closing before this sentence is better when that leaves the passage nearer to the target
        if held and abs(held - target) <= abs(held + length - target):
            passages.append((spans[first][0], spans[number - 1][1]))
            first, held = number, 0
        held += length
    passages.append((spans[first][0], spans[-1][1]))
    return passages
