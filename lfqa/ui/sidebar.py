"""A visitor's choices, as a `Settings` object of that visitor's own run."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import streamlit as st

from lfqa.settings import Settings
from lfqa.ui.problems import Problem
from lfqa.ui.render import ENGINES, RETRIEVERS, WRITERS
from lfqa.ui.uploads import NAME as YOURS

_DECODINGS = {"greedy": "Greedy", "beam": "Beam", "sample": "Sample"}
_NAMES = {
    "index": "documents",
    "engine": "search engine",
    "retriever": "retriever",
    "k": "passages",
    "generator": "writer",
    "extract_sentences": "sentences",
    "min_answer_tokens": "shortest answer",
    "max_answer_tokens": "longest answer",
    "decoding": "decoding",
    "beams": "beams",
    "temperature": "temperature",
    "top_p": "top-p",
    "seed": "seed",
}


def choose(base: Settings, writer_problem: Problem | None = None, with_retriever: bool = True, indexes: Sequence[str] = ()) -> Settings:
    """Draw the controls in the sidebar and return `base` with what the visitor chose.

    Parameters
    ----------
    writer_problem
        Why BART can not be had.
    with_retriever
        Whether one retriever is chosen; the compare page uses all.
    indexes
        Names of the indexes that may be asked instead of the corpus.

    Notes
    -----
    The search engine is chosen among what the host set up: no server's address or credentials can be given here.
    """
    chosen: dict[str, Any] = {}
    with st.sidebar:
        st.html('<h2 class="lfqa-side">Settings</h2>')
        if with_retriever:
            chosen["retriever"] = st.segmented_control(
                "Retriever", ["hybrid", "dense", "sparse"], default=base.retriever, required=True, format_func=RETRIEVERS.__getitem__,
                key="set_retriever", persist_state="session",
                help="Dense compares meanings (RetriBERT vectors), BM25 compares words, hybrid fuses both lists by rank.",
            )  # fmt: skip
        if base.elasticsearch_url:
            chosen["engine"] = st.segmented_control(
                "Search engine", list(ENGINES), default=base.engine, required=True, format_func=ENGINES.__getitem__, key="set_engine",
                persist_state="session",
                help="Embedded searches here, with FAISS and Tantivy. Elasticsearch is the server that this page's host has set up.",
            )  # fmt: skip
        if indexes:
            names = list(dict.fromkeys([base.index or "", *indexes]))
            chosen["index"] = st.selectbox(
                "Search in", names, format_func=_corpus, key="set_index", persist_state="session",
                help="Indexes made on this machine with `lfqa index add`.",
            ) or None  # fmt: skip
        chosen["k"] = st.slider(
            "Passages", 1, max(20, base.k), base.k, key="set_k", persist_state="session", help="How many passages are found and shown."
        )
        chosen["generator"] = st.segmented_control(
            "Answer writer", ["bart", "extract"], default=base.generator, required=True, format_func=WRITERS.__getitem__,
            key="set_writer", persist_state="session",
            help="BART writes a paragraph from the passages. Extract quotes the closest sentences: the baseline to compare with.",
        )  # fmt: skip
        if writer_problem is not None:
            st.html('<p class="lfqa-side-note">BART is not installed on this machine, so answers start as extracts.</p>')
        if chosen["generator"] == "extract":
            chosen["extract_sentences"] = st.slider(
                "Sentences quoted", 1, 8, base.extract_sentences, key="set_sentences", persist_state="session"
            )
        else:
            chosen.update(_writing(base))
    return base.with_options(**chosen)


def _writing(base: Settings) -> dict[str, Any]:
    chosen: dict[str, Any] = {}
    chosen["min_answer_tokens"], chosen["max_answer_tokens"] = st.slider(
        "Answer length, in tokens", 8, max(256, base.max_answer_tokens), (max(8, base.min_answer_tokens), base.max_answer_tokens),
        step=4, key="set_length", persist_state="session", help="Shortest and longest answer; three tokens make about two words.",
    )  # fmt: skip
    with st.expander("Decoding"):
        chosen["decoding"] = st.segmented_control(
            "How the words are chosen", list(_DECODINGS), default=base.decoding, required=True, format_func=_DECODINGS.__getitem__,
            key="set_decoding", persist_state="session", width="stretch",
            help="Greedy takes the likeliest next word and streams; beams search wider and show the answer at the end; sampling draws.",
        )  # fmt: skip
        if chosen["decoding"] == "beam":
            chosen["beams"] = st.slider("Beams", 2, 16, max(2, base.beams), key="set_beams", persist_state="session")
        elif chosen["decoding"] == "sample":
            chosen["temperature"] = st.slider(
                "Temperature", 0.1, max(2.0, base.temperature), base.temperature, 0.1, key="set_temperature", persist_state="session"
            )
            chosen["top_p"] = st.slider("Top-p", 0.05, 1.0, base.top_p, 0.05, key="set_top_p", persist_state="session")
            chosen["seed"] = st.number_input("Seed", 0, 2**31 - 1, base.seed, key="set_seed", persist_state="session")
    return chosen


def summary(settings: Settings) -> str:
    """Return the settings of an answer in one line."""
    parts = [_corpus(settings.index)] if settings.index else []
    parts += [ENGINES[settings.engine]] if settings.engine != "embedded" else []
    parts += [RETRIEVERS[settings.retriever], f"{settings.k} passages" if settings.k > 1 else "1 passage", WRITERS[settings.generator]]
    if settings.generator == "extract":
        parts.append(f"{settings.extract_sentences} sentences" if settings.extract_sentences > 1 else "1 sentence")
    else:
        parts += [_DECODINGS[settings.decoding].lower(), f"{settings.min_answer_tokens} to {settings.max_answer_tokens} tokens"]
    return " · ".join(parts)


def differences(made: Settings, now: Settings) -> list[str]:
    """Return, in words, what was chosen differently when an answer was made from what is chosen now."""
    changed = []
    for field, name in _NAMES.items():
        before, after = getattr(made, field), getattr(now, field)
        if before != after and _matters(field, made, now):
            changed.append(f"{name} {_word(field, before)} → {_word(field, after)}")
    return changed


def _matters(field: str, made: Settings, now: Settings) -> bool:
    if field == "extract_sentences":
        return made.generator == now.generator == "extract"
    if field in ("index", "engine", "retriever", "k", "generator"):
        return True
    if made.generator != now.generator or now.generator == "extract":
        return False
    both = made.decoding == now.decoding
    return {"beams": both and now.decoding == "beam"}.get(field, both and now.decoding == "sample") if field in _DRAWN else True


_DRAWN = ("beams", "temperature", "top_p", "seed")


def _corpus(name: str | None) -> str:
    return {"": "the bundled corpus", YOURS: "your documents"}.get(name or "", name or "")


def _word(field: str, value: Any) -> str:
    if field == "index":
        return _corpus(value)
    words: dict[str, dict[str, str]] = {"engine": ENGINES, "retriever": RETRIEVERS, "generator": WRITERS, "decoding": _DECODINGS}
    return words.get(field, {}).get(value, str(value))
