"""BART by CTranslate2, held against Transformers on the same checkpoint."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from lfqa.generation import ctranslate
from lfqa.generation.bart import TransformersGenerator
from lfqa.generation.ctranslate import CTranslateGenerator, checkpoint_digest, convert
from lfqa.generation.protocol import Decoding
from tests.helpers import ASSETS, GENERATOR, HAS_GENERATOR, MEMORISED, NO_GENERATOR

PROMPT, ANSWER = next(iter(MEMORISED.items()))


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("converted")


@pytest.fixture(scope="module")
def generator(tiny_bart: Path, cache: Path) -> CTranslateGenerator:
    return CTranslateGenerator(tiny_bart, cache)


@pytest.fixture(scope="module")
def reference(tiny_bart: Path) -> TransformersGenerator:
    return TransformersGenerator(tiny_bart)


@pytest.mark.parametrize(
    "decoding",
    [
        Decoding(shortest=0, longest=128, no_repeat_ngram=0),
        Decoding(shortest=8, longest=12, no_repeat_ngram=0),
        Decoding(shortest=4, longest=128, no_repeat_ngram=4),
    ],
)
@pytest.mark.parametrize("prompt", list(MEMORISED))
def test_the_engine_writes_what_transformers_writes(
    prompt: str, decoding: Decoding, generator: CTranslateGenerator, reference: TransformersGenerator
) -> None:
    assert "".join(generator.stream(prompt, decoding)).strip() == "".join(reference.stream(prompt, decoding)).strip() != ""


@pytest.mark.parametrize("prompt", list(MEMORISED))
def test_both_engines_go_on_from_an_opening(prompt: str, generator: CTranslateGenerator, reference: TransformersGenerator) -> None:
    opening = " ".join(MEMORISED[prompt].split()[:4])
    for engine in (generator, reference):
        for decoding in (Decoding(shortest=4, longest=128), Decoding("beam", beams=2, shortest=4, longest=128)):
            assert "".join(engine.stream(prompt, decoding, opening)).strip() == MEMORISED[prompt]
    other = "The sea"
    assert "".join(generator.stream(prompt, Decoding(shortest=0, longest=40), other)).strip().startswith(other)


def test_beams_come_in_one_piece_and_find_what_transformers_finds(generator: CTranslateGenerator, reference: TransformersGenerator) -> None:
    """On one prompt: CTranslate2 stops at as many ends as beams, Transformers goes on while a better one is possible."""
    decoding = Decoding("beam", beams=3, shortest=4, longest=128, no_repeat_ngram=0)
    assert list(generator.stream(PROMPT, decoding)) == list(reference.stream(PROMPT, decoding)) == [ANSWER]


@pytest.mark.parametrize("prompt", list(MEMORISED))
def test_a_stream_never_shows_half_a_character(prompt: str, generator: CTranslateGenerator) -> None:
    pieces = list(generator.stream(prompt, Decoding(shortest=0, no_repeat_ngram=0)))
    assert "".join(pieces) == MEMORISED[prompt]
    assert len(pieces) > 3
    assert not any("\ufffd" in piece or piece == "" for piece in pieces)


def test_both_engines_count_alike(generator: CTranslateGenerator, reference: TransformersGenerator) -> None:
    for text in ("", PROMPT, "word " * 3000, "😀 <P> </s>"):
        assert generator.count(text) == reference.count(text)


def test_a_seed_makes_a_sample_again(generator: CTranslateGenerator) -> None:
    def sample(seed: int) -> str:
        hot = Decoding("sample", temperature=5.0, top_p=1.0, seed=seed, shortest=8, longest=24)
        return "".join(generator.stream(PROMPT, hot))

    assert sample(1) == sample(1)
    assert len({sample(seed) for seed in range(4)}) > 1


def test_lengths_hold(generator: CTranslateGenerator) -> None:
    short = "".join(generator.stream(PROMPT, Decoding(shortest=0, longest=8)))
    assert 0 < generator.count(short) <= 9
    long = "".join(generator.stream(PROMPT, Decoding(shortest=60, longest=80, no_repeat_ngram=0)))
    assert generator.count(long) >= 50 > generator.count(ANSWER)


def test_a_stream_can_be_closed_and_another_begun(generator: CTranslateGenerator) -> None:
    stream = generator.stream(PROMPT, Decoding(shortest=400, longest=500, no_repeat_ngram=0))
    first = next(stream)
    stream.close()
    assert ANSWER.startswith(first)
    assert "".join(generator.stream(PROMPT, Decoding(shortest=0, no_repeat_ngram=0))) == ANSWER


# conversion and its cache


def test_a_checkpoint_is_converted_once(
    tiny_bart: Path, cache: Path, generator: CTranslateGenerator, monkeypatch: pytest.MonkeyPatch
) -> None:
    import ctranslate2.converters

    monkeypatch.setattr(ctranslate2.converters, "TransformersConverter", lambda *_: pytest.fail("converted again"))
    folder = convert(tiny_bart, cache)
    assert folder.parent == cache / "ctranslate2"
    assert [path.name for path in folder.parent.iterdir()] == [folder.name], "nothing is left beside it"


def test_a_conversion_that_fails_leaves_nothing(tiny_bart: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import ctranslate2.converters

    class Failing:
        def __init__(self, folder: str) -> None:
            pass

        def convert(self, out: str, quantization: str) -> None:
            Path(out).mkdir()
            (Path(out) / "config.json").write_text("{}")
            raise OSError("no space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(ctranslate2.converters, "TransformersConverter", Failing)
        with pytest.raises(OSError, match="no space"):
            convert(tiny_bart, tmp_path)
    assert list((tmp_path / "ctranslate2").iterdir()) == []


@pytest.mark.parametrize("damage", ["truncated", "no weights"])
def test_a_damaged_conversion_is_made_again(
    damage: str, tiny_bart: Path, cache: Path, tmp_path: Path, generator: CTranslateGenerator
) -> None:
    shutil.copytree(cache, tmp_path / "cache")
    folder = convert(tiny_bart, tmp_path / "cache")
    if damage == "truncated":
        (folder / "model.bin").write_bytes((folder / "model.bin").read_bytes()[:5000])
    else:
        (folder / "model.bin").unlink()
    again = CTranslateGenerator(tiny_bart, tmp_path / "cache")
    assert "".join(again.stream(PROMPT, Decoding(shortest=0, no_repeat_ngram=0))) == ANSWER


def test_a_checkpoint_that_lacks_a_part_is_refused_with_what_is_missing(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="no checkpoint: config.json is missing"):
        checkpoint_digest(tmp_path)
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(FileNotFoundError, match="no checkpoint: model.safetensors.*is missing"):
        convert(tmp_path, tmp_path / "cache")
    assert not (tmp_path / "cache").exists()


@pytest.mark.parametrize("text", ["{", "[]", "\xff"])
def test_a_damaged_configuration_is_named(text: str, tiny_bart: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(tiny_bart, tmp_path / "checkpoint")
    (folder / "config.json").write_text(text, encoding="latin-1")
    with pytest.raises(ValueError, match="config.json is damaged"):
        CTranslateGenerator(folder, tmp_path / "cache")


@pytest.mark.parametrize("name", ["config.json", "tokenizer.json", "model.safetensors"])
def test_the_digest_follows_every_part(name: str, tiny_bart: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(tiny_bart, tmp_path / "checkpoint")
    assert checkpoint_digest(folder) == checkpoint_digest(tiny_bart)
    (folder / name).write_bytes((folder / name).read_bytes() + b" ")
    assert checkpoint_digest(folder) != checkpoint_digest(tiny_bart)


@pytest.mark.skipif(not HAS_GENERATOR, reason=NO_GENERATOR)
def test_the_bundled_generator_writes_alike_on_both_engines(cache: Path) -> None:
    """int8 rounding may change a word here and there, so the answers are compared by their words."""
    from rouge_score.rouge_scorer import RougeScorer

    passages = [json.loads(line) for line in (ASSETS / "corpus/passages.jsonl").read_text(encoding="utf-8").splitlines()]
    by_id = {p["passage_id"]: p for p in passages}
    fast, reference = CTranslateGenerator(GENERATOR, cache), TransformersGenerator(GENERATOR)
    scorer = RougeScorer(["rougeL"])
    decoding = Decoding(longest=64)
    scores = []
    for name, question in (("chocolate-1", "How is chocolate made?"), ("fever-1", "What is a fever?"), ("tides-1", "What are tides?")):
        prompt = f"question: {question} context: <P> {by_id[name]['article_title']}: {by_id[name]['passage_text']}"
        ours, theirs = "".join(fast.stream(prompt, decoding)), "".join(reference.stream(prompt, decoding))
        assert ours and theirs and fast.count(prompt) == reference.count(prompt)
        scores.append(scorer.score(theirs, ours)["rougeL"].fmeasure)
    assert sum(scores) / len(scores) > 0.6, scores


def test_no_conversion_key_is_shared_between_quantizations(tiny_bart: Path, cache: Path, generator: CTranslateGenerator) -> None:
    exact = convert(tiny_bart, cache, quantization="float32")
    assert exact != convert(tiny_bart, cache)
    assert exact.name.endswith(f"float32-{ctranslate._CONVERSION}")
    shutil.rmtree(exact)
