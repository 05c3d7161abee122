"""Doubles, makers of small things, and the shape that an answer's JSON must have."""

from __future__ import annotations

import json
import shutil
import zlib
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import strategies as st

from lfqa.sentences import sentence_spans
from lfqa.types import Passage

ASSETS = Path(__file__).resolve().parent.parent / "assets"
GENERATOR = ASSETS / "models" / "generator"
HAS_GENERATOR = (GENERATOR / "config.json").is_file() and (GENERATOR / "model.safetensors").is_file()
NO_GENERATOR = "assets/models/generator is not there yet"

MEMORISED = {
    "question: Why is the sky blue? context: <P> Sky: Air scatters blue light most.": "Air scatters blue light more than red light.",
    "question: What is a fever? context: <P> Fever: A fever is heat.": "A fever is a raised body temperature. It slows germs down.",
    "question: What is a café? context: <P> Café: Coffee is sold there.": "A café sells coffee – “good” coffee, for 3 €. 😀 Nice!",
    "question: How do tides work? context: <P> Tides: The Moon pulls.": "The Moon pulls at the sea, and the sea rises twice a day.",
}


def passage(number: int, text: str, title: str = "Title", section: str = "Section") -> Passage:
    return Passage(f"p-{number}", title, section, text)


def write_passages(path: Path, passages: Iterable[Passage]) -> Path:
    lines = [
        json.dumps({name: getattr(p, name) for name in ("passage_id", "article_title", "section_title", "passage_text")}) for p in passages
    ]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


FRUIT = [
    passage(1, "Apples grow on trees. They are red or green.", "Apple"),
    passage(2, "Bananas grow in bunches. They turn yellow.", "Banana"),
    passage(3, "Cherries have stones. Birds eat cherries.", "Cherry"),
]


class WordEncoder:
    """Stands in for `Encoder`: a text's vector counts its words, hashed into 16 places. Counts what it was asked to embed."""

    dimension = 16

    def __init__(self) -> None:
        self.embedded: list[str] = []

    def texts(self, texts: Sequence[str], progress: Callable[[int], object] | None = None) -> np.ndarray:
        vectors = np.zeros((len(texts), self.dimension), dtype=np.float32)
        for row, text in enumerate(texts):
            for word in text.lower().split():
                vectors[row, zlib.crc32(word.strip(".?").encode()) % self.dimension] += 1
        self.embedded.extend(texts)
        if progress is not None:
            progress(len(texts))
        return vectors

    def questions(self, texts: Sequence[str]) -> np.ndarray:
        return self.texts(texts)

    def passages(self, passages: Sequence[Passage], progress: Callable[[int], object] | None = None) -> np.ndarray:
        return self.texts([f"{p.article_title} {p.passage_text}" for p in passages], progress)


def build_small(folder: Path, passages: Sequence[Passage], encoder: Any = None, model: str = "m", **options: Any) -> Any:
    """Build the index of `passages` in `folder` and return it."""
    from lfqa.indexing.build import build_index, building
    from lfqa.indexing.staging import Item, Staging

    with building(folder) as parts:
        try:
            staging = Staging(parts, repr(passages))
            staging.read([Item(lambda skip: [list(passages)][skip:])], None, lambda count: None)
            return build_index(staging, folder, encoder or WordEncoder(), model=model, **options)
        finally:
            shutil.rmtree(parts)
            (folder.parent / f".{folder.name}.lock").unlink()


def train_tiny_bart(folder: Path) -> Path:
    """Train a BART until it says `MEMORISED` by heart, so that rounding can not change what it writes, and save it."""
    import torch
    from transformers import BartConfig, BartForConditionalGeneration

    from lfqa.training.tokenizer import train_tokenizer

    tokenizer = train_tokenizer([*MEMORISED, *MEMORISED.values()] * 5, vocab_size=500)
    torch.manual_seed(0)
    config = BartConfig(
        vocab_size=len(tokenizer), d_model=64, encoder_layers=2, decoder_layers=2, encoder_attention_heads=4, decoder_attention_heads=4,
        encoder_ffn_dim=128, decoder_ffn_dim=128, max_position_embeddings=1024, dropout=0.0, attention_dropout=0.0,
        bos_token_id=0, pad_token_id=1, eos_token_id=2, decoder_start_token_id=2, forced_eos_token_id=None,
    )  # fmt: skip
    model = BartForConditionalGeneration(config).train()
    source = tokenizer(list(MEMORISED), padding=True, return_tensors="pt")
    labels = tokenizer(list(MEMORISED.values()), padding=True, return_tensors="pt")["input_ids"]
    labels[labels == tokenizer.pad_token_id] = -100
    optimiser = torch.optim.AdamW(model.parameters(), lr=3e-3)
    for _ in range(400):
        loss = model(**source, labels=labels).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        optimiser.zero_grad()
        if loss.item() < 0.003:
            break
    assert loss.item() < 0.02, f"the fixture has not learned its lines: loss {loss.item()}"
    model.eval().save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


