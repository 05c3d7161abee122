"""Fitting the coefficients of the decision on support, on a few pairs."""

from __future__ import annotations

import numpy as np
import pytest

from lfqa.evaluation.support import Pair
from lfqa.evidence import COEFFICIENTS
from lfqa.training.support import candidates, feature_names, fit, folds, make_pairs, precision_at, scores
from tests.helpers import passage

TEXT = (
    "Canaries were carried into British mines until 1986 to warn of gas. The birds collapse from carbon monoxide sooner than people do. "
    "Miners also feared methane, which explodes when it is mixed with air. Fine dust causes black lung disease in many old miners."
)
MINES = passage(1, TEXT, "Coal")
QUESTION = {"passage_ids": ["p-1"], "split": "train", "answer": "Canaries were carried into British mines to warn of gas until 1986."}


def test_made_pairs_hold_the_answer_and_slips_of_it() -> None:
    pairs = make_pairs([MINES], [QUESTION] * 30)
    assert {pair.supported for pair in pairs if pair.kind in ("answer", "copy")} == {True}
    assert {pair.supported for pair in pairs if pair.kind not in ("answer", "copy")} == {False}
    assert {"answer", "copy", "wrong_number", "denied", "swapped", "stuttered", "spliced"} <= {pair.kind for pair in pairs}
    assert make_pairs([MINES], [{**QUESTION, "split": "test"}]) == [], "test questions are never trained on"
    assert make_pairs([MINES], [QUESTION] * 3, seed=4) == make_pairs([MINES], [QUESTION] * 3, seed=4)


def test_the_built_in_coefficients_are_those_of_the_features() -> None:
    assert feature_names() == list(COEFFICIENTS)


def test_a_fit_tells_what_is_said_from_slips() -> None:
    pairs = make_pairs([MINES], [QUESTION] * 60)
    tables = [table for table in map(candidates, pairs) if len(table)]
    labels = [pair.supported for pair in pairs if len(candidates(pair))]
    coefficients, intercept = fit(tables, labels, [1.0] * len(tables))
    found = scores(tables, coefficients, intercept)
    assert precision_at(found, np.array(labels), 0.9) > 0.8 > np.mean(labels)
    lost = Pair("Robots 77 eat cheese on Mars.", MINES, False, "made up", "test")
    assert not len(candidates(lost)) and scores([candidates(lost)], coefficients, intercept)[0] == -np.inf


def test_folds_keep_an_article_together() -> None:
    pairs = [Pair("A.", passage(n, "B.", f"T{n % 3}"), True, "x", "tune") for n in range(9)]
    parts = list(folds(pairs, 3))
    assert sorted(i for _, outside in parts for i in outside) == list(range(9))
    for inside, outside in parts:
        assert not {pairs[i].passage.article_title for i in inside} & {pairs[i].passage.article_title for i in outside}


@pytest.mark.parametrize(("recall", "wanted"), [(0.5, 1.0), (1.0, 2 / 3)])
def test_precision_at_a_recall(recall: float, wanted: float) -> None:
    found, labels = np.array([3.0, 2.0, 1.0, 0.0]), np.array([True, False, True, False])
    assert precision_at(found, labels, recall) == pytest.approx(wanted)
