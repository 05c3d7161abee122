"""Fit the coefficients of `lfqa.evidence`: ``python -m lfqa.training.support`` prints them.

From made near misses of the corpus' articles that tests/data/support_pairs.jsonl does not use, the answers and passages they were made
from, and the tuning half of those pairs. The pairs' articles are left out of the made ones, so that the testing half stays unseen.
"""

from __future__ import annotations

import argparse
import random
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lfqa.corpus.lines import read_objects
from lfqa.corpus.store import read_passages
from lfqa.evaluation.support import Pair, read_pairs
from lfqa.evidence import Span, Statement, spans
from lfqa.sentences import split_sentences
from lfqa.settings import ASSETS
from lfqa.training import near_misses as made
from lfqa.types import Passage
from lfqa.wording import content, coverage, words

_TUNING_WEIGHT = 2.0  # of a labelled pair, against 1 of a made one
_LESS_SURE = {"cut": 0.3, "emptied": 0.3, "spliced": 0.5, "stuttered": 0.5}  # made so, some still say what the passage says
_TRIED = 6  # spans of a passage
_HELD = 0.6  # share of an answer sentence's words from which a passage is taken to say it


def make_pairs(passages: Sequence[Passage], questions: Sequence[dict[str, object]], seed: int = 0) -> list[Pair]:
    """Return pairs made from answers and the passages that they name; see `lfqa.training.near_misses`."""
    rng = random.Random(seed)
    by_id = {passage.passage_id: passage for passage in passages}
    by_title: dict[str, list[Passage]] = defaultdict(list)
    for passage in passages:
        by_title[passage.article_title].append(passage)
    pairs: list[Pair] = []

    def add(text: str | None, passage: Passage, kind: str, supported: bool = False) -> None:
        if text is not None:
            pairs.append(Pair(text, passage, supported, kind, "made"))

    for question in questions:
        names = question["passage_ids"]
        named = [by_id[name] for name in names if name in by_id] if isinstance(names, list) else []
        if question["split"] == "test" or not named:
            continue
        anywhere = made.word_pool(split_sentences(rng.choice(passages).passage_text))
        for sentence in split_sentences(str(question["answer"])):
            told = content(sentence)
            held, passage = max(((coverage(told, content(p.passage_text)), p) for p in named), key=lambda item: item[0])
            if held < _HELD or len(words(sentence)) < 6:
                continue  # written from several passages, none of which says it all
            add(sentence, passage, "answer", True)
            others = [other for other in by_title[passage.article_title] if other is not passage]
            pools = [made.word_pool(split_sentences(p.passage_text)) for p in (passage, rng.choice(others or [passage]))]
            for maker in made.WRONG_FACTS:
                if rng.random() < 0.35:
                    add(maker(sentence, rng.choice(pools), rng), passage, maker.__name__)
            if others and rng.random() < 0.15:
                add(sentence, rng.choice(others), "other_passage")
        passage = rng.choice(named)
        said = split_sentences(passage.passage_text)
        near = made.word_pool(said)
        if rng.random() < 0.5:
            add(rng.choice(said), passage, "copy", True)
        for maker in made.WRONG_FACTS:
            if rng.random() < 0.6:
                add(maker(rng.choice(said), near, rng), passage, maker.__name__)
        for maker in made.BROKEN:
            if rng.random() < 0.7:
                add(maker(rng.choice(said), near, rng), passage, maker.__name__)
        add(made.garbled(rng.choice(said), anywhere, rng), passage, "garbled")
        if len(said) > 1:
            one, other = rng.sample(said, 2)
            add(made.spliced(one, other, rng), passage, "spliced")
    return pairs


def candidates(pair: Pair) -> NDArray[np.float64]:
    """Return the features of the spans that can bear the sentence out, shape (spans, features); none where it lacks too much."""
    claim = Statement(words(pair.sentence))
    found: list[Span] = sorted(spans(pair.passage), key=lambda span: (-span.evidence.recall(claim), span.end - span.start))
    kept = [span.evidence.features(claim) for span in found[:_TRIED] if len(claim.told) > 1 and span.evidence.holds_enough(claim)]
    return np.array([list(features.values()) for features in kept])


def feature_names() -> list[str]:
    """Return the names of the features, in order."""
    return list(next(spans(Passage("", "", "", "A sentence."))).evidence.features(Statement(words("A sentence."))))


