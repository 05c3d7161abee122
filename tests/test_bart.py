"""BART by Transformers: streams what `generate` writes."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
import torch
from transformers import AutoTokenizer, BartForConditionalGeneration

from lfqa.generation.bart import TransformersGenerator
from lfqa.generation.protocol import Decoding
from tests.helpers import MEMORISED

PROMPT, ANSWER = next(iter(MEMORISED.items()))


@pytest.fixture(scope="module")
def generator(tiny_bart: Path) -> TransformersGenerator:
    return TransformersGenerator(tiny_bart)


@pytest.mark.parametrize("prompt", list(MEMORISED))
def test_greedy_streams_what_was_learned(prompt: str, generator: TransformersGenerator) -> None:
    pieces = list(generator.stream(prompt, Decoding(shortest=4, longest=128, no_repeat_ngram=0)))
    assert "".join(pieces).strip() == MEMORISED[prompt]
    assert len(pieces) > 3 and all(pieces)


def test_greedy_equals_generate_step_by_step(tiny_bart: Path, generator: TransformersGenerator) -> None:
    tokenizer = AutoTokenizer.from_pretrained(tiny_bart)
    model = BartForConditionalGeneration.from_pretrained(tiny_bart, dtype=torch.float32).eval()
    prompt = "question: What is heat? context: <P> Heat: The sea is a café."  # not learned
    batch = tokenizer(prompt, return_tensors="pt")
    ids = [model.config.decoder_start_token_id]
    with torch.inference_mode():
        while len(ids) < 31:
            logits = model(**batch, decoder_input_ids=torch.tensor([ids])).logits[0, -1]
            ids.append(int(logits.argmax()))
            if ids[-1] == tokenizer.eos_token_id:
                break
    wanted = tokenizer.decode(ids, skip_special_tokens=True).strip()
    found = "".join(generator.stream(prompt, Decoding(shortest=0, longest=30, no_repeat_ngram=0))).strip()
    assert found == wanted != ""


def test_beams_come_in_one_piece(generator: TransformersGenerator) -> None:
    assert list(generator.stream(PROMPT, Decoding("beam", beams=3, shortest=4, no_repeat_ngram=0))) == [ANSWER]


def test_a_seed_makes_a_sample_again(generator: TransformersGenerator) -> None:
    def sample(seed: int) -> str:
        hot = Decoding("sample", temperature=5.0, top_p=1.0, seed=seed, shortest=8, longest=24)
        return "".join(generator.stream(PROMPT, hot))

    assert sample(1) == sample(1)
    assert len({sample(seed) for seed in range(4)}) > 1


@pytest.mark.parametrize("longest", [8, 12])
def test_an_answer_is_never_longer_than_asked(longest: int, generator: TransformersGenerator) -> None:
    text = "".join(generator.stream(PROMPT, Decoding(shortest=0, longest=longest)))
    assert 0 < generator.count(text) <= longest + 1


def test_count_includes_the_end_token(tiny_bart: Path, generator: TransformersGenerator) -> None:
    assert generator.count("") == 1
    assert generator.count("word " * 3000) >= 3001, "counting must not cut"


def test_closing_the_stream_stops_the_work(generator: TransformersGenerator) -> None:
    before = threading.active_count()
    stream = generator.stream(PROMPT, Decoding(shortest=400, longest=500, no_repeat_ngram=0))
    assert next(stream)
    stream.close()
    assert threading.active_count() == before


def test_a_failure_while_writing_reaches_the_reader(generator: TransformersGenerator, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(**_: object) -> None:
        raise RuntimeError("out of memory")

    monkeypatch.setattr(generator._model, "generate", fail)
    with pytest.raises(RuntimeError, match="out of memory"):
        list(generator.stream(PROMPT, Decoding()))
