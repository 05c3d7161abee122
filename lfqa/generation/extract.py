"""The baseline without a model that writes: the sentences closest to the question, in the order of the passages."""

from __future__ import annotations

from collections.abc import Sequence

from lfqa.types import Passage

Spans = tuple[tuple[int, int], ...]


def extract_answer(
    passages: Sequence[Passage], scored: Sequence[Sequence[tuple[int, int, float]]], count: int = 3
) -> tuple[str, list[Spans]]:
    """Return the `count` sentences with the highest scores as one text, and their spans per passage.

    Raises
    ------
    ValueError
        When `count` is not positive.
    """
    if count < 1:
        raise ValueError(f"count must be at least 1, not {count}")
    ranked = sorted(
        ((score, number, start, end) for number, spans in enumerate(scored) for start, end, score in spans),
        key=lambda item: (-item[0], item[1], item[2]),
    )
    chosen: list[tuple[int, int, int]] = []
    said: set[str] = set()
    for _, number, start, end in ranked:
        text = passages[number].passage_text[start:end]
        if text not in said and len(chosen) < count:
            said.add(text)
            chosen.append((number, start, end))
    chosen.sort()
    answer = " ".join(passages[number].passage_text[start:end] for number, start, end in chosen)
    spans = [tuple((start, end) for n, start, end in chosen if n == number) for number in range(len(passages))]
    return answer, spans
