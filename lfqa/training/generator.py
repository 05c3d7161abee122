"""Training the BART generator: denoising first, then grounded answering, through one loop."""

from __future__ import annotations

import copy
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import torch
from torch.nn import functional
from transformers import BartForConditionalGeneration, PreTrainedTokenizerBase

from lfqa.generation.prompt import PASSAGE_MARK, RANK_MARKS
from lfqa.training.denoising import aligned_example, selected_example

Example = tuple[str, str]
Maker = Callable[[random.Random], Example]

_IGNORED = -100  # the label that `cross_entropy` leaves out


@dataclass(frozen=True)
class Shape:
    """The fixed shape of a stage's batches, so that it is compiled once; lengths in tokens."""

    batch_size: int
    source_tokens: int
    target_tokens: int


def copying_maker(passages: Sequence[dict[str, str]], shape: Shape, selected_share: float) -> Maker:
    """Return a maker of denoising examples, `selected_share` of them of the selected kind, that fit `shape`."""

    def make(rng: random.Random) -> Example:
        if rng.random() < selected_share:
            start = rng.randrange(len(passages))
            # neighbours in the file are mostly of the same article: the harder distractors
            near = [passages[(start + k) % len(passages)] for k in range(rng.randint(1, 2))]
            far = [rng.choice(passages) for _ in range(rng.randint(1, 2))]
            return selected_example(
                near + far, rng, source_words=int(shape.source_tokens * 0.62), target_words=int(shape.target_tokens * 0.62)
            )
        return aligned_example(rng.choice(passages), rng, words=int(shape.target_tokens * 0.68))

    return make


def encode(
    tokenizer: PreTrainedTokenizerBase, texts: list[str], length: int, device: torch.device | str = "cpu"
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return ids and mask of shape (batch, length), cut and padded to `length`, each row ending in ``</s>``."""
    batch = tokenizer(texts, truncation=True, max_length=length, padding="max_length", return_tensors="pt")
    return batch["input_ids"].to(device), batch["attention_mask"].to(device)


class GeneratorTask:
    """Teacher-forced cross-entropy of targets given sources.

    Parameters
    ----------
    shape
        Of every batch; longer texts are cut.
    make
        Draws one training example.
    validation
        Examples that are measured, whole batches of them; never trained on.
    compile_model
        Compile the model for the fixed shapes; about 1.5 times faster on two cores after a minute of compilation.
    """

    def __init__(
        self,
        model: BartForConditionalGeneration,
        tokenizer: PreTrainedTokenizerBase,
        shape: Shape,
        make: Maker,
        validation: Sequence[Example],
        *,
        label_smoothing: float = 0.0,
        compile_model: bool = True,
        device: str = "cpu",
    ) -> None:
        self.model = cast(Any, model)
        self.model.to(device)
        self.tokenizer, self.shape, self.make, self.validation = tokenizer, shape, make, list(validation)
        self.label_smoothing, self.device = label_smoothing, device
        self._forward = torch.compile(model.model, dynamic=False) if compile_model else model.model
        self.decoder_start = self.model.config.decoder_start_token_id

    def _states(self, examples: Sequence[Example]) -> tuple[torch.Tensor, torch.Tensor]:
        """Return decoder states (n, width) and labels (n,) at the positions that are not padding.

        Positions of the label `_IGNORED` fill n up to a multiple of 256: batches of a few sizes keep the allocator from scattering.
        """
        source, mask = encode(self.tokenizer, [s for s, _ in examples], self.shape.source_tokens, self.device)
        labels, kept = encode(self.tokenizer, [t for _, t in examples], self.shape.target_tokens, self.device)
        shifted = torch.cat([torch.full_like(labels[:, :1], self.decoder_start), labels[:, :-1]], 1)
        with torch.autocast(self.device, dtype=torch.bfloat16):
            states = self._forward(input_ids=source, attention_mask=mask, decoder_input_ids=shifted, use_cache=False).last_hidden_state
        chosen = kept.flatten().nonzero().squeeze(1)  # (n,)
        short = -len(chosen) % 256
        places, wanted = functional.pad(chosen, (0, short)), functional.pad(labels.flatten()[chosen], (0, short), value=_IGNORED)
        return states.flatten(0, 1)[places], wanted

    def _logits(self, states: torch.Tensor) -> torch.Tensor:
        """Return the logits (n, vocabulary) of decoder states (n, width)."""
        with torch.autocast(self.device, dtype=torch.bfloat16):
            return functional.linear(states, self.model.model.shared.weight)

    def loss(self, step: int, rng: random.Random) -> torch.Tensor:
        """Return the mean cross-entropy over the target tokens of one batch."""
        self.model.train()
        examples = [self.make(rng) for _ in range(self.shape.batch_size)]
        states, labels = self._states(examples)
        return functional.cross_entropy(self._logits(states).float(), labels, label_smoothing=self.label_smoothing)

    @torch.no_grad()
    def evaluate(self) -> dict[str, float]:
        """Return the cross-entropy (nats a token) and the share of target tokens predicted right.

        Only whole batches of the validation examples count, as the model is compiled for their shape; without one there is nothing.
        """
        self.model.eval()
        total, right, count = 0.0, 0, 0
        size = self.shape.batch_size
        for start in range(0, len(self.validation) - len(self.validation) % size, size):
            states, labels = self._states(self.validation[start : start + size])
            logits = self._logits(states).float()
            total += float(functional.cross_entropy(logits, labels, reduction="sum"))
            right += int((logits.argmax(-1) == labels).sum())
            count += int((labels != _IGNORED).sum())
        return {"validation_loss": total / count, "validation_accuracy": right / count} if count else {}


def load_generator(checkpoint: Path, tokenizer: PreTrainedTokenizerBase) -> BartForConditionalGeneration:
    """Return a checkpoint in float32 to train on; rank marks that it lacks are added to its vocabulary and to `tokenizer`."""
    model = BartForConditionalGeneration.from_pretrained(checkpoint, dtype=torch.float32)
    if tokenizer.add_special_tokens({"additional_special_tokens": [PASSAGE_MARK, *RANK_MARKS]}):
        model.resize_token_embeddings(len(tokenizer))
    return model


def save_generator(model: BartForConditionalGeneration, tokenizer: PreTrainedTokenizerBase, folder: Path) -> None:
    """Write `model` as fp16 safetensors, with its tokenizer, to `folder`; `model` itself is not changed."""
    halved = BartForConditionalGeneration(copy.deepcopy(model.config))
    halved.load_state_dict(model.state_dict())
    halved.half().save_pretrained(folder)
    tokenizer.save_pretrained(folder)
