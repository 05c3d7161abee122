"""Ranked lists held against each other: what they share, and the same passage's place in each. Pure functions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations

from lfqa.types import Sentence, Source
from lfqa.ui.markup import marked
from lfqa.ui.render import RETRIEVERS, cited_spans, rank_html, reading_badge, title_html

ABOUT = {
    "dense": "Closest in meaning, by RetriBERT vectors",
    "sparse": "Most telling words in common",
    "hybrid": "Both lists, fused by rank",
}

Ranks = Mapping[str, Mapping[str, int]]
"""For each list, the rank of each passage id."""


def ranks_of(lists: Mapping[str, Sequence[Source]]) -> Ranks:
    """Return the ranks of every list's passages, from 1."""
    return {name: {source.hit.passage.passage_id: source.hit.rank for source in sources} for name, sources in lists.items()}


def shared(ranks: Ranks, *names: str) -> int:
    """Return how many passages all of the lists `names` hold."""
    held = [set(ranks[name]) for name in names]
    return len(set.intersection(*held)) if held else 0


def found_by(ranks: Ranks, passage_id: str) -> list[str]:
    """Return the names of the lists that hold a passage."""
    return [name for name, places in ranks.items() if passage_id in places]


def overlap_html(ranks: Ranks) -> str:
    """Return how many passages the lists share: all of them, and each two."""
    size = max((len(places) for places in ranks.values()), default=0)
    groups = [tuple(ranks), *combinations(ranks, 2)]
    items = []
    for group in groups:
        name = "In all three lists" if len(group) == len(ranks) else " and ".join(RETRIEVERS[one] for one in group)
        items.append(f"<div><dt>{name}</dt><dd><b>{shared(ranks, *group)}</b> of {size}</dd></div>")
    return f'<dl class="lfqa-overlap" aria-label="Passages that the lists share">{"".join(items)}</dl>'


def column_head_html(name: str) -> str:
    """Return the head of one retriever's column."""
    return f'<header class="lfqa-column"><h3>{RETRIEVERS[name]}</h3><p>{ABOUT[name]}</p></header>'


def column_html(name: str, sources: Sequence[Source], ranks: Ranks, sentences: Sequence[Sentence] = (), reading_known: bool = False) -> str:
    """Return one retriever's passages, folded, each with its rank in the other lists and how many lists found it.

    Parameters
    ----------
    reading_known
        Whether `sources` say what the writer read: not before the answer, nor of one that was extracted.
    """
    if not sources:
        return '<p class="lfqa-note">No passages were found.</p>'
    cited = cited_spans(sentences)
    items = []
    for source in sources:
        hit, passage_id = source.hit, source.hit.passage.passage_id
        badges = _shared_badge(len(found_by(ranks, passage_id)), len(ranks))
        if passage_id in cited:
            badges += '<span class="lfqa-badge lfqa-cited">cited</span>'
        if reading_known:
            badges += reading_badge(source, short=True)
        text = marked(hit.passage.passage_text, cited.get(passage_id, []), source.read if reading_known else None)
        items.append(
            f'<li class="lfqa-passage"><details><summary>{rank_html(hit)}'
            f'{title_html(hit)}</summary><p class="lfqa-text" dir="auto">{text}</p></details>'
            f'<p class="lfqa-badges">{badges}</p>{_elsewhere_html(name, passage_id, ranks)}</li>'
        )
    return f'<section class="lfqa-passages lfqa-compact" aria-label="Passages, {RETRIEVERS[name]}"><ol>{"".join(items)}</ol></section>'


def _shared_badge(count: int, lists: int) -> str:
    if count == lists:
        return '<span class="lfqa-badge lfqa-all">●●● in all three</span>'
    if count > 1:
        return '<span class="lfqa-badge lfqa-two">●●○ in two</span>'
    return '<span class="lfqa-badge lfqa-one">●○○ only here</span>'


def _elsewhere_html(name: str, passage_id: str, ranks: Ranks) -> str:
    places = []
    for other, held in ranks.items():
        if other != name:
            rank = held.get(passage_id)
            shown = f"#{rank}" if rank else '<span role="img" aria-label="not in this list">–</span>'
            places.append(f"<div><dt>{RETRIEVERS[other]}</dt><dd>{shown}</dd></div>")
    return f'<dl class="lfqa-scores" aria-label="Rank in the other lists">{"".join(places)}</dl>'
