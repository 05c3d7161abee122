"""The decision on support against pairs labelled by reading, and the data's own promises."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from lfqa.cli import app
from lfqa.evaluation.support import judge_pairs, read_pairs, verdict_text, wilson

PAIRS = Path(__file__).parent / "data" / "support_pairs.jsonl"


def test_the_decision_is_right_on_pairs_it_was_not_tuned_on() -> None:
    verdict = judge_pairs([pair for pair in read_pairs(PAIRS) if pair.part == "test"])
    print(verdict_text(verdict))
    assert verdict.precision[0] >= 0.90 and verdict.recall[0] >= 0.75, verdict_text(verdict)


def test_the_pairs_are_as_many_and_as_hard_as_promised() -> None:
    records = [json.loads(line) for line in PAIRS.read_text(encoding="utf-8").splitlines()]
    assert len(records) >= 220 and sum(r["origin"] == "output" for r in records) >= 110
    assert sum(r["kind"].startswith("near-miss") for r in records) >= len(records) / 3
    assert len({(r["sentence"], r["passage_text"]) for r in records}) == len(records)
    articles = {part: {r["passage_title"] for r in records if r["part"] == part} for part in ("tune", "test")}
    assert not articles["tune"] & articles["test"]
    assert set(Counter(r["part"] for r in records)) == {"tune", "test"}
    for record in records:
        assert record["supported"] == record["kind"].startswith("supported"), record["sentence"]


@given(st.integers(0, 300), st.integers(0, 300))
def test_the_interval_holds_the_share(hits: int, more: int) -> None:
    share, low, high = wilson(hits, hits + more)
    assert -1e-9 <= low <= share + 1e-9 and share - 1e-9 <= high <= 1 + 1e-9


def test_a_line_without_a_field_is_named(tmp_path: Path) -> None:
    file = tmp_path / "pairs.jsonl"
    file.write_text('{"sentence": "A.", "passage_title": "B", "passage_text": "C."}\n', encoding="utf-8")
    with pytest.raises(ValueError, match="line 1.*supported"):
        read_pairs(file)


def test_the_command_prints_both_rates_with_intervals_and_refuses_what_it_can_not_measure(tmp_path: Path) -> None:
    pairs = tmp_path / "pairs.jsonl"
    pairs.write_text("".join(PAIRS.read_text(encoding="utf-8").splitlines(keepends=True)[:20]), encoding="utf-8")
    part = next(pair.part for pair in read_pairs(pairs))
    printed = CliRunner().invoke(app, ["eval", "support", str(pairs), "--part", part])
    assert printed.exit_code == 0 and "precision " in printed.stdout and "95% interval" in printed.stdout
    found = json.loads(CliRunner().invoke(app, ["eval", "support", str(pairs), "--part", part, "--json"]).stdout)
    assert list(found) == ["precision", "recall", "called_supported"]
    refused = CliRunner().invoke(app, ["eval", "support", str(pairs), "--part", "none"])
    assert refused.exit_code == 2 and "no pairs of the part 'none'" in refused.stderr
