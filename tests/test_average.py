"""The mean of checkpoints against NumPy, and what can not be averaged."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file
from typer.testing import CliRunner

from lfqa.cli import app
from lfqa.training.average import average_checkpoints


def write(folder: Path, seed: int, *, width: int = 3, extra: bool = False) -> Path:
    folder.mkdir()
    rng = np.random.default_rng(seed)
    weights = {"a": rng.normal(size=(4, width)).astype(np.float16), "positions": np.arange(5)}
    if extra:
        weights["b"] = np.zeros(2, dtype=np.float16)
    save_file(weights, folder / "model.safetensors")
    (folder / "config.json").write_text(f'{{"seed": {seed}}}', encoding="utf-8")
    return folder


def test_the_mean_is_taken_in_float32_and_the_other_files_are_the_firsts(tmp_path: Path) -> None:
    folders = [write(tmp_path / str(seed), seed) for seed in range(3)]
    result = CliRunner().invoke(app, ["train", "average", *map(str, folders), "--out", str(tmp_path / "new" / "mean")])
    assert result.exit_code == 0, result.output
    found = load_file(tmp_path / "new" / "mean" / "model.safetensors")
    wanted = np.mean([load_file(folder / "model.safetensors")["a"].astype(np.float32) for folder in folders], axis=0)
    assert found["a"].dtype == np.float16
    assert np.array_equal(found["a"], wanted.astype(np.float16))
    assert np.array_equal(found["positions"], np.arange(5))
    assert (tmp_path / "new" / "mean" / "config.json").read_text() == '{"seed": 0}'
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["mean"]


def test_what_does_not_fit_together_is_refused_and_nothing_is_written(tmp_path: Path) -> None:
    one, wider, more = write(tmp_path / "one", 1), write(tmp_path / "wider", 2, width=4), write(tmp_path / "more", 3, extra=True)
    out = tmp_path / "out"
    for other, message in ((wider, "differ in 1 weights, a among"), (more, "differ in 1 weights, b among")):
        with pytest.raises(ValueError, match=message):
            average_checkpoints([one, other], out)
    with pytest.raises(ValueError, match="at least two"):
        average_checkpoints([one], out)
    with pytest.raises(FileNotFoundError, match="nowhere.*missing"):
        average_checkpoints([one, tmp_path / "nowhere"], out)
    assert not out.exists()
    with pytest.raises(FileExistsError, match="choose another"):
        average_checkpoints([one, one], wider)
