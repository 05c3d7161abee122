"""The training loop both models share: schedule, progress, evaluation, whole-or-nothing checkpoints, resuming."""

from __future__ import annotations

import json
import logging
import math
import os
import random
import time
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol

import torch
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

logger = logging.getLogger(__name__)

CHECKPOINT = "checkpoint.pt"


@dataclass(frozen=True)
class LoopSettings:
    """How long and how fast a stage trains.

    Attributes
    ----------
    steps
        Optimiser steps.
    learning_rate
        The peak; reached after `warmup` of the steps, held, and brought linearly to zero over the last `decay` of them.
    warmup, decay
        Shares of `steps`, 0 to 1.
    evaluate_every, save_every
        Steps; seconds.
    seed
        Of every random choice; batch number n is the same whether or not the run was interrupted before it.
    """

    steps: int
    learning_rate: float
    warmup: float = 0.04
    decay: float = 0.3
    weight_decay: float = 0.01
    clip_norm: float = 1.0
    evaluate_every: int = 200
    save_every: float = 180.0
    seed: int = 0
    optimizer: str = "muon"

    def __post_init__(self) -> None:
        if self.steps < 1:
            raise ValueError(f"steps must be at least 1, not {self.steps}")
        if self.optimizer not in ("muon", "adamw"):
            raise ValueError(f"optimizer must be 'muon' or 'adamw', not {self.optimizer!r}")

    def rate(self, step: int) -> float:
        """Return the learning rate of `step`, counted from 0."""
        warm = max(1, round(self.warmup * self.steps))
        fall = max(1, round(self.decay * self.steps))
        return self.learning_rate * min(1.0, (step + 1) / warm, (self.steps - step) / fall)


class Task(Protocol):
    """What is trained: a model, the loss of a numbered batch, and a measurement."""

    model: torch.nn.Module

    def loss(self, step: int, rng: random.Random) -> torch.Tensor:
        """Return the scalar loss of batch `step`, drawn with `rng`."""

    def evaluate(self) -> dict[str, float]:
        """Return measurements on held-out data."""

    def save(self, folder: Path) -> None:
        """Write the finished model in the shipped format."""


def make_optimizers(model: torch.nn.Module, settings: LoopSettings) -> list[torch.optim.Optimizer]:
    """Return Muon (Jordan et al. 2024) for the layers' matrices and AdamW for the rest, or AdamW for all."""
    named = [(name, p) for name, p in model.named_parameters() if p.requires_grad]
    hidden = [p for name, p in named if p.ndim == 2 and "embed" not in name and "shared" not in name]
    if settings.optimizer == "adamw" or not hidden:
        hidden = []
    chosen = {id(p) for p in hidden}
    rest = [p for _, p in named if id(p) not in chosen]
    rate, decay = settings.learning_rate, settings.weight_decay
    optimizers: list[torch.optim.Optimizer] = [torch.optim.AdamW(rest, lr=rate, weight_decay=decay, betas=(0.9, 0.98), fused=True)]
    if hidden:
        optimizers.append(torch.optim.Muon(hidden, lr=rate, weight_decay=decay, adjust_lr_fn="match_rms_adamw"))
    return optimizers


def write_json(path: Path, value: Any) -> None:
    """Write `value` to `path`, whole or not at all."""
    partial = path.with_suffix(path.suffix + ".partial")
    partial.write_text(json.dumps(value, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    os.replace(partial, path)


def _save_state(folder: Path, step: int, task: Task, optimizers: Iterable[torch.optim.Optimizer]) -> None:
    partial = folder / f"{CHECKPOINT}.partial"
    state = {
        "step": step,
        "model": task.model.state_dict(),
        "optimizers": [optimizer.state_dict() for optimizer in optimizers],
    }
    torch.save(state, partial)
    os.replace(partial, folder / CHECKPOINT)


def run(task: Task, settings: LoopSettings, folder: Path, *, resume: bool = False, description: str = "train") -> dict[str, float]:
    """Train `task` and return its last measurements.

    Every `save_every` seconds the whole state goes to ``folder/checkpoint.pt``; with `resume` a run goes on from there, with the
    batches it would have had. ``folder/settings.json`` holds the settings, ``folder/log.jsonl`` the course.

    Raises
    ------
    FileExistsError
        When `folder` holds a checkpoint and `resume` is false.
    ValueError
        When the checkpoint in `folder` was made with other settings.
    FloatingPointError
        When the loss stops being finite; the last checkpoint is left as it is.
    """
    folder.mkdir(parents=True, exist_ok=True)
    checkpoint = folder / CHECKPOINT
    optimizers = make_optimizers(task.model, settings)
    start = 0
    written = folder / "loop.json"
    if checkpoint.exists():
        if not resume:
            raise FileExistsError(f"{checkpoint} is there already: pass --resume to go on with it, or choose another folder")
        before = json.loads(written.read_text(encoding="utf-8"))
        if before != asdict(settings):
            changed = {k: (before.get(k), v) for k, v in asdict(settings).items() if before.get(k) != v}
            raise ValueError(f"{folder} was begun with other settings (there, now): {changed}")
        state = torch.load(checkpoint, weights_only=True)
        task.model.load_state_dict(state["model"])
        for optimizer, saved in zip(optimizers, state["optimizers"], strict=True):
            optimizer.load_state_dict(saved)
        start = state["step"]
    write_json(written, asdict(settings))
    measured: dict[str, float] = {}
    columns = (
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn("loss {task.fields[loss]:.3f}"),
        TimeElapsedColumn(), TimeRemainingColumn(),
    )  # fmt: skip
    saved_at, mean_loss = time.monotonic(), math.nan
    with Progress(*columns) as progress, (folder / "log.jsonl").open("a", encoding="utf-8") as log:
        bar = progress.add_task(description, total=settings.steps, completed=start, loss=math.nan)
        for step in range(start, settings.steps):
            for optimizer in optimizers:
                for group in optimizer.param_groups:
                    group["lr"] = settings.rate(step)
            loss = task.loss(step, random.Random(f"{settings.seed}-{step}"))
            value = float(loss.detach())
            if not math.isfinite(value):
                raise FloatingPointError(f"the loss of step {step} is {value}: lower the learning rate and resume")
            loss.backward()
            torch.nn.utils.clip_grad_norm_(task.model.parameters(), settings.clip_norm)
            for optimizer in optimizers:
                optimizer.step()
                optimizer.zero_grad(set_to_none=True)
            mean_loss = value if math.isnan(mean_loss) else 0.97 * mean_loss + 0.03 * value
            progress.update(bar, completed=step + 1, loss=mean_loss)
            last = step + 1 == settings.steps
            row: dict[str, float] = {"step": step + 1, "loss": value, "mean_loss": mean_loss, "time": time.time()}
            if last or (step + 1) % settings.evaluate_every == 0:
                measured = task.evaluate()
                row.update(measured)
                logger.info("step %d: loss %.3f %s", step + 1, mean_loss, measured)
            log.write(json.dumps(row) + "\n")
            log.flush()
            if last or time.monotonic() - saved_at > settings.save_every:
                _save_state(folder, step + 1, task, optimizers)
                saved_at = time.monotonic()
    return measured
