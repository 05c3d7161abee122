"""BART by Transformers: the reference engine, and the one for a GPU."""

from __future__ import annotations

import threading
from collections.abc import Generator as Generates
from pathlib import Path
from typing import Any

import torch
from transformers import (
    AutoTokenizer,
    BartForConditionalGeneration,
    StoppingCriteria,
    StoppingCriteriaList,
    TextIteratorStreamer,
)

from lfqa.generation.prompt import RANK_MARKS
from lfqa.generation.protocol import Decoding


class _Stop(StoppingCriteria):
    def __init__(self) -> None:
        self.event = threading.Event()

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor, **_: Any) -> torch.Tensor:
        return torch.full((input_ids.shape[0],), self.event.is_set(), device=input_ids.device)


class TransformersGenerator:
    """A BART checkpoint run by Transformers in float32 on the CPU, in float16 on a GPU.

    Parameters
    ----------
    checkpoint
        Folder or hub name.
    device
        ``cpu`` or ``cuda``.
    """

    def __init__(self, checkpoint: str | Path, device: str = "cpu") -> None:
        self.device = device
        self._tokenizer = AutoTokenizer.from_pretrained(checkpoint)
        self.rank_marks = tuple(mark for mark in RANK_MARKS if mark in self._tokenizer.get_vocab())
        dtype = torch.float32 if device == "cpu" else torch.float16
        self._model = BartForConditionalGeneration.from_pretrained(checkpoint, dtype=dtype).to(device).eval()  # type: ignore[arg-type]

    def count(self, text: str) -> int:
        """Return how many tokens `text` takes, with the special tokens around it."""
        return len(self._tokenizer(text, truncation=False)["input_ids"])

    def stream(self, prompt: str, decoding: Decoding, opening: str = "") -> Generates[str, None, None]:
        """Yield the answer to `prompt` piece by piece, `opening` first, which it goes on from; closing the iterator stops the work."""
        batch = self._tokenizer(prompt, return_tensors="pt").to(self.device)
        stop = _Stop()
        options: dict[str, Any] = {
            "input_ids": batch["input_ids"],
            "attention_mask": batch["attention_mask"],
            "min_new_tokens": decoding.shortest,
            "max_new_tokens": decoding.longest,
            "no_repeat_ngram_size": decoding.no_repeat_ngram,
            "num_beams": decoding.beams if decoding.method == "beam" else 1,
            "do_sample": decoding.method == "sample",
            "stopping_criteria": StoppingCriteriaList([stop]),
        }
        if opening:
            begun = self._tokenizer(opening, add_special_tokens=False)["input_ids"]
            options["decoder_input_ids"] = torch.tensor([[self._model.config.decoder_start_token_id, *begun]], device=self.device)
        if decoding.method == "sample":
            torch.manual_seed(decoding.seed)
            options.update(temperature=decoding.temperature, top_p=decoding.top_p, top_k=0)
        if decoding.method == "beam":  # Transformers' streamer refuses beams
            with torch.inference_mode():
                ids = self._model.generate(**options)
            yield str(self._tokenizer.decode(ids[0], skip_special_tokens=True)).strip()
            return
        streamer = TextIteratorStreamer(self._tokenizer, skip_special_tokens=True)
        failure: list[BaseException] = []

        def work() -> None:
            try:
                with torch.inference_mode():
                    self._model.generate(**options, streamer=streamer)
            except BaseException as error:  # handed to the reader below
                failure.append(error)
                streamer.end()

        thread = threading.Thread(target=work, daemon=True)
        thread.start()
        try:
            started = False
            for piece in streamer:
                piece = piece if started else piece.lstrip()
                if piece:
                    started = True
                    yield piece
            if failure:
                raise failure[0]
        finally:
            stop.event.set()
            thread.join()
