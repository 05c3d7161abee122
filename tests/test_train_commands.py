"""``lfqa train`` from a data folder to checkpoints that load and answer, on a sample and a small BERT in MiniLM's place."""

from __future__ import annotations

import json
import random
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModel, AutoTokenizer, BartForConditionalGeneration
from typer.testing import CliRunner

from lfqa.cli import app
from lfqa.generation.prompt import RANK_MARKS
from lfqa.sentences import sentence_spans
from lfqa.training import loop, warmstart
from lfqa.training import prepare as preparation
from lfqa.training import run as running
from lfqa.training.generator import encode
from lfqa.training.prepare import read_lines
from lfqa.training.recipes import GeneratorRecipe, Stage
from tests.training_helpers import write_bert, write_corpus, write_data

SHORT = {"steps": 2, "batch_size": 2, "source_tokens": 96, "target_tokens": 24, "learning_rate": 1e-3}
STAGES = [{"name": "copy", **SHORT, "attention": "eager"}, {"name": "answer", **SHORT, "copying": 0.3, "selected": 1.0}]


def invoke(*arguments: Any) -> Any:
    return CliRunner().invoke(app, ["train", *map(str, arguments)])


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with data, corpus, settings, and what `prepare` made; for the module a small BERT is the teacher."""
    folder = tmp_path_factory.mktemp("train")
    write_data(folder / "data")
    write_corpus(folder / "corpus")
    bert = write_bert(folder / "bert")
    generator = {"vocab_size": 400, "decoder_layers": 1, "stages": STAGES}
    (folder / "generator.json").write_text(json.dumps(generator), encoding="utf-8")
    (folder / "retriever.json").write_text(json.dumps({"batch_size": 2, "dimension": 16}), encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(running, "teacher_folder", lambda: bert)
        patch.setattr(warmstart, "teacher_folder", lambda: bert)
        patch.setattr(preparation, "_TEST_QUESTIONS", 4)
        patch.setattr(running, "_FIT_BATCHES", 2)
        result = invoke("prepare", folder / "data", "--out", folder / "prepared")
        assert result.exit_code == 0, result.output
        assert "glossary: " in result.stderr
        yield folder


def common(place: Path, kind: str, out: Path) -> list[Any]:
    return [
        kind,
        place / "prepared",
        "--corpus",
        place / "corpus",
        "--settings",
        place / f"{kind}.json",
        "--out",
        out,
        "--no-compile",
        "--threads",
        2,
    ]


@pytest.fixture(scope="module")
def generator(place: Path) -> Path:
    """A generator's run, stopped in its second stage by Ctrl-C and resumed."""
    out, train_step = place / "generator", loop._train_step

    def stopped(task: Any, optimizers: Any, settings: Any, step: int) -> float:
        if (out / "copy" / loop.CHECKPOINT).exists() and step == 1:
            raise KeyboardInterrupt
        return train_step(task, optimizers, settings, step)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(loop, "_train_step", stopped)
        result = invoke(*common(place, "generator", out))
    assert result.exit_code == 130, result.output
    assert "--resume" in result.stderr
    assert not (out / "model").exists()
    refused = invoke(*common(place, "generator", out))
    assert refused.exit_code == 2
    assert "pass --resume" in refused.stderr
    other = invoke(*common(place, "generator", out), "--resume", "--seed", 5)
    assert other.exit_code == 2
    assert "begun with other settings" in other.stderr
    result = invoke(*common(place, "generator", out), "--resume")
    assert result.exit_code == 0, result.output
    return out


def test_a_stopped_generator_run_is_finished_by_resume_with_the_same_weights(place: Path, generator: Path) -> None:
    whole = place / "whole"
    result = invoke(*common(place, "generator", whole))
    assert result.exit_code == 0, result.output
    left, right = (torch.load(folder / "answer" / loop.CHECKPOINT, weights_only=True)["model"] for folder in (whole, generator))
    assert all(torch.equal(value, right[name]) for name, value in left.items())
    assert json.loads((whole / "measured.json").read_text()) == json.loads((generator / "measured.json").read_text())


def test_the_generator_loads_and_writes(generator: Path) -> None:
    model = BartForConditionalGeneration.from_pretrained(generator / "model", dtype=torch.float32)
    tokenizer: Any = AutoTokenizer.from_pretrained(generator / "model")
    assert len(tokenizer) == model.config.vocab_size <= 400
    assert (model.config.encoder_layers, model.config.decoder_layers) == (2, 1)
    batch = tokenizer(["question: Why? context: <P> Bread: The bread keeps the people warm."], return_tensors="pt")
    written = model.generate(**batch, min_new_tokens=4, max_new_tokens=8, do_sample=False, num_beams=1)
    assert isinstance(tokenizer.decode(written[0], skip_special_tokens=True), str)
    assert written.shape[1] > 4


def test_encoding_a_batch_does_not_change_the_prompts_that_follow(place: Path, generator: Path) -> None:
    tokenizer: Any = AutoTokenizer.from_pretrained(generator / "tokenizer")
    recipe = GeneratorRecipe(stages=(Stage("answer", 2, 2, 96, 24, 1e-3, copying=0.0),))
    texts = read_lines(place / "prepared" / "texts.jsonl")
    make, _ = running._stage_examples(
        tokenizer, recipe.stages[0], recipe, texts, place / "prepared", place / "corpus", lambda records, name: records
    )
    before = [make(random.Random(n)) for n in range(20)]
    encode(tokenizer, ["Why?"], 24)  # cuts and pads, and leaves the tokenizer so
    assert [make(random.Random(n)) for n in range(20)] == before
    assert sum("<P>" in prompt for prompt, _ in before) >= 14