def fit(tables: Sequence[NDArray[np.float64]], supported: Sequence[bool], weights: Sequence[float]) -> tuple[NDArray[np.float64], float]:
    """Return coefficients and intercept of a logistic regression, each pair by the span that it scores best.

    Which span that is depends on the coefficients, so both are found in turns.
    """
    from sklearn.linear_model import LogisticRegression

    chosen = np.array([table[0] for table in tables])
    for _ in range(6):
        scale = chosen.std(axis=0) + 1e-6
        model = LogisticRegression(C=0.5, max_iter=2000).fit(chosen / scale, supported, sample_weight=weights)
        coefficients, intercept = model.coef_[0] / scale, float(model.intercept_[0])
        chosen = np.array([table[np.argmax(table @ coefficients)] for table in tables])
    return coefficients, intercept


def scores(tables: Sequence[NDArray[np.float64]], coefficients: NDArray[np.float64], intercept: float) -> NDArray[np.float64]:
    """Return each pair's log-odds; minus infinity where no span holds enough."""
    return np.array([(table @ coefficients).max() + intercept if len(table) else -np.inf for table in tables])


def precision_at(found: NDArray[np.float64], supported: NDArray[np.bool_], recall: float) -> float:
    """Return the precision at the highest threshold that reaches `recall`."""
    threshold = np.sort(found[supported])[int(np.floor((1 - recall) * supported.sum()))]
    return float(supported[found >= threshold].mean())


def folds(pairs: Sequence[Pair], count: int = 8) -> Iterator[tuple[list[int], list[int]]]:
    """Yield positions to fit on and to score, all pairs of an article on one side."""
    titles = sorted({pair.passage.article_title for pair in pairs})
    for fold in range(count):
        held = set(titles[fold::count])
        inside = [pair.passage.article_title in held for pair in pairs]
        yield [i for i, out in enumerate(inside) if not out], [i for i, out in enumerate(inside) if out]


def main() -> None:
    """Fit, print what the tuning pairs say about it by cross-validation, and print the coefficients."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=Path, default=ASSETS.parent / "tests" / "data" / "support_pairs.jsonl")
    parser.add_argument("--corpus", type=Path, default=ASSETS / "corpus")
    parser.add_argument("--recall", type=float, default=0.745, help="Of the tuning pairs, unparted: puts the threshold there.")
    options = parser.parse_args()
    labelled = read_pairs(options.pairs)
    titles = {pair.passage.article_title for pair in labelled}
    tuning = [pair for pair in labelled if pair.part == "tune"]
    passages = [passage for passage in read_passages(options.corpus / "passages.jsonl") if passage.article_title not in titles]
    questions = [record for _, record in read_objects(options.corpus / "questions.jsonl")]
    made_pairs = make_pairs(passages, questions)

    within = [(table, pair) for pair, table in zip(made_pairs, map(candidates, made_pairs), strict=True) if len(table)]
    tables = [candidates(pair) for pair in tuning]
    labels = np.array([pair.supported for pair in tuning])

    def fit_with(chosen: Sequence[int]) -> tuple[NDArray[np.float64], float]:
        more = [i for i in chosen if len(tables[i])]
        return fit(
            [*(table for table, _ in within), *(tables[i] for i in more)],
            [*(pair.supported for _, pair in within), *(bool(labels[i]) for i in more)],
            [*(_LESS_SURE.get(pair.kind, 1.0) for _, pair in within), *(_TUNING_WEIGHT for _ in more)],
        )

    held_out = np.full(len(tuning), -np.inf)
    for inside, outside in folds(tuning):
        held_out[outside] = scores([tables[i] for i in outside], *fit_with(inside))
    print(f"# {len(made_pairs)} made pairs ({len(within)} within reach), {len(tuning)} tuning pairs")  # noqa: T201
    for wanted in (0.6, 0.7, 0.75, 0.8, 0.85):
        print(f"# cross-validated on the tuning pairs: precision {precision_at(held_out, labels, wanted):.3f} at recall {wanted}")  # noqa: T201
    coefficients, intercept = fit_with(range(len(tuning)))
    order = np.argsort(-held_out)
    precisions = np.cumsum(labels[order]) / np.arange(1, len(order) + 1)
    last = int(np.nonzero(np.cumsum(labels[order]) >= options.recall * labels.sum())[0].min())
    shift = float(held_out[order[last]])
    found = labels[order][: last + 1].sum() / labels.sum()
    print(f"# threshold at log-odds {shift:.3f}, where precision is {precisions[last]:.3f} and recall {found:.3f}")  # noqa: T201
    print("COEFFICIENTS = {")  # noqa: T201
    for name, value in zip(feature_names(), coefficients, strict=True):
        print(f'    "{name}": {value:.2f},')  # noqa: T201
    print(f"}}\nINTERCEPT = {intercept - shift:.2f}  # so that the default threshold is 0.5")  # noqa: T201


if __name__ == "__main__":
    main()
