"""Which texts of a list are nearly the same: a weighted Jaccard similarity of their shingles, exact, without comparing all pairs."""

from __future__ import annotations

import math
import re
from collections import Counter, defaultdict
from collections.abc import Sequence

Shingle = tuple[str, ...]

_WORD = re.compile(r"\w+(?:['’]\w+)*")


def shingles(text: str, size: int) -> frozenset[Shingle]:
    """Return the runs of `size` consecutive words of `text`, lower-cased; the whole of a text that has fewer words."""
    words = [word.replace("’", "'") for word in _WORD.findall(text.lower())]
    return frozenset(tuple(words[start : start + size]) for start in range(max(1, len(words) - size + 1))) if words else frozenset()


def near_pairs(texts: Sequence[str], size: int, at_least: float) -> list[tuple[int, int, float]]:
    """Return the pairs of positions whose texts have a similarity of `at_least`, most similar first.

    The similarity is the weight of the shingles that both texts have over the weight of those that either has. A shingle weighs the
    more the fewer texts have it, so that "what is the difference between" counts for little. A pair that is similar enough must share
    one of the rare shingles that together weigh more than the rest allows; only texts that share such a one are compared (the prefix
    filter of Bayardo, Ma and Srikant 2007, "Scaling up all pairs similarity search"). Texts without words are similar to nothing.

    Raises
    ------
    ValueError
        When `size` is below 1 or `at_least` is not above 0 and at most 1.
    """
    if size < 1 or not 0 < at_least <= 1:
        raise ValueError(f"shingles have at least one word and a similarity is in (0, 1], not {size} and {at_least}")
    texts_shingles = [shingles(text, size) for text in texts]
    frequency = Counter(shingle for held in texts_shingles for shingle in held)
    weight = {shingle: math.log((len(texts) + 1) / count) for shingle, count in frequency.items()}
    holders: dict[Shingle, list[int]] = defaultdict(list)
    found = []
    for row, held in enumerate(texts_shingles):
        total = math.fsum(weight[shingle] for shingle in held)
        candidates: set[int] = set()
        left = total
        for shingle in sorted(held, key=lambda shingle: (-weight[shingle], shingle)):
            if left < at_least * total * (1 - 1e-9):
                break
            candidates.update(holders[shingle])
            holders[shingle].append(row)
            left -= weight[shingle]
        for other in candidates:
            both = math.fsum(weight[shingle] for shingle in held & texts_shingles[other])
            similarity = both / math.fsum(weight[shingle] for shingle in held | texts_shingles[other])
            if similarity >= at_least:
                found.append((other, row, similarity))
    return sorted(found, key=lambda pair: (-pair[2], pair[:2]))
