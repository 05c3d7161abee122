"""The training loop: interrupted runs end as undisturbed ones, files come whole, and errors leave what was there."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from lfqa.training import loop
from lfqa.training.loop import CHECKPOINT, LoopSettings, make_optimizers, replacing, run, write_json
from tests.training_helpers import ToyTask

ROOT = Path(__file__).resolve().parent.parent
BASE = LoopSettings(12, 0.02, evaluate_every=5, save_every=-1.0)  # saved after every step


def weights(task: ToyTask) -> list[torch.Tensor]:
    return [p.detach().clone() for p in task.model.parameters()]


def same(left: list[torch.Tensor], right: list[torch.Tensor]) -> bool:
    return all(torch.equal(a, b) for a, b in zip(left, right, strict=True))


@pytest.mark.parametrize("optimizer", ["adamw", "muon"])
def test_a_run_that_fails_and_is_resumed_ends_as_an_undisturbed_one(tmp_path: Path, optimizer: str) -> None:
    settings = replace(BASE, optimizer=optimizer)
    whole, broken, resumed = ToyTask(), ToyTask(fail_at=7), ToyTask()
    start = weights(whole)
    measured = run(whole, settings, tmp_path / "whole")
    with pytest.raises(RuntimeError, match="power cut"):
        run(broken, settings, tmp_path / "broken")
    assert run(resumed, settings, tmp_path / "broken", resume=True) == measured
    assert resumed.asked == list(range(7, 12))
    assert same(weights(whole), weights(resumed))
    assert not same(weights(whole), start)


def test_a_killed_process_resumes_to_the_same_weights(tmp_path: Path) -> None:
    code = (
        "import os, signal, sys; from pathlib import Path; from tests.training_helpers import ToyTask; from lfqa.training.loop import *\n"
        "class Doomed(ToyTask):\n"
        "    def loss(self, step, rng):\n"
        "        if step == 6: os.kill(os.getpid(), signal.SIGKILL)\n"
        "        return super().loss(step, rng)\n"
        "run(Doomed(), LoopSettings(12, 0.02, evaluate_every=5, save_every=-1.0), Path(sys.argv[1]))"
    )
    killed = subprocess.run([sys.executable, "-c", code, str(tmp_path / "killed")], cwd=ROOT, capture_output=True, timeout=120)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert torch.load(tmp_path / "killed" / CHECKPOINT, weights_only=True)["step"] == 6
    whole, resumed = ToyTask(), ToyTask()
    run(whole, BASE, tmp_path / "whole")
    run(resumed, BASE, tmp_path / "killed", resume=True)
    assert resumed.asked == list(range(6, 12))
    assert same(weights(whole), weights(resumed))


def test_a_finished_run_that_is_resumed_trains_nothing_and_tells_what_it_measured(tmp_path: Path) -> None:
    measured = run(ToyTask(), BASE, tmp_path)
    with (tmp_path / loop.LOG).open("a") as log:
        log.write('{"step": 13, "lo')  # as a kill may leave it
    again = ToyTask()
    assert run(again, BASE, tmp_path, resume=True) == measured
    assert measured
    assert again.asked == []
    assert again.evaluated == 0


def test_a_folder_with_a_checkpoint_needs_resume_and_the_same_settings(tmp_path: Path) -> None:
    run(ToyTask(), BASE, tmp_path)
    before = (tmp_path / CHECKPOINT).read_bytes()
    with pytest.raises(FileExistsError, match="--resume"):
        run(ToyTask(), BASE, tmp_path)
    with pytest.raises(ValueError, match=r"'learning_rate': \(0.02, 0.5\)"):
        run(ToyTask(), replace(BASE, learning_rate=0.5), tmp_path, resume=True)
    assert (tmp_path / CHECKPOINT).read_bytes() == before
    assert json.loads((tmp_path / "loop.json").read_text())["learning_rate"] == 0.02


def test_resume_without_a_checkpoint_begins(tmp_path: Path) -> None:
    task = ToyTask()
    run(task, BASE, tmp_path / "new", resume=True)
    assert task.asked == list(range(12))


class BadLoss(ToyTask):
    def __init__(self, spoil: Any) -> None:
        super().__init__()
        self.spoil = spoil

    def loss(self, step: int, rng: Any) -> torch.Tensor:
        value = super().loss(step, rng)
        return self.spoil(value) if step == 4 else value


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda loss: loss * float("nan"), "loss of step 4 is nan"),
        (lambda loss: loss * float("inf"), "loss of step 4 is inf"),
        (lambda loss: torch.sqrt(loss * 0), "gradient of step 4"),  # finite itself; the slope at 0 is not
    ],
)
def test_a_loss_or_gradient_that_is_not_finite_leaves_the_last_checkpoint(tmp_path: Path, spoil: Any, message: str) -> None:
    with pytest.raises(FloatingPointError, match=message):
        run(BadLoss(spoil), BASE, tmp_path)
    state = torch.load(tmp_path / CHECKPOINT, weights_only=True)
    assert state["step"] == 4
    assert all(value.isfinite().all() for value in state["model"].values())


def test_a_checkpoint_that_can_not_be_written_leaves_the_one_before_and_no_half_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save = torch.save

    def fail(state: dict[str, Any], path: Path) -> None:
        if state["step"] == 3:
            Path(path).write_bytes(b"half")
            raise OSError("disk full")
        save(state, path)

    monkeypatch.setattr(torch, "save", fail)
    with pytest.raises(OSError, match="disk full"):
        run(ToyTask(), BASE, tmp_path)
    assert torch.load(tmp_path / CHECKPOINT, weights_only=True)["step"] == 2
    assert sorted(p.name for p in tmp_path.iterdir()) == [CHECKPOINT, "log.jsonl", "loop.json"]


def test_files_are_replaced_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    write_json(path, {"é": 1})
    assert json.loads(path.read_text(encoding="utf-8")) == {"é": 1}
    with pytest.raises(TypeError):
        write_json(path, {"x": object()})
    with pytest.raises(KeyboardInterrupt), replacing(path) as partial:
        partial.write_text("half")
        raise KeyboardInterrupt
    assert json.loads(path.read_text(encoding="utf-8")) == {"é": 1}
    assert list(tmp_path.iterdir()) == [path]


def test_the_log_has_a_row_a_step_and_measurements_where_they_are_due(tmp_path: Path) -> None:
    measured = run(ToyTask(), BASE, tmp_path)
    rows = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert [row["step"] for row in rows] == list(range(1, 13))
    assert [row["step"] for row in rows if "size" in row] == [5, 10, 12]
    assert rows[-1]["size"] == measured["size"]
    assert rows[0]["mean_loss"] == rows[0]["loss"]
    assert rows[1]["mean_loss"] == pytest.approx(0.97 * rows[0]["loss"] + 0.03 * rows[1]["loss"])


@pytest.mark.parametrize("optimizer", ["adamw", "muon"])
def test_training_lowers_the_loss(tmp_path: Path, optimizer: str) -> None:
    run(ToyTask(), replace(BASE, steps=250, optimizer=optimizer, save_every=1e9), tmp_path)
    losses = [json.loads(line)["loss"] for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert sum(losses[-10:]) < 0.6 * sum(losses[:10])


def test_muon_takes_the_matrices_between_layers_and_adamw_the_rest() -> None:
    model = torch.nn.ModuleDict({"embed": torch.nn.Embedding(5, 4), "shared": torch.nn.Linear(4, 5), "layer": torch.nn.Linear(4, 4)})
    model["layer"].bias.requires_grad_(False)
    adamw, muon = make_optimizers(model, BASE)
    assert isinstance(adamw, torch.optim.AdamW)
    assert isinstance(muon, torch.optim.Muon)
    assert [p is model["layer"].weight for p in muon.param_groups[0]["params"]] == [True]
    assert {id(p) for p in adamw.param_groups[0]["params"]} == {id(model["embed"].weight), *map(id, model["shared"].parameters())}
    (only,) = make_optimizers(model, replace(BASE, optimizer="adamw"))
    assert len(only.param_groups[0]["params"]) == 4
    (alone,) = make_optimizers(ToyTask(bias=False).model, BASE)
    assert isinstance(alone, torch.optim.Muon)


@given(steps=st.integers(1, 300), peak=st.floats(1e-6, 1), warmup=st.floats(0, 1), decay=st.floats(0, 1))
def test_the_rate_rises_to_the_peak_stays_and_falls(steps: int, peak: float, warmup: float, decay: float) -> None:
    settings = LoopSettings(steps, peak, warmup=warmup, decay=decay)
    rates = [settings.rate(step) for step in range(steps)]
    assert all(0 < rate <= peak for rate in rates)
    top = rates.index(max(rates))
    assert rates[: top + 1] == sorted(rates[: top + 1])
    assert rates[top:] == sorted(rates[top:], reverse=True)
    warm, fall = max(1, round(warmup * steps)), max(1, round(decay * steps))
    if warm + fall <= steps:
        assert rates[warm - 1 : steps - fall + 1] == [peak] * (steps - fall - warm + 2)
    assert rates[0] == pytest.approx(peak * min(1 / warm, steps / fall, 1))
    assert rates[-1] == pytest.approx(peak * min(1 / fall, steps / warm))
    assert settings.rate(steps) == 0


@pytest.mark.parametrize("change", [{"steps": 0}, {"optimizer": "sgd"}, {"evaluate_every": 0}, {"warmup": 1.5}, {"decay": -0.1}])
def test_settings_out_of_range_are_refused(change: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=str(next(iter(change.values())))):
        replace(BASE, **change)
