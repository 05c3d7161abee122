"""The recipes behind the two shipped checkpoints, as settings that are saved beside every result."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field, fields, replace
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


_STAGES = (
    Stage("copy", 225, 32, 96, 96, 9e-4, attention="eager"),
    Stage("select", 260, 24, 224, 96, 8e-4, selected=0.85),
    Stage("answer", 640, 16, 256, 128, 6e-4, decay=0.6, copying=0.2, selected=1.0, label_smoothing=0.05),
)


@dataclass(frozen=True)
class GeneratorRecipe:
    """How the generator is trained: a vocabulary, then stages one after the other."""

    vocab_size: int = 20_000
    decoder_layers: int = 6
    seed: int = 0
    stages: tuple[Stage, ...] = _STAGES
    mixture: dict[str, float] = field(
        default_factory=lambda: {
            "own": 0.34,
            "nq": 0.17,
            "clapnq": 0.03,
            "lfrqa": 0.14,
            "dolly": 0.08,
            "exercises": 0.05,
            "glossary": 0.05,
            "medquad": 0.07,
            "encyclopedia": 0.07,
        }  # fmt: skip
    )
    texts: dict[str, float] = field(
        default_factory=lambda: {"simplewiki": 0.28, "wikipedia_vital": 0.27, "openstax": 0.33, "medquad": 0.06, "lfrqa": 0.06}
    )


@dataclass(frozen=True)
class RetrieverRecipe:
    """How the retriever is trained: distillation, and from `pairs_from` (a share of the steps) on pairs on every other step."""

    steps: int = 460
    batch_size: int = 64
    learning_rate: float = 3e-4
    pairs_from: float = 0.6
    decay: float = 0.7
    seed: int = 0
    dimension: int = 128


def read_recipe(default: Any, path: Path | None, **changes: Any) -> Any:
    """Return the recipe `default` with the fields of a JSON file, then `changes` that are not None.

    Raises
    ------
    ValueError
        When the file is not JSON or names a field that the recipe does not have.
    """
    values: dict[str, Any] = {}
    if path is not None:
        try:
            values = json.loads(path.read_text(encoding="utf-8"))
        except ValueError as error:
            raise ValueError(f"{path} is not JSON: {error}") from error
    values.update({name: value for name, value in changes.items() if value is not None})
    known = {item.name for item in fields(default)}
    if unknown := set(values) - known:
        raise ValueError(f"the recipe has no field {sorted(unknown)}; it has {sorted(known)}")
    if "stages" in values:
        values["stages"] = tuple(stage if isinstance(stage, Stage) else Stage(**stage) for stage in values["stages"])
    return replace(default, **values)


def as_dict(recipe: Any) -> dict[str, Any]:
    """Return a recipe as plain values for JSON."""
    return asdict(recipe)
