"""BART by CTranslate2: int8 on the CPU, about three times as fast as Transformers and a quarter of its memory."""

from __future__ import annotations

import itertools
import json
import logging
import os
import shutil
import tempfile
import threading
from collections.abc import Generator as Generates
from pathlib import Path
from typing import Any

import ctranslate2
from tokenizers import Tokenizer

from lfqa.digest import checkpoint_digest
from lfqa.generation.prompt import RANK_MARKS
from lfqa.generation.protocol import Decoding

logger = logging.getLogger(__name__)

_SEEDING = threading.Lock()  # the seed is the whole process's

_CONVERSION = "1"  # part of the cache key: raise it when the conversion below changes


def convert(checkpoint: Path, cache: Path, quantization: str = "int8") -> Path:
    """Return the folder of `checkpoint` converted for CTranslate2, converting it on first use; it appears whole or not at all."""
    target = cache / "ctranslate2" / f"{checkpoint_digest(checkpoint, cache)}-{quantization}-{_CONVERSION}"
    if (target / "model.bin").is_file():
        return target
    from ctranslate2.converters import TransformersConverter

    logger.info("converting %s for CTranslate2 (once)", checkpoint)
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".converting-") as work:
        copy = Path(work) / "checkpoint"
        copy.mkdir()
        for path in checkpoint.iterdir():
            if path.is_file():
                (copy / path.name).symlink_to(path.resolve())
        config = _read_config(checkpoint)
        # the converter reads two keys that Transformers 5 no longer writes for BART
        config.setdefault("normalize_before", False)
        config.setdefault("position_embedding_type", "absolute")
        (copy / "config.json").unlink()
        (copy / "config.json").write_text(json.dumps(config), encoding="utf-8")
        out = Path(work) / "out"
        TransformersConverter(str(copy)).convert(str(out), quantization=quantization)
        try:
            os.replace(out, target)
        except OSError:  # another process was faster, or the folder there lacks its weights
            if not (target / "model.bin").is_file():
                shutil.rmtree(target, ignore_errors=True)
                os.replace(out, target)
    return target


class CTranslateGenerator:
    """A BART checkpoint run by CTranslate2.

    Parameters
    ----------
    checkpoint
        Folder with config.json, weights and tokenizer.json.
    cache
        Where the converted model is kept.
    threads
        One is fastest for a small model.
    """

    def __init__(self, checkpoint: Path, cache: Path, *, threads: int = 1, device: str = "cpu") -> None:
        def load() -> ctranslate2.Translator:
            kind = "int8" if device == "cpu" else "int8_float16"
            folder = str(convert(checkpoint, cache))
            return ctranslate2.Translator(folder, device=device, compute_type=kind, intra_threads=threads, inter_threads=1)

        self._load = load
        try:
            self._translator = load()
        except RuntimeError as error:  # the converted copy is damaged: make it again
            logger.warning("%s: converting %s again", error, checkpoint)
            shutil.rmtree(convert(checkpoint, cache))
            self._translator = load()
        self._tokenizer = _load_tokenizer(checkpoint)
        config = _read_config(checkpoint)
        self._end = self._tokenizer.id_to_token(config["eos_token_id"])
        forced = config.get("forced_bos_token_id")
        self._prefix = None if forced is None else [self._tokenizer.id_to_token(forced)]
        self.rank_marks = tuple(mark for mark in RANK_MARKS if self._tokenizer.token_to_id(mark) is not None)
        self._specials = {config.get(f"{name}_token_id") for name in ("bos", "eos", "pad")}

    def count(self, text: str) -> int:
        """Return how many tokens `text` takes, with the special tokens around it."""
        return len(self._tokenizer.encode(text).ids)

    def stream(self, prompt: str, decoding: Decoding, opening: str = "") -> Generates[str, None, None]:
        """Yield the answer to `prompt` piece by piece, `opening` first, which it goes on from; closing the iterator stops the work."""
        tokens = self._tokenizer.encode(prompt).tokens
        options: dict[str, Any] = {
            "max_decoding_length": decoding.longest,
            "min_decoding_length": decoding.shortest,
            "no_repeat_ngram_size": decoding.no_repeat_ngram,
            "max_input_length": 0,
        }
        begun = [token for token in self._tokenizer.encode(opening).tokens if self._tokenizer.token_to_id(token) not in self._specials]
        start = [*(self._prefix or []), *begun] if opening else self._prefix
        prefix = [start] if start else None
        if decoding.method == "beam":
            result = self._translator.translate_batch([tokens], target_prefix=prefix, beam_size=decoding.beams, **options)
            found = [self._tokenizer.token_to_id(token) for token in result[0].hypotheses[0]]
            yield self._tokenizer.decode([number for number in found if number is not None], skip_special_tokens=True).strip()
            return
        ids, shown = [], ""
        if decoding.method == "sample":
            options.update(sampling_topk=0, sampling_topp=decoding.top_p, sampling_temperature=decoding.temperature)
            # a thread of CTranslate2 takes the seed when it draws its first token and never again: a fresh one for each sample
            with _SEEDING:
                ctranslate2.set_random_seed(decoding.seed)
                steps = self._load().generate_tokens(tokens, target_prefix=start, **options)
                first = list(itertools.islice(steps, 1))
        else:
            steps, first = self._translator.generate_tokens(tokens, target_prefix=start, **options), []
        try:
            for step in itertools.chain(first, steps):
                if step.token == self._end:
                    break
                if step.token_id in self._specials:
                    continue
                ids.append(step.token_id)
                text = self._tokenizer.decode(ids, skip_special_tokens=True).lstrip()
                # a character may be made of several tokens: wait for all of it
                if not text.endswith("\ufffd") and len(text) > len(shown):
                    yield text[len(shown) :]
                    shown = text
        finally:
            steps.close()


def _read_config(checkpoint: Path) -> dict[str, Any]:
    file = checkpoint / "config.json"
    try:
        config = json.loads(file.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{file} is damaged: {error}") from error
    if not isinstance(config, dict):
        raise ValueError(f"{file} is damaged: a configuration is an object, not {type(config).__name__}")
    return config


def _load_tokenizer(checkpoint: Path) -> Tokenizer:
    file = checkpoint / "tokenizer.json"
    if file.is_file():
        tokenizer = Tokenizer.from_file(str(file))
    else:
        from transformers import AutoTokenizer

        tokenizer = AutoTokenizer.from_pretrained(checkpoint).backend_tokenizer
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer
