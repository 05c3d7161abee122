"""Settings: which source wins, profiles, and messages a person can act on."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from lfqa.settings import PROFILES, Settings, describe


@pytest.fixture(autouse=True)
def _no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("LFQA_")]:
        monkeypatch.delenv(name)


def config(folder: Path, text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    file = folder / "lfqa.toml"
    file.write_text(text, encoding="utf-8")
    monkeypatch.setenv("LFQA_CONFIG", str(file))


def test_the_defaults_name_what_is_in_the_repository() -> None:
    settings = Settings()
    assert (settings.profile, settings.retriever, settings.generator, settings.runtime) == ("embedded", "hybrid", "bart", "ctranslate2")
    assert Path(settings.corpus).is_file()
    assert (Path(settings.retriever_model) / "config.json").is_file()
    assert settings.cache.name == "lfqa"


def test_arguments_beat_the_environment_beats_the_file_beats_the_defaults(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert Settings().k == 6
    config(tmp_path, "k = 3\nbeams = 2\nrrf_constant = 10\n", monkeypatch)
    assert Settings().k == 3
    monkeypatch.setenv("LFQA_K", "4")
    monkeypatch.setenv("LFQA_BEAMS", "5")
    assert (Settings().k, Settings().rrf_constant) == (4, 10)
    settings = Settings(k=7)
    assert (settings.k, settings.beams, settings.rrf_constant) == (7, 5, 10)


@pytest.mark.parametrize("source", ["argument", "environment", "file"])
def test_a_profile_changes_defaults_and_nothing_that_is_given(source: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given: dict[str, Any] = {}
    if source == "argument":
        given = {"profile": "hub"}
    elif source == "environment":
        monkeypatch.setenv("LFQA_PROFILE", "hub")
    else:
        config(tmp_path, 'profile = "hub"\n', monkeypatch)
    settings = Settings(**given)
    assert {name: getattr(settings, name) for name in PROFILES["hub"]} == PROFILES["hub"]
    assert Settings(**given, corpus="mine.jsonl").corpus == "mine.jsonl"
    monkeypatch.setenv("LFQA_SOURCE_TOKENS", "512")
    assert Settings(**given).source_tokens == 512


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"k": 0}, ["k", "greater than or equal to 1", "0"]),
        ({"k": 101}, ["k", "less than or equal to 100"]),
        ({"retriever": "magic"}, ["retriever", "dense", "sparse", "hybrid", "magic"]),
        ({"profile": "cloud"}, ["profile", "embedded", "hub", "cloud"]),
        ({"profile": ["hub"]}, ["profile"]),
        ({"top_p": 0}, ["top_p", "greater than 0"]),
        ({"temperature": "warm"}, ["temperature", "number", "warm"]),
        ({"support_threshold": 1.5}, ["support_threshold", "1"]),
        ({"depth": 3}, ["depth", "not permitted"]),
        ({"min_answer_tokens": 100, "max_answer_tokens": 50}, ["100", "50", "shortest"]),
    ],
)
def test_what_is_out_of_range_is_described_in_one_line(values: dict[str, Any], words: list[str]) -> None:
    with pytest.raises(ValidationError) as caught:
        Settings(**values)
    message = describe(caught.value)
    assert "\n" not in message and "Value error" not in message
    for word in words:
        assert word in message


def test_a_settings_file_that_is_missing_or_malformed_or_has_an_unknown_name_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LFQA_CONFIG", str(tmp_path / "gone.toml"))
    with pytest.raises(ValueError, match="gone.toml.*not a file"):
        Settings()
    config(tmp_path, "k = = 3", monkeypatch)
    with pytest.raises(ValueError, match="line 1"):
        Settings()
    config(tmp_path, "kk = 3", monkeypatch)
    with pytest.raises(ValidationError) as caught:
        Settings()
    assert "kk" in describe(caught.value)


def test_with_options_changes_what_is_given_validates_and_leaves_the_original(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = Settings(beams=7)
    changed = settings.with_options(k=9, retriever=None)
    assert (changed.k, changed.beams, changed.retriever, settings.k) == (9, 7, "hybrid", 6)
    with pytest.raises(ValidationError):
        settings.with_options(k=-1)
    with pytest.raises(ValidationError):
        settings.k = 3
    monkeypatch.setenv("LFQA_K", "50")
    assert settings.with_options(beams=2).k == 6, "the environment must not reach settings that are made already"


def test_reproduction_names_only_what_the_decoding_uses() -> None:
    assert not {"beams", "seed", "temperature"} & set(Settings().reproduction())
    assert Settings(decoding="beam", beams=3).reproduction()["beams"] == 3
    sampled = Settings(decoding="sample", seed=5).reproduction()
    assert (sampled["seed"], sampled["temperature"], sampled["top_p"]) == (5, 0.8, 0.9)
    assert not any(isinstance(value, Path) for value in Settings().reproduction().values())


def test_a_short_longest_answer_brings_the_shortest_down(monkeypatch: pytest.MonkeyPatch) -> None:
    assert Settings(max_answer_tokens=16).min_answer_tokens == 16
    monkeypatch.setenv("LFQA_MAX_ANSWER_TOKENS", "24")
    assert Settings().min_answer_tokens == 24
    with pytest.raises(ValueError, match="longer than the longest"):
        Settings(min_answer_tokens=30)


def test_an_empty_variable_is_as_good_as_none(monkeypatch: pytest.MonkeyPatch) -> None:
    default = Settings().corpus
    monkeypatch.setenv("LFQA_CORPUS", "")
    monkeypatch.setenv("LFQA_K", "")
    assert (Settings().corpus, Settings().k) == (default, 6)
