"""What the training tests share: a small random BERT, a toy task, and a data folder with a few records per source."""

from __future__ import annotations

import gzip
import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch

from lfqa.training.texts import HELD_OUT_DOMAIN, held_out

SUBJECTS = "bread river tide wolf copper cloud violin glacier lemon harbour".split()


def prose(topic: str, sentences: int = 6, salt: int = 0) -> str:
    """Sentences about `topic`, no two alike, of about 14 words."""
    ends = [
        "keeps the people of the valley warm through every winter",
        "changes slowly when the water under the old bridge rises",
        "was first written about by farmers who lived near the coast",
        "has seven parts, and the smallest of them is the hardest",
        "moves faster at night because the air is colder then",
        "needs salt, light and patience before it can be used",
    ]
    return " ".join(f"The {topic} of kind {salt + n} {ends[(n + salt) % len(ends)]}." for n in range(sentences))


def title_that_is(held: bool, stem: str) -> str:
    """A title beginning with `stem` that is, or is not, held out."""
    return next(title for n in range(1000) if held_out(title := f"{stem} {n}") == held)


def write_bert(folder: Path, *, positions: int = 512, eps: float = 1e-5, layers: int = 2, width: int = 32) -> Path:
    """Save a random BERT whose weights all differ from their initial zeros and ones, with a WordPiece tokenizer."""
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
    from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

    letters = "abcdefghijklmnopqrstuvwxyz0123456789.,?!:'-"
    words = sorted({word.strip(".,").lower() for topic in SUBJECTS for word in prose(topic).split() if not word[0].isdigit()})
    pieces = [
        "[PAD]",
        "[UNK]",
        "[CLS]",
        "[SEP]",
        "[MASK]",
        *letters,
        *(f"##{c}" for c in letters),
        *(w for w in words if len(w) > 1),
        "##ing",
    ]
    vocabulary = {piece: number for number, piece in enumerate(pieces)}
    tokenizer = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token="[PAD]", unk_token="[UNK]", cls_token="[CLS]", sep_token="[SEP]", mask_token="[MASK]"
    )
    fast.save_pretrained(folder)
    (folder / "vocab.txt").write_text("\n".join(pieces) + "\n", encoding="utf-8")
    torch.manual_seed(3)
    config = BertConfig(
        vocab_size=len(pieces), hidden_size=width, num_hidden_layers=layers, num_attention_heads=4, intermediate_size=64,
        max_position_embeddings=positions, layer_norm_eps=eps,
    )  # fmt: skip
    model = BertModel(config)
    with torch.no_grad():
        for weights in model.parameters():
            weights.add_(0.1 * torch.randn_like(weights))
    model.save_pretrained(folder)
    return folder


class ToyTask:
    """Least squares on points that only the step's generator draws."""

    def __init__(self, bias: bool = True, fail_at: int | None = None) -> None:
        torch.manual_seed(0)
        self.model = torch.nn.Sequential(torch.nn.Linear(4, 8, bias=bias), torch.nn.Tanh(), torch.nn.Linear(8, 1, bias=bias))
        self.fail_at, self.asked, self.evaluated = fail_at, [], 0

    def loss(self, step: int, rng: random.Random) -> torch.Tensor:
        self.asked.append(step)
        if step == self.fail_at:
            raise RuntimeError("power cut")
        points = torch.tensor([[rng.gauss(0, 1) for _ in range(4)] for _ in range(8)])
        return ((self.model(points) - points.sum(1, keepdim=True)) ** 2).mean()

    def evaluate(self) -> dict[str, float]:
        self.evaluated += 1
        return {"size": float(sum(p.detach().abs().sum() for p in self.model.parameters()))}


def _write(folder: Path, name: str, rows: list[dict[str, Any]]) -> None:
    with gzip.open(folder / f"{name}.jsonl.gz", "wt", encoding="utf-8") as lines:
        lines.writelines(json.dumps(row) + "\n" for row in rows)


def _treebank(text: str) -> str:
    return text.replace(".", " .").replace(",", " ,")


def questions(kind: str) -> Iterator[tuple[str, str]]:
    """Questions with their paragraph."""
    for subject in SUBJECTS:
        yield f"why is the {kind} {subject} so useful in winter", prose(f"{kind} {subject}")


