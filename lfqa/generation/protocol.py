"""What every generator can do."""

from __future__ import annotations

from collections.abc import Generator as Generates
from dataclasses import dataclass
from typing import Literal, Protocol


@dataclass(frozen=True)
class Decoding:
    """How an answer is written; lengths in tokens.

    Attributes
    ----------
    method
        ``greedy`` and ``sample`` stream; ``beam`` yields its answer in one piece.
    no_repeat_ngram
        Length of token runs that do not come twice; 0 for no such rule.
    """

    method: Literal["greedy", "beam", "sample"] = "greedy"
    beams: int = 4
    temperature: float = 0.8
    top_p: float = 0.9
    seed: int = 0
    shortest: int = 24
    longest: int = 128
    no_repeat_ngram: int = 0


class Generator(Protocol):
    """A sequence-to-sequence model behind text in, text out.

    Attributes
    ----------
    rank_marks
        What it expects before the sentences closest to the question; empty for a checkpoint that was trained without.
    """

    rank_marks: tuple[str, ...]

    def count(self, text: str) -> int:
        """Return how many tokens `text` takes."""

    def stream(self, prompt: str, decoding: Decoding, opening: str = "") -> Generates[str, None, None]:
        """Yield the answer to `prompt` piece by piece, `opening` first, which it goes on from; closing the iterator stops the work."""
