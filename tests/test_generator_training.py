"""The generator's task: its loss is the model's own, it falls, and what is saved is what was trained."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoTokenizer, BartForConditionalGeneration

from lfqa.training.generator import GeneratorTask, Shape, copying_maker, encode, load_generator, save_generator
from lfqa.training.loop import LoopSettings, run
from lfqa.training.tokenizer import train_tokenizer
from lfqa.training.warmstart import bart_from_bert
from tests.training_helpers import SUBJECTS, prose, write_bert

PASSAGES = [{"title": s.title(), "section": "", "text": prose(s, 6, n)} for n, s in enumerate(SUBJECTS)]
EXAMPLES = [
    ("question: Why? context: <P> The tide rises.", "The tide rises."),
    ("question: What? context: <P> Salt.", "Salt is white and dry."),
]


@pytest.fixture(scope="module")
def tokenizer() -> Any:
    return train_tokenizer([p["text"] for p in PASSAGES] * 2, 400)


@pytest.fixture(scope="module")
def bert(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_bert(tmp_path_factory.mktemp("bert"), positions=128)


@pytest.fixture
def model(bert: Path, tokenizer: Any) -> Any:
    torch.manual_seed(0)
    model = bart_from_bert(bert, tokenizer, decoder_layers=1, max_positions=128)
    for module in model.modules():
        if isinstance(getattr(module, "dropout", None), float):
            module.dropout = 0.0
    return model


def task(model: Any, tokenizer: Any, validation: Any = EXAMPLES, **options: Any) -> GeneratorTask:
    return GeneratorTask(model, tokenizer, Shape(2, 48, 24), lambda rng: rng.choice(EXAMPLES), validation, compile_model=False, **options)


def test_texts_are_encoded_to_one_length_and_end_in_the_end_mark(tokenizer: Any) -> None:
    ids, mask = encode(tokenizer, [prose("tide"), "Why?"], 12)
    assert ids.shape == mask.shape == (2, 12)
    assert ids[0, -1] == tokenizer.eos_token_id
    assert mask[0].all()
    end = int(mask[1].sum())
    assert ids[1, end - 1] == tokenizer.eos_token_id
    assert (ids[1, end:] == tokenizer.pad_token_id).all()


def test_a_checkpoint_without_rank_marks_gets_them_and_keeps_its_other_words(model: Any, tokenizer: Any, tmp_path: Path) -> None:
    save_generator(model, tokenizer, tmp_path)
    known: Any = AutoTokenizer.from_pretrained(tmp_path)
    assert load_generator(tmp_path, known).config.vocab_size == len(known) == len(tokenizer), "they are there already"
    known.add_tokens(["onemore"])
    grown = load_generator(tmp_path, known)
    assert grown.config.vocab_size == len(tokenizer), "only marks that lack are added"


def reference(model: Any, tokenizer: Any, examples: Any, smoothing: float = 0.0) -> float:
    """The loss with Transformers' own head, in float32."""
    source = tokenizer([s for s, _ in examples], padding=True, return_tensors="pt")
    labels = tokenizer([t for _, t in examples], padding=True, return_tensors="pt")["input_ids"]
    shifted = torch.cat([torch.full_like(labels[:, :1], tokenizer.bos_token_id), labels[:, :-1]], 1)
    with torch.no_grad():
        logits = model(**source, decoder_input_ids=shifted).logits
    kept = labels != tokenizer.pad_token_id
    return float(torch.nn.functional.cross_entropy(logits[kept], labels[kept], label_smoothing=smoothing))


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
def test_the_loss_is_the_cross_entropy_of_transformers_own_logits(model: Any, tokenizer: Any, smoothing: float) -> None:
    trained = task(model, tokenizer, label_smoothing=smoothing)
    rng = random.Random(3)
    examples = [rng.choice(EXAMPLES) for _ in range(2)]
    found = float(trained.loss(0, random.Random(3)).detach())
    assert found == pytest.approx(reference(model, tokenizer, examples, smoothing), rel=0.02)  # bfloat16 against float32


def test_evaluation_measures_whole_batches_and_touches_nothing(model: Any, tokenizer: Any) -> None:
    before = {name: value.clone() for name, value in model.state_dict().items()}
    measured = task(model, tokenizer, [*EXAMPLES, EXAMPLES[0]]).evaluate()
    assert measured == task(model, tokenizer).evaluate()
    assert measured["validation_loss"] == pytest.approx(reference(model, tokenizer, EXAMPLES), rel=0.02)
    assert 0 <= measured["validation_accuracy"] <= 1
    assert task(model, tokenizer, EXAMPLES[:1]).evaluate() == {}
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


def test_training_lowers_the_loss(model: Any, tokenizer: Any, tmp_path: Path) -> None:
    trained = task(model, tokenizer)
    before = trained.evaluate()["validation_loss"]
    after = run(trained, LoopSettings(40, 3e-3, optimizer="adamw"), tmp_path)
    assert after["validation_loss"] < 0.6 * before
    assert after["validation_accuracy"] > 0.3


def test_what_is_saved_is_the_model_in_half_precision(model: Any, tokenizer: Any, tmp_path: Path) -> None:
    dtype = model.config.dtype
    save_generator(model, tokenizer, tmp_path)
    assert model.config.dtype == dtype
    assert next(model.parameters()).dtype == torch.float32
    loaded = BartForConditionalGeneration.from_pretrained(tmp_path, dtype=torch.float32)
    own = model.state_dict()
    assert all(torch.equal(value, own[name].half().float()) for name, value in loaded.state_dict().items())
    assert loaded.config.decoder_start_token_id == tokenizer.bos_token_id
    again: Any = AutoTokenizer.from_pretrained(tmp_path)
    assert again(EXAMPLES[0][0])["input_ids"] == tokenizer(EXAMPLES[0][0])["input_ids"]


@pytest.mark.parametrize("selected", [0.0, 1.0])
def test_copying_examples_are_of_the_kind_asked_for_and_fit_their_shape(tokenizer: Any, selected: float) -> None:
    make = copying_maker(PASSAGES, Shape(2, 200, 90), selected)
    for seed in range(40):
        source, target = make(random.Random(seed))
        assert source.startswith("question: ") == bool(selected)
        assert len(target.split()) <= 90 * 0.68
        assert (source, target) == make(random.Random(seed))


def test_a_single_passage_is_enough_to_copy() -> None:
    source, target = copying_maker(PASSAGES[:1], Shape(2, 64, 32), 1.0)(random.Random(1))
    assert target in PASSAGES[0]["text"]
    assert target.split(". ")[0] in source
