"""Recipes: defaults, files, and what is refused."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from lfqa.training.recipes import GeneratorRecipe, RetrieverRecipe, Stage, read_recipe


def file(folder: Path, value: Any) -> Path:
    path = folder / "settings.json"
    path.write_text(value if isinstance(value, str) else json.dumps(value), encoding="utf-8")
    return path


def test_without_a_file_and_changes_it_is_the_default() -> None:
    assert read_recipe(RetrieverRecipe(), None, steps=None, seed=None) == RetrieverRecipe()


def test_changes_win_over_the_file_and_the_file_over_the_default(tmp_path: Path) -> None:
    path = file(tmp_path, {"steps": 7, "seed": 3, "learning_rate": 1})
    assert read_recipe(RetrieverRecipe(), path, steps=9, seed=None) == RetrieverRecipe(steps=9, seed=3, learning_rate=1)


@pytest.mark.parametrize("recipe", [GeneratorRecipe(), RetrieverRecipe()])
def test_a_saved_recipe_is_read_back(tmp_path: Path, recipe: Any) -> None:
    assert read_recipe(recipe, file(tmp_path, asdict(recipe))) == recipe
    assert read_recipe(type(recipe)(seed=5), file(tmp_path, asdict(recipe))) == recipe


def test_stages_come_from_a_file(tmp_path: Path) -> None:
    stage = {"name": "only", "steps": 2, "batch_size": 2, "source_tokens": 64, "target_tokens": 32, "learning_rate": 0.001, "copying": 0}
    assert read_recipe(GeneratorRecipe(), file(tmp_path, {"stages": [stage]})).stages == (Stage("only", 2, 2, 64, 32, 0.001, copying=0),)


STAGE = {"name": "a", "steps": 2, "batch_size": 2, "source_tokens": 64, "target_tokens": 32, "learning_rate": 0.001}


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("{steps: 1}", "settings.json is not JSON"),
        ([1], "holds a JSON list, not an object"),
        ({"stepz": 1}, r"no field \['stepz'\]; it has \['decoder_layers'"),
        ({"seed": "1"}, "seed must be int, not '1'"),
        ({"seed": True}, "seed must be int, not True"),
        ({"mixture": [1]}, "mixture must be dict"),
        ({"stages": []}, "stages of different names"),
        ({"stages": [STAGE, STAGE]}, r"stages of different names, not \['a', 'a'\]"),
        ({"stages": [{**STAGE, "rate": 1}]}, r"stage 1 has no field \['rate'\]"),
        ({"stages": [{"name": "a"}]}, r"stage 1 lacks \['steps', 'batch_size'"),
        ({"stages": [STAGE, "b"]}, "stage 2 must be an object"),
        ({"stages": [{**STAGE, "steps": 1.5}]}, "stage 1: steps must be int, not 1.5"),
    ],
)
def test_a_settings_file_that_does_not_fit_is_refused(tmp_path: Path, value: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        read_recipe(GeneratorRecipe(), file(tmp_path, value))


def test_the_default_recipes_make_sense() -> None:
    generator = GeneratorRecipe()
    assert sum(generator.mixture.values()) == pytest.approx(1)
    assert sum(generator.texts.values()) == pytest.approx(1)
    assert all(0 <= stage.copying <= 1 and 0 <= stage.selected <= 1 for stage in generator.stages)
    assert all(stage.source_tokens <= 512 and stage.target_tokens <= 192 for stage in generator.stages), "the BART has 512 positions"
    assert all(stage.dropout == 0 for stage in generator.stages), "a run with dropout does not resume exactly"