def test_settings_and_measurements_are_saved_beside_the_result(generator: Path) -> None:
    settings = json.loads((generator / "settings.json").read_text())
    assert settings["vocab_size"] == 400
    assert [stage["name"] for stage in settings["stages"]] == ["copy", "answer"]
    assert set(json.loads((generator / "measured.json").read_text())) == {"validation_loss", "validation_accuracy"}
    assert not list(generator.rglob("*.partial"))


def test_resuming_a_finished_run_changes_nothing(place: Path, generator: Path) -> None:
    names = ("measured.json", "settings.json", "model/model.safetensors", f"answer/{loop.CHECKPOINT}")
    before = [(generator / name).read_bytes() for name in names]
    result = invoke(*common(place, "generator", generator), "--resume")
    assert result.exit_code == 0, result.output
    assert [(generator / name).read_bytes() for name in names] == before


def test_the_records_are_ranked_once_and_kept(generator: Path) -> None:
    records = read_lines(generator / "ranked_training.jsonl")
    assert records
    for record in records:
        assert [len(values) for values in record["relevance"]] == [len(sentence_spans(p["text"])) for p in record["passages"]]


def test_a_generator_goes_on_from_a_checkpoint(place: Path, generator: Path, tmp_path: Path) -> None:
    old: Any = BartForConditionalGeneration.from_pretrained(generator / "model", dtype=torch.float32)
    result = invoke(*common(place, "generator", tmp_path / "new"), "--init", generator / "model")
    assert result.exit_code == 0, result.output
    new: Any = BartForConditionalGeneration.from_pretrained(tmp_path / "new" / "model", dtype=torch.float32)
    tokenizer: Any = AutoTokenizer.from_pretrained(tmp_path / "new" / "model")
    assert len(tokenizer) == new.config.vocab_size
    assert all(len(tokenizer(mark, add_special_tokens=False)["input_ids"]) == 1 for mark in RANK_MARKS)
    moved = [(old.state_dict()[name] - value).abs().max() for name, value in new.state_dict().items() if name.endswith("fc1.weight")]
    assert 0 < max(moved) < 0.05, "a few steps away from where it began"


def test_a_retriever_is_trained_resumed_and_loads(place: Path) -> None:
    out = place / "retriever"
    result = invoke(*common(place, "retriever", out), "--steps", 3)
    assert result.exit_code == 0, result.output
    assert f"{out / 'model'}: " in result.stdout
    assert json.loads((out / "settings.json").read_text())["steps"] == 3
    measured = json.loads((out / "measured.json").read_text())
    assert set(measured) == {"recall@1", "teacher_recall@1"}
    shutil.rmtree(out / "model")
    assert invoke(*common(place, "retriever", out), "--steps", 3).exit_code == 2
    again = invoke(*common(place, "retriever", out), "--steps", 3, "--resume")
    assert again.exit_code == 0, again.output
    assert json.loads((out / "measured.json").read_text()) == measured
    model: Any = AutoModel.from_pretrained(out / "model", dtype=torch.float32)
    batch = AutoTokenizer.from_pretrained(out / "model")(["Why is bread useful?"], return_tensors="pt")
    with torch.no_grad():
        vector = model.embed_questions(batch["input_ids"], batch["attention_mask"])
    assert vector.shape == (1, 16)
    assert vector.isfinite().all()


@pytest.mark.parametrize("kind", ["generator", "retriever"])
def test_what_is_missing_or_unknown_is_said_and_nothing_is_begun(place: Path, tmp_path: Path, kind: str) -> None:
    out = tmp_path / "out"
    missing = invoke(kind, tmp_path / "nowhere", "--out", out)
    assert missing.exit_code == 2
    assert "make it with `lfqa train prepare" in missing.stderr.replace("\n", " ")
    corpus = invoke(kind, place / "prepared", "--corpus", tmp_path, "--out", out)
    assert corpus.exit_code == 2
    assert "the corpus is a folder with" in corpus.stderr
    (tmp_path / "bad.json").write_text('{"stepz": 3}')
    unknown = invoke(kind, place / "prepared", "--corpus", place / "corpus", "--settings", tmp_path / "bad.json", "--out", out)
    assert unknown.exit_code == 2
    assert "no field ['stepz']" in unknown.stderr
    absent = invoke(kind, place / "prepared", "--settings", tmp_path / "absent.json", "--out", out)
    assert absent.exit_code == 2
    assert "absent.json" in absent.stderr
    assert invoke(kind, place / "prepared", "--out", out, "--threads", 0).exit_code == 2
    assert not out.exists()


def test_a_mixture_without_a_source_that_is_there_is_refused(place: Path, tmp_path: Path) -> None:
    (tmp_path / "s.json").write_text(json.dumps({"vocab_size": 400, "stages": STAGES, "texts": {"books": 1.0}}))
    result = invoke(
        "generator", place / "prepared", "--corpus", place / "corpus", "--settings", tmp_path / "s.json", "--out", tmp_path / "o"
    )
    assert result.exit_code == 2
    assert "texts gives weight to ['books']" in result.stderr


def test_prepare_names_the_missing_file(place: Path, tmp_path: Path) -> None:
    result = invoke("prepare", tmp_path / "nowhere", "--out", tmp_path / "out")
    assert result.exit_code == 2
    assert "squadshifts_wiki.jsonl.gz is missing" in result.stderr
