"""The recipes behind the two shipped checkpoints, as settings that are saved beside every result."""

from __future__ import annotations

import json
from dataclasses import MISSING, dataclass, field, fields, replace
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Stage:
    """One stage of the generator's training; lengths in tokens.

    Attributes
    ----------
    copying
        Share of denoising and copying examples; the rest are questions.
    selected
        Share of the copying examples that ask for sentences among several passages.
    quoted
        The corpus' own answers are replaced by the passage sentences that they were written from.
    unanswerable
        Share of the questions whose gold passages are taken away.
    attention
        ``eager`` is faster below about 150 tokens on a CPU, ``sdpa`` above.
    """

    name: str
    steps: int
    batch_size: int
    source_tokens: int
    target_tokens: int
    learning_rate: float
    decay: float = 0.02
    copying: float = 1.0
    selected: float = 0.0
    dropout: float = 0.0
    label_smoothing: float = 0.0
    attention: str = "sdpa"
    quoted: bool = False
    unanswerable: float = 0.07


_STAGES = (
    Stage("copy", 225, 32, 96, 96, 9e-4, attention="eager"),
    Stage("select", 260, 24, 224, 96, 8e-4, selected=0.85),
    Stage("answer", 374, 16, 256, 128, 6e-4, copying=0.2, selected=1.0, label_smoothing=0.05),
    Stage("quote", 460, 16, 256, 128, 6e-4, decay=1.0, copying=0.35, selected=1.0, quoted=True, unanswerable=0.02),
)


@dataclass(frozen=True)
class GeneratorRecipe:
    """How the generator is trained: a vocabulary, then stages one after the other.

    Attributes
    ----------
    vocab_size
        Tokens of the BPE that is trained, at most.
    mixture
        How often each source of the grounded records is drawn from, relative to the others; ``own`` is the corpus' questions.
    texts
        The same for the sources of the running passages.
    records
        How many prepared records a run draws from, at most; ranking their sentences takes a minute for every few thousand.
    """

    vocab_size: int = 20_000
    decoder_layers: int = 6
    records: int = 20_000
    seed: int = 0
    stages: tuple[Stage, ...] = _STAGES
    mixture: dict[str, float] = field(
        default_factory=lambda: {
            "own": 0.38,
            "nq": 0.19,
            "clapnq": 0.03,
            "lfrqa": 0.14,
            "dolly": 0.08,
            "exercises": 0.05,
            "glossary": 0.03,
            "medquad": 0.07,
            "encyclopedia": 0.03,
        }  # fmt: skip
    )
    texts: dict[str, float] = field(
        default_factory=lambda: {"simplewiki": 0.28, "wikipedia_vital": 0.27, "openstax": 0.33, "medquad": 0.06, "lfrqa": 0.06}
    )


@dataclass(frozen=True)
class RetrieverRecipe:
    """How the retriever is trained: distillation, and from `pairs_from` (a share of the steps) on pairs on every other step.

    Attributes
    ----------
    batch_size
        Questions in a batch, and as many passages.
    decay
        Share of the steps, at the end, over which the learning rate falls to zero.
    dimension
        Length of the vectors.
    passage_tokens
        Tokens after which a passage is cut.
    joined
        Share of the passages that are taken together with the one after it, for `passage_tokens` that hold both.
    """

    steps: int = 460
    batch_size: int = 64
    learning_rate: float = 3e-4
    pairs_from: float = 0.6
    passage_tokens: int = 128
    joined: float = 0.0
    decay: float = 0.7
    seed: int = 0
    dimension: int = 128


def read_recipe(default: Any, path: Path | None, **changes: Any) -> Any:
    """Return the recipe `default` with the fields of a JSON file, then `changes` that are not None.

    Raises
    ------
    ValueError
        When the file is not a JSON object, names a field that the recipe does not have, or holds a value of another type.
    """
    values: dict[str, Any] = {}
    if path is not None:
        try:
            values = json.loads(path.read_text(encoding="utf-8"))
        except ValueError as error:
            raise ValueError(f"{path} is not JSON: {error}") from error
        if not isinstance(values, dict):
            raise ValueError(f"{path} holds a JSON {type(values).__name__}, not an object with fields of the recipe")
    values.update({name: value for name, value in changes.items() if value is not None})
    _check(default, values, "the recipe")
    if "stages" in values:
        values["stages"] = tuple(_stage(stage, number) for number, stage in enumerate(values["stages"], start=1))
        names = [stage.name for stage in values["stages"]]
        if not names or len(set(names)) < len(names):
            raise ValueError(f"the recipe needs stages of different names, not {names}")
    return replace(default, **values)


def _check(default: Any, values: dict[str, Any], what: str) -> None:
    """Refuse fields that `default` lacks, and values of another type than its own; a whole number may stand for a fraction."""
    known = {item.name: getattr(default, item.name) for item in fields(default)}
    if unknown := set(values) - set(known):
        raise ValueError(f"{what} has no field {sorted(unknown)}; it has {sorted(known)}")
    for name, value in values.items():
        accepted = {float: (float, int), tuple: (tuple, list)}.get(type(known[name]), (type(known[name]),))
        if not isinstance(value, accepted) or isinstance(value, bool) is not isinstance(known[name], bool):
            raise ValueError(f"{what}: {name} must be {type(known[name]).__name__}, not {value!r}")


def _stage(values: Any, number: int) -> Stage:
    """Return the stage that a settings file describes."""
    if not isinstance(values, dict):
        raise ValueError(f"stage {number} must be an object with fields of a stage, not {values!r}")
    _check(_STAGES[0], values, f"stage {number}")
    if missing := [item.name for item in fields(Stage) if item.default is MISSING and item.name not in values]:
        raise ValueError(f"stage {number} lacks {missing}")
    return Stage(**values)
