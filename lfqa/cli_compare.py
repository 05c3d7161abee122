"""``lfqa compare``: dense, BM25 and hybrid retrieval beside each other."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lfqa.cli_common import (
    ArticleOption,
    EngineOption,
    FusionOption,
    IndexOption,
    JsonOption,
    KOption,
    ProfileOption,
    SectionOption,
    SourceOption,
    UrlOption,
    WeightOption,
    clear_errors,
    load_pipeline,
)
from lfqa.settings import Settings

if TYPE_CHECKING:
    from lfqa.types import Hit

_NAMES = {"dense": "dense", "sparse": "BM25", "hybrid": "hybrid"}


def compare(
    question: Annotated[str, typer.Argument(help="The question.")],
    k: KOption = None,
    fusion: FusionOption = None,
    weight: WeightOption = None,
    article: ArticleOption = None,
    section: SectionOption = None,
    source: SourceOption = None,
    index: IndexOption = None,
    engine: EngineOption = None,
    url: UrlOption = None,
    profile: ProfileOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show what dense, BM25 and hybrid retrieval find for QUESTION, beside each other.

    With it: how far hybrid moved a passage (up or down from its place in the dense and in the BM25 list), how many passages the lists
    share, and what each term of the question adds to a passage's BM25 score.
    """
    with clear_errors():
        from lfqa.question import check_question
        from lfqa.retrieval.comparing import overlaps, shifts

        check_question(question, Settings().max_question_characters)
        pipeline = load_pipeline(
            k=k, index=index, engine=engine, elasticsearch_url=url, profile=profile, generator="extract", fusion=fusion, weight=weight,
            articles=article, sections=section, sources=source,
        )  # fmt: skip
        found = {name: pipeline.retrieve(question, pipeline.settings.with_options(retriever=name)) for name in _NAMES}
        different = list({hit.passage.passage_id: hit for hits in found.values() for hit in hits}.values())
        added = pipeline.term_scores(question, different)
        terms = {hit.passage.passage_id: scores for hit, scores in zip(different, added, strict=True)}
        moved = shifts(found["hybrid"])
        if as_json:
            typer.echo(_json(question, found, moved, overlaps(found), terms))
        else:
            _print(question, found, moved, overlaps(found), terms)


def _json(
    question: str,
    found: Mapping[str, Sequence[Hit]],
    moved: Sequence[Mapping[str, int | None]],
    shared: Mapping[str, int],
    terms: Mapping[str, Mapping[str, float]],
) -> str:
    from lfqa.types import Source, source_as_dict

    lists: dict[str, Any] = {name: [source_as_dict(Source(hit)) for hit in hits] for name, hits in found.items()}
    rounded = {name: {term: round(score, 4) for term, score in scores.items()} for name, scores in terms.items()}
    whole = {"question": question, **lists, "shifts": moved, "overlap": shared, "terms": rounded}
    return json.dumps(whole, ensure_ascii=False, indent=2)


def _print(
    question: str,
    found: Mapping[str, Sequence[Hit]],
    moved: Sequence[Mapping[str, int | None]],
    shared: Mapping[str, int],
    terms: Mapping[str, Mapping[str, float]],
) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    ids = [{hit.passage.passage_id for hit in hits} for hits in found.values()]
    table = Table("rank", *_NAMES.values(), title=Text(question), show_lines=True)
    for rank in range(max(len(hits) for hits in found.values())):
        cells = []
        for name, hits in found.items():
            said = Text()
            if rank < len(hits):
                hit = hits[rank]
                said.append(_title(hit))
                if all(hit.passage.passage_id in each for each in ids):
                    said.append(" ●")
                if name == "hybrid":
                    said.append("\n" + _moves(moved[rank]), style="dim")
            cells.append(said)
        table.add_row(str(rank + 1), *cells)
    console = Console()
    console.print(table)
    console.print("● found by all three; ▲▼ places up or down from a list, – not in its first 50", style="dim", highlight=False)
    shares = ", ".join(f"{' and '.join(_NAMES[part] for part in pair.split('+'))} {count}" for pair, count in shared.items())
    console.print(f"shared passages: {shares}", highlight=False)
    if terms:
        console.print("\nBM25, by term:", highlight=False)
    for hit in found["hybrid"]:
        scores = terms.get(hit.passage.passage_id, {})
        added = ", ".join(f"{term} {score:.2f}" for term, score in sorted(scores.items(), key=lambda each: -each[1])) or "nothing"
        if terms:
            console.print(Text(f"{hit.rank}  {_title(hit)}: {added} = {sum(scores.values()):.2f}"))


def _title(hit: Hit) -> str:
    return " – ".join(part for part in (hit.passage.article_title, hit.passage.section_title) if part)


def _moves(shift: Mapping[str, int | None]) -> str:
    signs = []
    for name, places in shift.items():
        said = "–" if places is None else "=" if places == 0 else f"{'▲' if places > 0 else '▼'}{abs(places)}"
        signs.append(f"{_NAMES[name]} {said}")
    return ", ".join(signs)
