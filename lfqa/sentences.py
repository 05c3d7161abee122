"""Sentence boundaries with character offsets, by `sentencex` (rule-based, offline)."""

from __future__ import annotations

import sentencex


def sentence_spans(text: str, language: str = "en") -> list[tuple[int, int]]:
    """Return the ``(start, end)`` characters of every sentence of `text`, without surrounding white space.

    The spans are in order, do not overlap, and hold every character of `text` that is not white space.
    """
    spans = []
    for boundary in sentencex.get_sentence_boundaries(language, text):
        start, end = boundary["start_index"], boundary["end_index"]
        piece = text[start:end]
        start += len(piece) - len(piece.lstrip())
        end -= len(piece) - len(piece.rstrip())
        if start < end:
            spans.append((start, end))
    return spans


def split_sentences(text: str, language: str = "en") -> list[str]:
    """Return the sentences of `text`, without surrounding white space."""
    return [text[start:end] for start, end in sentence_spans(text, language)]
