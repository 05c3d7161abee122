"""The mean of several checkpoints' weights, often better than each of them ("Model soups", Wortsman et al. 2022)."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path

from safetensors.torch import load_file, save_file

WEIGHTS = "model.safetensors"


def average_checkpoints(checkpoints: Sequence[Path], out: Path) -> None:
    """Write a checkpoint whose weights are the mean of those of `checkpoints`, its other files those of the first, to `out`.

    The mean is taken in float32 and stored in the first one's type. The checkpoints have to come from one line of training: weights
    that were never near each other have no useful mean. `out` appears whole or not at all.

    Raises
    ------
    ValueError
        When there are fewer than two checkpoints, or their weights differ in names or shapes.
    FileNotFoundError
        When one has no model.safetensors.
    FileExistsError
        When `out` is there already.
    """
    if len(checkpoints) < 2:
        raise ValueError(f"an average needs at least two checkpoints, not {len(checkpoints)}")
    if out.exists():
        raise FileExistsError(f"{out} is there already: choose another folder")
    for folder in checkpoints:
        if not (folder / WEIGHTS).is_file():
            raise FileNotFoundError(f"{folder / WEIGHTS} is missing: a checkpoint is a folder that `lfqa train` or save_pretrained wrote")
    first = load_file(checkpoints[0] / WEIGHTS)
    total = {name: value.float() if value.is_floating_point() else value for name, value in first.items()}
    for folder in checkpoints[1:]:
        weights = load_file(folder / WEIGHTS)
        shapes = {name: tuple(value.shape) for name, value in weights.items()}
        if differing := sorted(name for name in total.keys() | shapes.keys() if name not in total or shapes.get(name) != total[name].shape):
            raise ValueError(f"{folder} and {checkpoints[0]} differ in {len(differing)} weights, {differing[0]} among them")
        for name, value in weights.items():
            if value.is_floating_point():
                total[name] += value.float()
    mean = {name: (value / len(checkpoints)).to(first[name].dtype) if value.is_floating_point() else value for name, value in total.items()}
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out.parent, prefix=".averaging-") as work:
        folder = Path(work) / "model"
        shutil.copytree(checkpoints[0], folder)
        save_file({name: value.contiguous() for name, value in mean.items()}, folder / WEIGHTS, metadata={"format": "pt"})
        shutil.copymode(checkpoints[0] / WEIGHTS, folder / WEIGHTS)
        os.replace(folder, out)
