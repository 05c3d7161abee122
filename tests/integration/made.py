"""Made-up passages, and an encoder that is quick and counts what it does."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

import numpy as np

from lfqa.indexing.elastic import add_documents
from lfqa.retrieval.elastic import ElasticIndex
from lfqa.retrieval.elastic_client import Connection
from lfqa.retrieval.elastic_index import ElasticManifest, Origin
from lfqa.types import Passage

MODEL = "0123456789abcdef"
DIMENSION = 16
_WORDS = (
    "apple river tide moon castle bread copper engine forest glacier harbour insect journal kettle ladder marble needle orchard pepper "
    "quarry ribbon saddle timber umbrella valley window yeast zebra cloud winter summer music market island bridge candle desert"
).split()


def made_up(count: int, seed: int = 0, prefix: str = "p") -> list[Passage]:
    """Return `count` passages of about 40 words in 20 articles of 4 sections."""
    chance = random.Random(seed)
    passages = []
    for number in range(count):
        words = " ".join(chance.choices(_WORDS, k=40))
        article = _WORDS[number % 20].capitalize()
        passages.append(
            Passage(
                f"{prefix}-{number}", f"{article} Story", f"Part {number % 4}", f"{words}.", f"{article}.md", number % 9 + 1, 0, len(words)
            )
        )
    return passages


class Dice:
    """An encoder whose vectors are drawn by the text, of any sign; remembers what it embedded."""

    dimension = DIMENSION

    def __init__(self, each: Callable[[], object] = lambda: None) -> None:
        self.embedded: list[str] = []
        self._each = each

    def passages(self, passages: Sequence[Passage]) -> np.ndarray:
        self._each()
        self.embedded += [passage.passage_id for passage in passages]
        return self.texts([passage.passage_text for passage in passages])

    def texts(self, texts: Sequence[str]) -> np.ndarray:
        drawn = [np.random.default_rng(list(text.encode())).normal(scale=3.0, size=DIMENSION) for text in texts]
        return np.array(drawn, dtype=np.float32).reshape(len(texts), DIMENSION)


def whole(passages: Iterable[Passage], root: str = "/somewhere") -> list[tuple[Origin, list[Passage]]]:
    """Return `passages` as documents that `root` brought in, each from the file that it names."""
    return [(Origin.of(root, passage.source), [passage]) for passage in passages]


def build(
    connection: Connection,
    name: str,
    passages: Iterable[Passage],
    encoder: Dice | None = None,
    root: str = "/somewhere",
    model: str = MODEL,
) -> ElasticManifest:
    """Make `passages` all that `root` holds of the index `name`."""
    return add_documents(connection, name, whole(passages, root), [root], encoder or Dice(), model)


def opened(connection: Connection, name: str, model: str = MODEL) -> ElasticIndex:
    return ElasticIndex(connection, name, model)


def everything(index: ElasticIndex) -> dict[str, tuple[Passage, float]]:
    """Return all passages of a small index with their inner products with a fixed vector, by id."""
    asked = index.asked()
    hits = asked.dense.search(PROBE, 2000)
    return {row: (asked.passages[row], score) for row, score in hits}


PROBE = np.linspace(-1, 1, DIMENSION, dtype=np.float32)


def changed(passage: Passage, text: str) -> Passage:
    return replace(passage, passage_text=text)
