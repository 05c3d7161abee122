"""Training the RetriBERT retriever: distillation of a sentence encoder first, then question-passage pairs.

[CLS], pooler and a new projection start from nothing, and a few ten thousand pairs do not bring a sentence encoder's knowledge
back; matching its embeddings does, at once ("Making Monolingual Sentence Embeddings Multilingual using Knowledge Distillation",
Reimers & Gurevych 2020). The inner product stands for `SCALE` times the cosine, so that `RetriBertModel.forward`'s softmax, which
has no temperature, has one all the same.
"""

from __future__ import annotations

import copy
import math
import random
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from torch.nn import functional
from transformers import AutoTokenizer, BertModel, PreTrainedTokenizerBase

from lfqa.retribert import RetriBertConfig, RetriBertModel, RetriBertTokenizerFast

SCALE = 20.0
QUESTION_TOKENS = 32

Batch = dict[str, torch.Tensor]


class Teacher:
    """The sentence encoder that is distilled: the normalised mean of its last layer, and the main directions of that.

    Attributes
    ----------
    directions
        Shape (width, dimension), orthonormal; None before `fit`.
    """

    def __init__(self, folder: Path) -> None:
        self.tokenizer = AutoTokenizer.from_pretrained(folder)
        self.model: Any = BertModel.from_pretrained(folder, dtype=torch.float32, add_pooling_layer=False).eval()
        self.directions: torch.Tensor | None = None

    @torch.no_grad()
    def embed(self, batch: Batch) -> torch.Tensor:
        """Return the normalised embeddings, shape (n, width), of a tokenised batch."""
        with torch.autocast(self.model.device.type, dtype=torch.bfloat16):
            states = self.model(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"]).last_hidden_state
        mask = batch["attention_mask"][..., None].to(torch.float32)
        return functional.normalize((states.float() * mask).sum(1) / mask.sum(1).clamp(min=1), dim=-1)

    def fit(self, embeddings: torch.Tensor, dimension: int) -> None:
        """Take the `dimension` main directions (uncentred PCA) of `embeddings` (n, width)."""
        values, vectors = torch.linalg.eigh(embeddings.T @ embeddings)
        self.directions = vectors[:, values.argsort(descending=True)[:dimension]]

    def align(self, embeddings: torch.Tensor, vectors: torch.Tensor) -> None:
        """Take the orthonormal directions that lie closest to what a trained student's `vectors` stand for.

        The polar factor of the least-squares map, so that a student that goes on from a checkpoint need not turn to other directions.

        Parameters
        ----------
        embeddings
            The teacher's, shape (n, width).
        vectors
            The student's of the same texts, shape (n, dimension).
        """
        left, _, right = torch.linalg.svd(torch.linalg.lstsq(embeddings, vectors).solution, full_matrices=False)
        self.directions = left @ right


def retribert_from_bert(folder: Path, dimension: int = 128) -> RetriBertModel:
    """Return a RetriBERT with the layers of the BERT in `folder` whose [CLS] starts as a mean over the tokens.

    The last layer's attention is made uniform (no queries) and passes values through, its feed-forward starts at zero, and the
    pooler is nearly linear; the projection is left to `fit_projection`.
    """
    bert = BertModel.from_pretrained(folder, dtype=torch.float32, add_pooling_layer=False)
    source = bert.config
    names = (
        "vocab_size", "hidden_size", "num_hidden_layers", "num_attention_heads", "intermediate_size", "hidden_act",
        "max_position_embeddings", "type_vocab_size", "layer_norm_eps",
    )  # fmt: skip
    values = {name: getattr(source, name) for name in names}
    # no dropout: it costs more than a matrix product here, and noise is what a distilled vector must not have
    config = RetriBertConfig(
        **values, projection_dim=dimension, share_encoders=True, hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0
    )
    model = RetriBertModel(config)
    student: Any = model.bert_query
    student.load_state_dict(bert.state_dict(), strict=False)  # `bert` has no pooler
    width = config.hidden_size
    last = student.encoder.layer[-1]
    with torch.no_grad():
        attention = last.attention.self
        attention.query.weight.zero_()
        attention.query.bias.zero_()
        attention.value.weight.copy_(torch.eye(width))
        attention.value.bias.zero_()
        last.attention.output.dense.weight.copy_(4.0 * torch.eye(width))
        last.attention.output.dense.bias.zero_()
        last.output.dense.weight.zero_()
        last.output.dense.bias.zero_()
        student.pooler.dense.weight.copy_(0.3 * torch.eye(width))
        student.pooler.dense.bias.zero_()
    return model


@torch.no_grad()
def fit_projection(model: RetriBertModel, teacher: Teacher, batches: Sequence[Batch], ridge: float = 1e-2) -> float:
    """Set both projections to the least-squares map from pooler output to the teacher's scaled directions; return its squared error.

    Parameters
    ----------
    ridge
        Added to the normal equations' diagonal, relative to its mean.

    Returns
    -------
    float
        Mean over the texts of the squared distance; the teacher's embeddings have unit length.

    Raises
    ------
    ValueError
        When the teacher was not fitted.
    """
    if teacher.directions is None:
        raise ValueError("the teacher has no directions yet: call Teacher.fit first")
    pooled, targets = [], []
    for batch in batches:
        with torch.autocast(model.device.type, dtype=torch.bfloat16):
            states = model.embed_sentences_checkpointed(batch["input_ids"], batch["attention_mask"], model.bert_query)
        pooled.append(states.float())
        targets.append(teacher.embed(batch) @ teacher.directions)
    x, y = torch.cat(pooled), torch.cat(targets)  # (n, width), (n, dimension)
    gram = x.T @ x
    weights = torch.linalg.solve(gram + ridge * gram.diagonal().mean() * torch.eye(len(gram), device=gram.device), x.T @ y)
    for projection in (model.project_query, model.project_doc):
        projection.weight.copy_(math.sqrt(SCALE) * weights.T)
    return float(((x @ weights - y) ** 2).sum(1).mean())


def distillation_loss(embeddings: torch.Tensor, teacher: torch.Tensor, directions: torch.Tensor) -> torch.Tensor:
    """Return squared distance to the teacher's directions plus half the KL divergence between rows of similarities.

    Parameters
    ----------
    embeddings
        The student's, shape (n, dimension), scaled by the square root of `SCALE`.
    teacher
        Normalised, shape (n, width).
    directions
        Shape (width, dimension).
    """
    unit = embeddings / math.sqrt(SCALE)
    distance = ((unit - teacher @ directions) ** 2).sum(1).mean()
    own = torch.eye(len(unit), dtype=torch.bool, device=unit.device)
    rows = (SCALE * unit @ unit.T).masked_fill(own, -1e4)  # (n, n)
    wanted = (SCALE * teacher @ teacher.T).masked_fill(own, -1e4)
    divergence = functional.kl_div(rows.log_softmax(1), wanted.log_softmax(1), log_target=True, reduction="batchmean")
    return distance + 0.5 * divergence


class RetrieverTask:
    """Distillation, and from `pairs_from` (a share of the steps) on every other step a batch of pairs.

    Parameters
    ----------
    pairs
        ``(question, passage)``; neighbours in the list are each other's hard negatives, so the caller puts pairs together whose
        passages BM25 confuses.
    validation
        Held-out ``(question, passage)``; recall@1 among themselves is measured, on whole batches.
    """

    def __init__(
        self,
        model: RetriBertModel,
        tokenizer: PreTrainedTokenizerBase,
        teacher: Teacher,
        questions: Sequence[str],
        passages: Callable[[random.Random], str],
        pairs: Sequence[tuple[str, str]],
        validation: Sequence[tuple[str, str]],
        *,
        steps: int,
        batch_size: int = 64,
        pairs_from: float = 0.5,
        passage_tokens: int = 128,
    ) -> None:
        self.model: Any = model
        self.tokenizer, self.teacher = tokenizer, teacher
        self.questions, self.passages, self.pairs, self.validation = questions, passages, pairs, validation
        self.batch_size, self.pair_steps_from = batch_size, round(pairs_from * steps)
        self.passage_tokens = passage_tokens
        self.pair_batch_size = min(batch_size, len({passage for _, passage in pairs}))

    def compile(self) -> None:
        """Compile student and teacher for the two fixed shapes."""
        self.model.bert_query.compile(dynamic=False)
        self.teacher.model.compile(dynamic=False)

    def encode(self, texts: Sequence[str], length: int) -> Batch:
        """Return ids and mask, shape (len(texts), length)."""
        batch = self.tokenizer(list(texts), truncation=True, max_length=length, padding="max_length", return_tensors="pt")
        return {name: batch[name].to(self.model.device) for name in ("input_ids", "attention_mask")}

    @torch.no_grad()
    def embed(self, batch: Batch) -> torch.Tensor:
        """Return the student's vectors, shape (n, dimension), of a tokenised batch; questions and passages share its encoder."""
        with torch.autocast(self.model.device.type, dtype=torch.bfloat16):
            return self.model.embed_answers(batch["input_ids"], batch["attention_mask"]).float()

    def _distil(self, batches: Sequence[Batch], embedded: Sequence[torch.Tensor]) -> torch.Tensor:
        if self.teacher.directions is None:
            raise ValueError("the teacher has no directions yet: call Teacher.fit first")
        wanted = torch.cat([self.teacher.embed(batch) for batch in batches])
        return distillation_loss(torch.cat(list(embedded)).float(), wanted, self.teacher.directions)

    def _pair_batch(self, rng: random.Random, run: int = 8) -> list[tuple[str, str]]:
        """Return pairs in runs of neighbours from several places, hard negatives beside random ones; no passage twice.

        They are `batch_size`, or one for each passage where there are fewer passages.
        """
        chosen: dict[str, str] = {}
        while len(chosen) < self.pair_batch_size:
            start = rng.randrange(len(self.pairs))
            for step in range(run):
                question, passage = self.pairs[(start + step) % len(self.pairs)]
                if len(chosen) < self.pair_batch_size:
                    chosen.setdefault(passage, question)
        return [(question, passage) for passage, question in chosen.items()]

    def loss(self, step: int, rng: random.Random) -> torch.Tensor:
        """Return the loss of one batch: of pairs on every other step from `pairs_from` on, else of distillation."""
        self.model.train()
        size, device = self.batch_size, self.model.device.type
        if step >= self.pair_steps_from and step % 2 and self.pairs:
            chosen = self._pair_batch(rng)
            asked = self.encode([question for question, _ in chosen], QUESTION_TOKENS)
            found = self.encode([passage for _, passage in chosen], self.passage_tokens)
            with torch.autocast(device, dtype=torch.bfloat16):
                return self.model(asked["input_ids"], asked["attention_mask"], found["input_ids"], found["attention_mask"]).float()
        asked = self.encode([rng.choice(self.questions) for _ in range(size)], QUESTION_TOKENS)
        found = self.encode([self.passages(rng) for _ in range(size)], self.passage_tokens)
        with torch.autocast(device, dtype=torch.bfloat16):
            q = self.model.embed_questions(asked["input_ids"], asked["attention_mask"])
            p = self.model.embed_answers(found["input_ids"], found["attention_mask"])
        return self._distil([asked, found], [q, p])

    @torch.no_grad()
    def evaluate(self) -> dict[str, float]:
        """Return recall@1 of the validation questions among the validation passages, and the teacher's on the same.

        Only whole batches count, as the model is compiled for their shape; without one there is nothing.
        """
        self.model.eval()
        size = self.batch_size
        rows: dict[str, list[torch.Tensor]] = {"q": [], "p": [], "tq": [], "tp": []}
        for start in range(0, len(self.validation) - len(self.validation) % size, size):
            part = self.validation[start : start + size]
            asked = self.encode([q for q, _ in part], QUESTION_TOKENS)
            found = self.encode([p for _, p in part], self.passage_tokens)
            with torch.autocast(self.model.device.type, dtype=torch.bfloat16):
                rows["q"].append(self.model.embed_questions(asked["input_ids"], asked["attention_mask"]).float())
                rows["p"].append(self.model.embed_answers(found["input_ids"], found["attention_mask"]).float())
            rows["tq"].append(self.teacher.embed(asked))
            rows["tp"].append(self.teacher.embed(found))
        if not rows["q"]:
            return {}
        q, p, tq, tp = (torch.cat(rows[name]) for name in ("q", "p", "tq", "tp"))
        gold = torch.arange(len(q), device=q.device)
        return {
            "recall@1": float(((q @ p.T).argmax(1) == gold).float().mean()),
            "teacher_recall@1": float(((tq @ tp.T).argmax(1) == gold).float().mean()),
        }

    def save(self, folder: Path) -> None:
        """Write model (fp16 safetensors) and tokenizer to `folder`."""
        save_retriever(self.model, folder, Path(self.tokenizer.name_or_path) / "vocab.txt")


def save_retriever(model: RetriBertModel, folder: Path, vocabulary: Path) -> None:
    """Write `model` as fp16 safetensors, with a tokenizer of the WordPiece `vocabulary`, to `folder`; `model` is not changed."""
    halved: Any = RetriBertModel(copy.deepcopy(model.config))
    halved.load_state_dict(model.state_dict())
    halved.half().save_pretrained(folder)
    RetriBertTokenizerFast(vocab_file=str(vocabulary)).save_pretrained(folder)
