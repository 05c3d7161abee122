"""The curve, the threshold and the weight of the check before writing."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lfqa.answerable import Evidence
from lfqa.evaluation.abstention import curve, fit, look_up, measure_abstention, read_questions, refused, scores, threshold_for
from lfqa.pipeline import Pipeline

some = st.lists(st.integers(0, 20).map(lambda value: value / 20), min_size=1, max_size=25)


def test_shares_refused_by_hand() -> None:
    assert refused([0.1, 0.5, 0.9], 0.5) == pytest.approx(1 / 3), "a score at the threshold is answered"
    assert refused([0.1], 0.0) == 0.0


@given(some, st.sampled_from([0.0, 0.05, 0.1, 0.25, 0.5]))
def test_the_threshold_refuses_as_many_as_it_may(values: list[float], false_alarms: float) -> None:
    threshold = threshold_for(values, false_alarms)
    assert refused(values, threshold) <= false_alarms + 1e-9
    higher = min((value for value in values if value >= threshold), default=None)
    assert higher is not None
    assert refused(values, float(np.nextafter(higher, 2))) > false_alarms - 1e-9, "refusing the next score too would be too many"
    assert threshold == round(threshold, 4)


def test_the_threshold_lies_halfway_and_bad_shares_are_refused() -> None:
    values = [0.3, 0.5, *[0.9] * 18]
    assert threshold_for(values, 0.1) == 0.7
    assert threshold_for(values, 0.05) == 0.4
    assert threshold_for(values, 0.0) == 0.3
    for wrong in (([], 0.1), ([0.5], 1.0), ([0.5], -0.1)):
        with pytest.raises(ValueError, match="a share below 1"):
            threshold_for(*wrong)


@given(some, some)
def test_the_curve_is_the_best_of_all_thresholds(answerable: list[float], unanswerable: list[float]) -> None:
    points = curve(answerable, unanswerable)
    alarms, caught = [p["false_alarms"] for p in points], [p["refused"] for p in points]
    assert alarms[0] == caught[0] == 0.0
    assert alarms[-1] == caught[-1] == 1.0
    assert alarms == sorted(alarms) and caught == sorted(caught)
    for threshold in [*answerable, *unanswerable, 2.0]:
        at = max(p["refused"] for p in points if p["false_alarms"] <= refused(answerable, threshold) + 1e-4)
        assert at == pytest.approx(max(refused(unanswerable, t) for t in [*answerable, *unanswerable, 2.0] if refused(answerable, t) <= refused(answerable, threshold)), abs=1e-4)  # fmt: skip  # noqa: E501


def test_what_is_reported_by_hand() -> None:
    found = measure_abstention([0.5, *[0.9] * 9], [0.1, 0.2, 0.6, 0.95], 0.4)
    assert (found["answerable"], found["unanswerable"], found["threshold"]) == (10, 4, 0.4)
    assert found["auroc"]["value"] == pytest.approx((2 + 9 / 10) / 4)
    assert (found["false_alarms"]["value"], found["refused"]["value"]) == (0.0, 0.5)
    assert found["at_10_percent"] == {"threshold": 0.7, "false_alarms": 0.1, "refused": 0.75}
    assert found["curve"][0] == {"threshold": 0.1, "false_alarms": 0.0, "refused": 0.0}
    json.dumps(found)


def evidence(*pairs: tuple[float, float]) -> Evidence:
    return Evidence(pairs)


def test_the_weight_is_that_which_parts_the_groups_best() -> None:
    by_words = [evidence((0.6, 1.0)), evidence((0.5, 1.0))], [evidence((0.7, 0.0)), evidence((0.62, 0.2))]
    weight = fit(*by_words)
    assert weight == 0.25, "the first of the grid at which 0.5 + weight exceeds 0.7 and 0.62 + 0.2 weight"
    assert measure_abstention(scores(by_words[0], weight), scores(by_words[1], weight), 0.5)["auroc"]["value"] == 1.0
    assert fit([evidence((0.9, 0.0))], [evidence((0.1, 1.0))]) == 0.0
    with pytest.raises(ValueError, match="both groups need scores"):
        fit([], [evidence()])


def test_questions_that_can_not_be_asked_have_no_evidence(pipeline: Pipeline) -> None:
    steps: list[None] = []
    found = look_up(["How do people make chocolate?", "<b>why</b>"], pipeline, pipeline.settings, lambda: steps.append(None))
    assert found == [pipeline.evidence("How do people make chocolate?"), Evidence()]
    assert scores(found)[1] == 0.0
    assert len(steps) == 2


def test_questions_are_read_by_split(tmp_path: Path) -> None:
    path = tmp_path / "u.jsonl"
    path.write_text('{"question_id": "1", "question": "a", "split": "test"}\n{"question": "b", "split": "validation"}\n', encoding="utf-8")
    assert read_questions(path, "test") == ["a"]
    with pytest.raises(ValueError, match=r"no questions of the split 'train'; there are \['test', 'validation'\]"):
        read_questions(path, "train")
    path.write_text('{"question": "a"}', encoding="utf-8")
    with pytest.raises(ValueError, match=r"line 1: question and split must be texts; there are \['question'\]"):
        read_questions(path, "test")
    with pytest.raises(FileNotFoundError):
        read_questions(tmp_path / "absent.jsonl", "test")