def write_data(folder: Path) -> Path:
    """Write a data folder: every source, held-out titles and the held-out domain among them."""
    folder.mkdir(parents=True, exist_ok=True)
    seen, hidden = title_that_is(False, "Rivers"), title_that_is(True, "Rivers")
    book = title_that_is(False, "Physics of")
    rows = [
        {"book": "b", "title": t, "heading": f"Uses of {s}", "paragraphs": [prose(f"book {s}")]} for s in SUBJECTS for t in (book, hidden)
    ]
    rows.append(
        {"book": "b", "title": book, "heading": None, "paragraphs": ["See Figure 3.2 for the whole of this and of that and of more words."]}
    )
    _write(folder, "openstax_sections", rows)
    simple = f"{prose('stone')}\nHistory.\n{prose('stone wall', salt=3)}\nReferences.\n{prose('hidden list')}"
    _write(
        folder,
        "simplewiki",
        [
            {"id": "0", "title": "Measured", "text": prose("secret star")},
            {"id": "1", "title": seen, "text": simple},
            {"id": "2", "title": hidden, "text": prose("secret")},
        ],
    )
    vital = f"{prose('star')}\n\n\n== Origin ==\n\n{prose('star origin', salt=2)}\n\n\n== See also ==\n\n{prose('hidden link')}"
    _write(folder, "wikipedia_vital", [{"title": title_that_is(False, "Star"), "text": vital}])
    _write(
        folder,
        "medquad",
        [
            {
                "source": "s",
                "focus": focus,
                "qtype": "information",
                "question": f"What is ( are ) {s} fever ?",
                "answer": prose(f"{s} fever", 9),
            }
            for s in SUBJECTS[:4]
            for focus in (title_that_is(False, f"Fever {s}"), title_that_is(True, f"Fever {s}"), None)
        ],
    )
    _write(
        folder,
        "lfrqa_train",
        [
            {"domain": domain, "question": f"what about the {domain} {s}?", "answer": prose(f"{domain} {s}", 4)}
            for s in SUBJECTS
            for domain in ("writing", HELD_OUT_DOMAIN)
        ],
    )
    dolly = [
        {"instruction": f"What keeps people warm? {s}", "context": prose(f"dolly {s}"), "response": prose(f"dolly {s}", 2)}
        for s in SUBJECTS
    ]
    dolly.append(
        {"instruction": "Write a poem", "context": "", "response": "Roses are red and so on, twelve words are needed here to count."}
    )
    dolly.append(
        {
            "instruction": "Unsupported?",
            "context": prose("dolly x"),
            "response": "Bananas grow in tropical plantations, harvested by machines built abroad last year.",
        }
    )
    _write(folder, "dolly", dolly)
    nq = [{"question": q, "paragraph": _treebank(p), "title": title_that_is(False, f"Page {q}")} for q, p in questions("garden")]
    nq.append({"question": "who hid the page", "paragraph": _treebank(prose("concealed page")), "title": title_that_is(True, "Page")})
    _write(folder, "nq_paragraphs", nq)
    _write(
        folder,
        "qed_paragraphs",
        [{"question": q, "paragraph": _treebank(p), "title": title_that_is(False, f"Lake {q}")} for q, p in questions("mountain")],
    )
    clap = [{"question": q, "answer": _treebank(". ".join(p.split(". ")[:2]) + ".")} for q, p in questions("garden")]
    _write(folder, "clapnq_train", [*clap, {"question": "not in the paragraphs", "answer": "Nothing ."}])
    exercise = {"book": "b", "title": book, "question": "What keeps the people warm?", "answer": " ".join(prose("book bread", 1).split())}
    _write(folder, "openstax_exercises", [exercise, {**exercise, "title": hidden, "question": "What is the hidden exercise?"}])
    meaning = "the thing of the valley that keeps all of its people warm"
    terms = [{"book": "b", "title": t, "term": s, "meaning": meaning} for s in SUBJECTS for t in (book, hidden)]
    _write(folder, "squadshifts_wiki", [{"title": "Measured", "paragraph": prose("measured"), "questions": ["What?"]}])
    _write(folder, "openstax_glossary", [*terms, {"book": "b", "title": book, "term": " ", "meaning": meaning}])
    return folder


def write_corpus(folder: Path) -> Path:
    """Write a corpus folder of ten topics with questions of every split."""
    folder.mkdir(parents=True, exist_ok=True)
    passages, asked = [], []
    for number, subject in enumerate(SUBJECTS):
        for part in (1, 2):
            passages.append(
                {
                    "passage_id": f"{subject}-{part}",
                    "article_title": subject.title(),
                    "section_title": "Use",
                    "passage_text": prose(f"own {subject}", 5, part),
                }
            )
        split = ("train", "validation", "test")[number % 3]
        answer = prose(f"own {subject}", 3, 1)
        for n in (1, 2):
            asked.append(
                {
                    "question_id": f"{subject}-q{n}",
                    "question": f"How is own {subject} used, {split} {n}?",
                    "answer": answer,
                    "passage_ids": [f"{subject}-1", f"{subject}-2"],
                    "split": split,
                }
            )
    for name, rows in (("passages", passages), ("questions", asked)):
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return folder