# text that hypothesis makes: prose with awkward pieces in it, and anything at all
WORDS = ["tide", "moon", "3", "1,000", "blue", "not", "Dr.", "e.g.", "U.S.", "Café", "don’t", "😀", "<P>", "</s>", "<pad>", "the", "(sea)"]
prose = st.lists(
    st.tuples(st.lists(st.sampled_from(WORDS), min_size=1, max_size=9), st.sampled_from([". ", "? ", "! ", ".\n\n", " "])), max_size=8
).map(lambda sentences: "".join(" ".join(words).capitalize() + end for words, end in sentences))
texts = st.one_of(prose, st.text(max_size=200))


def is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def check_spans(spans: Iterable[tuple[int, int]], text: str, longest: int = 2) -> None:
    """Assert that every span is one to `longest` consecutive sentences of `text`."""
    bounds = sentence_spans(text)
    starts, ends = [s for s, _ in bounds], [e for _, e in bounds]
    for start, end in spans:
        assert 0 <= start < end <= len(text)
        assert start in starts and end in ends
        assert 1 <= ends.index(end) - starts.index(start) + 1 <= longest


def check_answer_object(found: dict[str, Any]) -> None:
    """Assert that `found` is the object that ``lfqa ask --json`` promises: names, types, nulls, ranges."""
    assert list(found) == ["question", "answer", "abstained", "sentences", "passages", "timings", "settings"]
    assert isinstance(found["question"], str) and found["question"]
    assert isinstance(found["answer"], str) and found["answer"]
    assert isinstance(found["abstained"], bool)
    check_passage_objects(found["passages"])
    by_id = {p["passage_id"]: p for p in found["passages"]}
    for sentence in found["sentences"]:
        assert list(sentence) == ["text", "supported", "citations", "quoted"]
        assert sentence["text"] and sentence["text"] in found["answer"]
        assert isinstance(sentence["supported"], bool) and isinstance(sentence["quoted"], bool)
        if sentence["quoted"]:
            assert any(sentence["text"] in p["text"] for p in found["passages"] if p["read"])
        assert sentence["supported"] == bool(sentence["citations"])
        for citation in sentence["citations"]:
            assert list(citation) == ["passage_id", "score", "start", "end"]
            assert 0 <= citation["score"] <= 1
            assert by_id[citation["passage_id"]]["read"], "cites a passage that was not read"
            check_spans([(citation["start"], citation["end"])], by_id[citation["passage_id"]]["text"])
    if found["abstained"]:
        assert found["sentences"] == []
    else:
        assert found["answer"] == " ".join(sentence["text"] for sentence in found["sentences"])
        assert any(sentence["supported"] for sentence in found["sentences"])
    assert set(found["timings"]) <= {"retrieve", "read", "write", "cite", "total"}
    assert {"retrieve", "read", "cite", "total"} <= set(found["timings"])
    assert all(is_number(seconds) and seconds >= 0 for seconds in found["timings"].values())
    assert {"retriever", "k", "generator", "corpus_revision", "retriever_revision"} <= set(found["settings"])


def check_passage_objects(passages: list[dict[str, Any]]) -> None:
    """Assert the shape of the passages, and that ranks and scores come and go together."""
    assert [p["rank"] for p in passages] == list(range(1, len(passages) + 1))
    assert len({p["passage_id"] for p in passages}) == len(passages)
    for found in passages:
        assert list(found) == ["rank", "passage_id", "article_title", "section_title", "text", "ranks", "scores", "read", "source"]
        assert all(isinstance(found[name], str) for name in ("passage_id", "article_title", "section_title", "text"))
        assert isinstance(found["read"], bool)
        assert list(found["ranks"]) == ["dense", "sparse"]
        assert list(found["scores"]) == ["dense", "sparse", "fused"]
        for engine in ("dense", "sparse"):
            rank, score = found["ranks"][engine], found["scores"][engine]
            assert (rank is None) == (score is None)
            assert rank is None or (isinstance(rank, int) and rank >= 1 and is_number(score))
        assert found["scores"]["fused"] is None or 0 < found["scores"]["fused"] < 1
        assert any(rank is not None for rank in found["ranks"].values())
