"""Loading checkpoints whole or not at all.

Transformers fills weights that a checkpoint lacks with random numbers and only logs it. For an encoder whose vectors
are compared with ones computed last month that is the worst outcome, so here it is an error.
"""

from __future__ import annotations

import os
import pickle
from collections.abc import Callable
from typing import Any

import torch
from transformers import PreTrainedModel

Mismatch = tuple[str, tuple[int, ...], tuple[int, ...]]


class CheckpointMismatchError(ValueError):
    """A checkpoint does not hold exactly the weights of the model it was to be loaded into.

    Parameters
    ----------
    source
        Where the weights came from.
    missing
        Names of the weights that the model has and the checkpoint lacks.
    unexpected
        Names of the weights that the checkpoint has and the model lacks.
    mismatched
        ``(name, shape in the checkpoint, shape in the model)`` of the weights whose shapes differ.
    hint
        A likely reason, or an empty string.
    """

    def __init__(self, source: object, missing: list[str], unexpected: list[str], mismatched: list[Mismatch], hint: str = "") -> None:
        self.missing = missing
        self.unexpected = unexpected
        self.mismatched = mismatched
        lines = [f"the weights in {source} are not those of the model{': ' + hint if hint else ''}"]
        lines += [f"  missing from the checkpoint: {name}" for name in missing]
        lines += [f"  unknown to the model: {name}" for name in unexpected]
        lines += [
            f"  of another shape: {name} is {list(found)} in the checkpoint, {list(wanted)} in the model"
            for name, found, wanted in mismatched
        ]
        super().__init__("\n".join(lines))


def load_whole(
    load: Callable[..., Any],
    source: str | os.PathLike[str] | None,
    *args: Any,
    **options: Any,
) -> tuple[PreTrainedModel, dict[str, Any]]:
    """Load a checkpoint with Transformers and refuse it unless every weight of the model came from it.

    Parameters
    ----------
    load
        Transformers' ``from_pretrained`` of the model class.
    source
        Directory or hub name; None if ``options`` has a ``state_dict``.
    *args, **options
        Further arguments of ``load``. Without ``dtype``, torch's default dtype is asked for.

    Returns
    -------
    tuple
        The model and Transformers' report on the loading.

    Raises
    ------
    CheckpointMismatchError
        If a weight is missing, unknown or of another shape.
    OSError
        If there is no checkpoint, or if it is a pickle that holds more than tensors.
    ValueError
        If ``options`` has ``ignore_mismatched_sizes=True`` or ``weights_only=False``.
    """
    if options.pop("ignore_mismatched_sizes", False):
        raise ValueError("ignore_mismatched_sizes=True is refused: it would replace weights by random numbers")
    if not options.pop("weights_only", True):
        raise ValueError("weights_only=False is refused: it would run code that the checkpoint brings along")
    if options.get("dtype") is None and options.get("torch_dtype") is None:
        options["dtype"] = torch.get_default_dtype()
    options["output_loading_info"] = True
    # Lets differing shapes through, so that they are reported below, together with all other faults.
    options["ignore_mismatched_sizes"] = True
    try:
        model, report = load(source, *args, **options)
    except pickle.UnpicklingError as error:
        raise OSError(
            f"the checkpoint in {source} is not a plain file of tensors and was not read; if you trust it, convert it to safetensors first"
        ) from error
    missing, unexpected = set(report["missing_keys"]), set(report["unexpected_keys"])
    mismatched = sorted((name, tuple(found), tuple(wanted)) for name, found, wanted in report["mismatched_keys"])
    if missing or unexpected or mismatched:
        hint = _encoder_hint(set(model.state_dict()), missing, unexpected)
        raise CheckpointMismatchError(source or "the state_dict", sorted(missing), sorted(unexpected), mismatched, hint)
    return model, report


def _encoder_hint(expected: set[str], missing: set[str], unexpected: set[str]) -> str:
    """Say so if model and checkpoint differ in ``share_encoders``."""
    documents = {name for name in expected if name.startswith("bert_doc.")}
    if documents and documents <= missing:
        return "the model has share_encoders=False, the checkpoint only the encoder for questions"
    if not documents and any(name.startswith("bert_doc.") for name in unexpected):
        return "the model has share_encoders=True, the checkpoint a second encoder for documents"
    return ""
