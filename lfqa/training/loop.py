"""The training loop both models share: schedule, progress, evaluation, whole-or-nothing checkpoints, resuming."""

from __future__ import annotations

import json
import logging
import math
import os
import random
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol

import torch
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

logger = logging.getLogger(__name__)

CHECKPOINT, SETTINGS, LOG = "checkpoint.pt", "loop.json", "log.jsonl"


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
    clip_norm
        The largest length that a step's gradient may have; longer ones are shortened to it.
    evaluate_every, save_every
        Steps; seconds.
    seed
        Of every random choice; batch number n is the same whether or not the run was interrupted before it.
    optimizer
        ``muon`` or ``adamw``; see `make_optimizers`.

    Raises
    ------
    ValueError
        When a value is out of its range.
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
        if self.evaluate_every < 1:
            raise ValueError(f"evaluate_every must be at least 1 step, not {self.evaluate_every}")
        if not (0 <= self.warmup <= 1 and 0 <= self.decay <= 1):
            raise ValueError(f"warmup and decay are shares of the steps, 0 to 1, not {self.warmup} and {self.decay}")
        if self.optimizer not in ("muon", "adamw"):
            raise ValueError(f"optimizer must be 'muon' or 'adamw', not {self.optimizer!r}")

    def rate(self, step: int) -> float:
        """Return the learning rate of `step`, counted from 0."""
        warm = max(1, round(self.warmup * self.steps))
        fall = max(1, round(self.decay * self.steps))
        return self.learning_rate * min(1.0, (step + 1) / warm, (self.steps - step) / fall)


class Task(Protocol):
    """What is trained: a model, the loss of a numbered batch, and a measurement."""

    @property
    def model(self) -> torch.nn.Module:
        """What is trained; its weights are what a checkpoint keeps."""

    def loss(self, step: int, rng: random.Random) -> torch.Tensor:
        """Return the scalar loss of batch `step`, drawn with `rng`."""

    def evaluate(self) -> dict[str, float]:
        """Return measurements on held-out data."""


