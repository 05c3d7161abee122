"""What counts as a question: checks with messages that say what to do."""

from __future__ import annotations

import functools
import re
import unicodedata
from typing import Any

_TAG = re.compile(r"<(?:/?[a-zA-Z][^<>]*|!--.*?--|!doctype[^>]*)>", re.IGNORECASE | re.DOTALL)
_INVISIBLE = re.compile(r"[\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff\u00ad]")
_ENGLISH = re.compile(
    r"\b(?:what|why|how|when|where|who|whom|whose|which|is|are|was|were|do|does|did|can|could|should|would|will|the|of|and|to|"
    r"in|it|tell|explain|describe|difference|between|we|you|have|has)\b",
    re.IGNORECASE,
)
_LANGUAGES = {
    "de": "German", "fr": "French", "es": "Spanish", "it": "Italian", "pt": "Portuguese", "nl": "Dutch", "sv": "Swedish",
    "pl": "Polish", "da": "Danish", "cs": "Czech", "ro": "Romanian", "hu": "Hungarian", "fi": "Finnish", "tr": "Turkish",
}  # fmt: skip


_SURE = 8.0  # nats between the likeliest language and the next


class QuestionError(ValueError):
    """A text that can not be asked; the message is for the person who typed it."""


@functools.cache
def _identifier() -> Any:
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    identifier = LanguageIdentifier.from_model_file(MODEL_FILE)
    identifier.set_languages(["en", *_LANGUAGES])
    return identifier


def check_question(text: str, longest: int = 1000) -> str:
    """Return `text` tidied: NFC, on one line, without invisible direction marks.

    Raises
    ------
    QuestionError
        When it is empty, longer than `longest` characters, binary, HTML, or not English.
    """
    if len(text) > longest:
        raise QuestionError(
            f"The question has {len(text):,} characters; at most {longest:,} can be asked. Shorten it to the question itself."
        )
    if any(unicodedata.category(c) in ("Cc", "Cs", "Co", "Cn") and c not in "\n\r\t" for c in text) or "\ufffd" in text:
        raise QuestionError("The question holds binary data or control characters. Type it as plain text.")
    tidy = re.sub(r"\s+", " ", unicodedata.normalize("NFC", _INVISIBLE.sub("", text))).strip()
    if not tidy:
        raise QuestionError('There is no question. Type one, such as "Why is the sky blue?"')
    if _TAG.search(tidy):
        raise QuestionError("The question holds HTML markup. Type it as plain text, without tags.")
    letters = [c for c in tidy if c.isalpha()]
    if not letters:
        raise QuestionError('There are no words in the question. Ask in words, such as "Why is the sky blue?"')
    latin = sum(unicodedata.name(c, "").startswith("LATIN") for c in letters)
    if latin < 0.6 * len(letters):
        raise QuestionError("The question does not seem to be in English, the only language the passages are in. Ask in English.")
    if language := _other_language(tidy):
        raise QuestionError(f"The question seems to be in {language}; the passages are in English. Ask in English.")
    return tidy


def _other_language(text: str) -> str | None:
    """Return the name of the language that `text` is surely in, if that is not English.

    Few words are hard to tell apart, and refusing an English question is the worse mistake: two English function words, or doubt,
    let a question pass.
    """
    words = text.split()
    found = len({match.lower() for match in _ENGLISH.findall(text)})
    if len(words) < 3 or found >= 2 or (found and len(words) < 5):
        return None
    (code, best), (_, second) = _identifier().rank(text)[:2]
    return _LANGUAGES.get(code) if best - second > _SURE else None
