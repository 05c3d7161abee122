"""Long-form question answering whose every sentence points at the passage that supports it.

``import lfqa`` is light; what needs torch or Transformers is imported when it is first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lfqa.pipeline import Pipeline
    from lfqa.settings import Settings
    from lfqa.types import Answer, Citation, Hit, NearestQuestion, Passage, Sentence

__version__ = "0.1.0"

_LAZY = {
    "Pipeline": "lfqa.pipeline",
    "Settings": "lfqa.settings",
    "Answer": "lfqa.types",
    "Citation": "lfqa.types",
    "Hit": "lfqa.types",
    "NearestQuestion": "lfqa.types",
    "Passage": "lfqa.types",
    "Sentence": "lfqa.types",
}
__all__ = ["Answer", "Citation", "Hit", "NearestQuestion", "Passage", "Pipeline", "Sentence", "Settings"]  # noqa: F822


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        from importlib import import_module

        return getattr(import_module(_LAZY[name]), name)
    raise AttributeError(f"module 'lfqa' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *_LAZY])