def make_optimizers(model: torch.nn.Module, settings: LoopSettings) -> list[torch.optim.Optimizer]:
    """Return Muon (Jordan et al. 2024) for the layers' matrices and AdamW for the rest, or AdamW for all."""
    named = [(name, p) for name, p in model.named_parameters() if p.requires_grad]
    hidden = [p for name, p in named if p.ndim == 2 and "embed" not in name and "shared" not in name]
    if settings.optimizer == "adamw" or not hidden:
        hidden = []
    chosen = {id(p) for p in hidden}
    rest = [p for _, p in named if id(p) not in chosen]
    rate, decay = settings.learning_rate, settings.weight_decay
    optimizers: list[torch.optim.Optimizer] = []
    if rest:
        optimizers.append(torch.optim.AdamW(rest, lr=rate, weight_decay=decay, betas=(0.9, 0.98), fused=True))
    if hidden:
        optimizers.append(torch.optim.Muon(hidden, lr=rate, weight_decay=decay, adjust_lr_fn="match_rms_adamw"))
    return optimizers


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a file to write that takes the place of `path` at the end; when the writing fails, it goes and `path` stays as it was."""
    partial = path.with_name(f"{path.name}.partial")
    try:
        yield partial
        os.replace(partial, path)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise


def write_json(path: Path, value: Any) -> None:
    """Write `value` to `path`, whole or not at all."""
    with replacing(path) as partial:
        partial.write_text(json.dumps(value, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def _save_state(folder: Path, step: int, task: Task, optimizers: Sequence[torch.optim.Optimizer]) -> None:
    state = {
        "step": step,
        "model": task.model.state_dict(),
        "optimizers": [optimizer.state_dict() for optimizer in optimizers],
    }
    with replacing(folder / CHECKPOINT) as partial:
        torch.save(state, partial)


def _restore(folder: Path, task: Task, optimizers: Sequence[torch.optim.Optimizer], settings: LoopSettings, resume: bool) -> int:
    """Put the checkpoint in `folder` into model and optimizers and return its step; 0 where there is none."""
    checkpoint = folder / CHECKPOINT
    if not checkpoint.exists():
        return 0
    if not resume:
        raise FileExistsError(f"{checkpoint} is there already: pass --resume to go on with it, or choose another folder")
    before = json.loads((folder / SETTINGS).read_text(encoding="utf-8"))
    if before != asdict(settings):
        changed = {k: (before.get(k), v) for k, v in asdict(settings).items() if before.get(k) != v}
        raise ValueError(f"{folder} was begun with other settings (there, now): {changed}")
    # through the CPU, so that a run can go on where there is no GPU
    state = torch.load(checkpoint, weights_only=True, map_location="cpu")
    task.model.load_state_dict(state["model"])
    for optimizer, saved in zip(optimizers, state["optimizers"], strict=True):
        optimizer.load_state_dict(saved)
    return int(state["step"])


def _last_measurements(log: Path) -> dict[str, float]:
    """Return what the last evaluation in a log measured; nothing where there is no log."""
    measured: dict[str, float] = {}
    for line in log.read_text(encoding="utf-8").splitlines() if log.exists() else ():
        try:
            row = json.loads(line)
        except ValueError:  # a kill can cut a line
            continue
        measured = {name: value for name, value in row.items() if name not in ("step", "loss", "mean_loss", "time")} or measured
    return measured


def _train_step(task: Task, optimizers: Sequence[torch.optim.Optimizer], settings: LoopSettings, step: int) -> float:
    """Train on batch `step` and return its loss; weights are not touched when loss or gradient are not finite."""
    for optimizer in optimizers:
        for group in optimizer.param_groups:
            group["lr"] = settings.rate(step)
    loss = task.loss(step, random.Random(f"{settings.seed}-{step}"))
    value = float(loss.detach())
    if not math.isfinite(value):
        raise FloatingPointError(f"the loss of step {step} is {value}: begin anew, in another folder, at a lower learning rate")
    loss.backward()
    norm = float(torch.nn.utils.clip_grad_norm_(task.model.parameters(), settings.clip_norm))
    if not math.isfinite(norm):
        raise FloatingPointError(f"the gradient of step {step} is not finite: begin anew, in another folder, at a lower learning rate")
    for optimizer in optimizers:
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
    return value


def run(task: Task, settings: LoopSettings, folder: Path, *, resume: bool = False, description: str = "train") -> dict[str, float]:
    """Train `task` and return its last measurements.

    Every `save_every` seconds the whole state goes to ``folder/checkpoint.pt``; with `resume` a run goes on from there, with the
    batches it would have had, and a finished one just returns what it measured. ``folder/loop.json`` holds the settings,
    ``folder/log.jsonl`` the course. Torch's own random numbers are not kept, so a model with dropout does not resume exactly.

    Raises
    ------
    FileExistsError
        When `folder` holds a checkpoint and `resume` is false.
    ValueError
        When the checkpoint in `folder` was made with other settings.
    FloatingPointError
        When loss or gradient stop being finite; the last checkpoint is left as it is.
    """
    folder.mkdir(parents=True, exist_ok=True)
    optimizers = make_optimizers(task.model, settings)
    start = _restore(folder, task, optimizers, settings, resume)
    write_json(folder / SETTINGS, asdict(settings))
    measured = _last_measurements(folder / LOG) if start else {}
    columns = (
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn("loss {task.fields[loss]:.3f}"),
        TimeElapsedColumn(), TimeRemainingColumn(),
    )  # fmt: skip
    saved_at, mean_loss = time.monotonic(), math.nan
    with Progress(*columns) as progress, (folder / LOG).open("a", encoding="utf-8") as log:
        bar = progress.add_task(description, total=settings.steps, completed=start, loss=math.nan)
        for step in range(start, settings.steps):
            value = _train_step(task, optimizers, settings, step)
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
