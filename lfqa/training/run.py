"""Running the recipes: what the commands ``lfqa train retriever`` and ``lfqa train generator`` do."""

from __future__ import annotations

import copy
import json
import logging
import random
import tempfile
from collections.abc import Callable, Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from transformers import AutoTokenizer, PreTrainedTokenizerBase

from lfqa.generation.prompt import compose
from lfqa.retribert import RetriBertModel
from lfqa.retrieval.dense import Encoder
from lfqa.retrieval.sparse import SparseIndex
from lfqa.training import generator as gen
from lfqa.training.grounded import Record, quoted, training_prompt
from lfqa.training.loop import CHECKPOINT, LoopSettings, run, write_json
from lfqa.training.prepare import RECORDS, TEXTS, check_inputs, own_records, read_lines, write_lines
from lfqa.training.ranking import rank_sentences
from lfqa.training.recipes import GeneratorRecipe, RetrieverRecipe, Stage
from lfqa.training.retriever import RetrieverTask, Teacher, fit_projection, retribert_from_bert
from lfqa.training.tokenizer import train_tokenizer
from lfqa.training.warmstart import bart_from_bert, teacher_folder
from lfqa.types import Passage

logger = logging.getLogger(__name__)

_FIT_BATCHES = 18  # of 64 passages, and of 64 questions, for the closed-form start of the retriever


def device() -> str:
    """Return ``cuda`` where there is one, else ``cpu``."""
    return "cuda" if torch.cuda.is_available() else "cpu"


def _settings_written(out: Path, recipe: Any, resume: bool) -> None:
    """Write the recipe beside the result; refuse to mix two recipes in one folder."""
    path = out / "settings.json"
    if path.exists() and resume and json.loads(path.read_text(encoding="utf-8")) != json.loads(json.dumps(asdict(recipe))):
        raise ValueError(f"{out} was begun with other settings than these: compare {path}, or choose another folder")
    if path.exists() and not resume:
        raise FileExistsError(f"{out} holds a training run: pass --resume to go on with it, or choose another folder")
    out.mkdir(parents=True, exist_ok=True)
    write_json(path, asdict(recipe))


# generator


def _tokenizer(out: Path, texts: list[dict[str, str]], recipe: GeneratorRecipe) -> PreTrainedTokenizerBase:
    """Return the run's tokenizer, trained on a share of `texts` where it is not there yet."""
    folder = out / "tokenizer"
    if not (folder / "tokenizer.json").is_file():
        rng = random.Random(recipe.seed)
        shares = {"simplewiki": 0.25, "wikipedia_vital": 0.6, "medquad": 0.4}
        chosen = (f"{t['title']}. {t['text']}" for t in texts if rng.random() < shares.get(t["source"], 1.0))
        train_tokenizer(chosen, recipe.vocab_size).save_pretrained(folder)
    return AutoTokenizer.from_pretrained(folder)


def _sources(groups: Iterable[str], weights: dict[str, float], what: str) -> tuple[list[str], list[float]]:
    """Return the sources that are there and have a weight, with their weights."""
    names = [name for name in weights if name in set(groups)]
    if not sum(weights[name] for name in names):
        raise ValueError(f"the recipe's {what} gives weight to {sorted(weights)}, and the data holds only {sorted(groups)}")
    return names, [weights[name] for name in names]


def _copying(texts: list[dict[str, str]], stage: Stage, weights: dict[str, float]) -> gen.Maker:
    """Return a maker of copying examples, its sources drawn by `weights`."""
    shape = gen.Shape(stage.batch_size, stage.source_tokens, stage.target_tokens)
    groups: dict[str, list[dict[str, str]]] = {}
    for text in texts:
        groups.setdefault(text["source"], []).append(text)
    names, shares = _sources(groups, weights, "texts")
    makers = {name: gen.copying_maker(groups[name], shape, stage.selected) for name in names}
    return lambda rng: makers[rng.choices(names, shares)[0]](rng)


def _fitting(records: list[Record], count: Callable[[str], int], budget: int) -> list[Record]:
    """Return the records whose question leaves room for passages in `budget` tokens."""
    return [record for record in records if count(compose(record["question"], [])) < budget]


def _ranker(retriever: Path | None, out: Path) -> Callable[[list[Record], str], list[Record]]:
    """Return what puts the relevance of sentences to records; it is worked out once a run and kept in `out`."""

    def ranked(records: list[Record], name: str) -> list[Record]:
        if retriever is None:
            return records
        path = out / f"ranked_{name}.jsonl"
        if not path.is_file():
            logger.info("ranking the sentences of %d %s records", len(records), name)
            write_lines(path, rank_sentences(records, Encoder(str(retriever), device())))
        return read_lines(path)

    return ranked


def _answering(records: list[Record], count: Callable[[str], int], stage: Stage, weights: dict[str, float]) -> gen.Maker:
    """Return a maker of prompts and answers, its sources drawn by `weights`."""
    groups: dict[str, list[Record]] = {}
    for record in records:
        groups.setdefault(record["source"], []).append(record)
    names, shares = _sources(groups, weights, "mixture")

    def make(rng: random.Random) -> gen.Example:
        record = rng.choice(groups[rng.choices(names, shares)[0]])
        return training_prompt(record, rng, count, stage.source_tokens, unanswerable=stage.unanswerable)

    return make


def train_generator(
    prepared: Path,
    corpus: Path,
    out: Path,
    recipe: GeneratorRecipe,
    *,
    retriever: Path | None = None,
    init: Path | None = None,
    resume: bool = False,
    compile_model: bool = True,
) -> dict[str, float]:
    """Train a generator by `recipe` and write it to ``out/model``; finished stages are not run again when resumed.

    Parameters
    ----------
    prepared
        What ``lfqa train prepare`` wrote.
    corpus
        Folder with passages.jsonl and questions.jsonl; the training split is trained on, the validation split measured.
    retriever
        RetriBERT checkpoint by whose closeness the sentences of a prompt are marked; without one they are by the words they share.
    init
        Checkpoint to go on from, with its tokenizer, instead of the teacher's layers and a new vocabulary.

    Returns
    -------
    dict
        What the last stage measured.

    Raises
    ------
    FileNotFoundError
        When a file of `prepared` or `corpus` is missing.
    FileExistsError
        When `out` holds a run and `resume` is false.
    ValueError
        When `out` was begun by another recipe, or the data do not fit the recipe.
    """
    check_inputs(prepared, corpus)
    teacher = init or teacher_folder()
    _settings_written(out, recipe, resume)
    texts = read_lines(prepared / TEXTS)
    tokenizer = AutoTokenizer.from_pretrained(init) if init else _tokenizer(out, texts, recipe)
    torch.manual_seed(recipe.seed)
    model = gen.load_generator(init, tokenizer) if init else bart_from_bert(teacher, tokenizer, decoder_layers=recipe.decoder_layers)
    measured: dict[str, float] = {}
    for number, stage in enumerate(recipe.stages):
        following = recipe.stages[number + 1] if number + 1 < len(recipe.stages) else None
        if following is not None and (out / following.name / CHECKPOINT).exists():
            continue  # the next stage began, so this one is over
        if number:
            before = out / recipe.stages[number - 1].name / CHECKPOINT
            model.load_state_dict(torch.load(before, weights_only=True, map_location="cpu")["model"])
        _set_attention_and_dropout(model, stage)
        make, examples = _stage_examples(tokenizer, stage, recipe, texts, prepared, corpus, _ranker(retriever, out))
        shape = gen.Shape(stage.batch_size, stage.source_tokens, stage.target_tokens)
        task = gen.GeneratorTask(
            model, tokenizer, shape, make, examples,
            label_smoothing=stage.label_smoothing, compile_model=compile_model, device=device(),
        )  # fmt: skip
        settings = LoopSettings(
            stage.steps, stage.learning_rate, decay=stage.decay, seed=recipe.seed, optimizer="adamw", evaluate_every=100
        )
        measured = run(task, settings, out / stage.name, resume=True, description=stage.name)
    gen.save_generator(model, tokenizer, out / "model")
    write_json(out / "measured.json", measured)
    return measured


def _set_attention_and_dropout(model: Any, stage: Stage) -> None:
    model.set_attn_implementation(stage.attention)
    for module in model.modules():
        if isinstance(getattr(module, "dropout", None), float):
            module.dropout = stage.dropout


def _stage_examples(
    tokenizer: PreTrainedTokenizerBase,
    stage: Stage,
    recipe: GeneratorRecipe,
    texts: list[dict[str, str]],
    prepared: Path,
    corpus: Path,
    ranked: Callable[[list[Record], str], list[Record]],
) -> tuple[gen.Maker, list[gen.Example]]:
    """Return what draws the stage's training examples, and its validation examples: the corpus' own questions, if any are asked."""
    copying = _copying(texts, stage, recipe.texts)
    fixed = random.Random(99)
    if stage.copying >= 1:
        return copying, [copying(fixed) for _ in range(5 * stage.batch_size)]
    # a copy: encoding a batch leaves its padding switched on in the tokenizer itself, and padding is not to be counted
    backend = copy.deepcopy(tokenizer.backend_tokenizer)
    backend.no_padding()
    backend.no_truncation()

    def count(text: str) -> int:
        return len(backend.encode(text).ids)

    with tempfile.TemporaryDirectory() as work:
        own = own_records(corpus, "train", Path(work) / "train")
        validation = own_records(corpus, "validation", Path(work) / "validation")
    if stage.quoted:
        own, validation = [quoted(record) for record in own], [quoted(record) for record in validation]
    drawn = read_lines(prepared / RECORDS)
    drawn = random.Random(recipe.seed).sample(drawn, min(recipe.records, len(drawn)))
    records = _fitting(ranked([*drawn, *own], "training"), count, stage.source_tokens)
    answering = _answering(records, count, stage, recipe.mixture)

    def make(rng: random.Random) -> gen.Example:
        return copying(rng) if rng.random() < stage.copying else answering(rng)

    measured = _fitting(ranked(validation, "validation"), count, stage.source_tokens)
    return make, [training_prompt(record, fixed, count, stage.source_tokens, unanswerable=0) for record in measured]


# retriever


def _pairs(records: list[Record]) -> list[tuple[str, str]]:
    """Return (question, gold passage), those next to each other whose questions BM25 finds alike."""
    pairs = []
    for record in records:
        gold = record["passages"][record["gold"][0]]
        head = ". ".join(part for part in (gold["title"], gold["section"]) if part)
        pairs.append((record["question"], f"{head}. {gold['text']}" if head else gold["text"]))
    return _chained(pairs)


def _chained(pairs: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """Order pairs so that each is followed by the nearest, by BM25 of its question, that is not placed yet."""
    with tempfile.TemporaryDirectory() as work:
        index = SparseIndex.build((Passage("", "", "", passage) for _, passage in pairs), Path(work))
        left = dict.fromkeys(range(len(pairs)))
        order = []
        while left:
            row: int | None = next(iter(left))
            while row is not None:
                del left[row]
                order.append(row)
                found = index.search(pairs[row][0], 20)
                row = next((candidate for candidate, _ in found if candidate in left), None)
    return [pairs[row] for row in order]


def train_retriever(
    prepared: Path,
    corpus: Path,
    out: Path,
    recipe: RetrieverRecipe,
    *,
    init: Path | None = None,
    resume: bool = False,
    compile_model: bool = True,
) -> dict[str, float]:
    """Train a retriever by `recipe` and write it to ``out/model``; see `train_generator` for the other parameters and errors.

    Parameters
    ----------
    init
        Checkpoint to go on from, instead of the teacher's layers; its vectors keep the directions that they stand for.
    """
    check_inputs(prepared, corpus)
    folder = teacher_folder()
    _settings_written(out, recipe, resume)
    torch.manual_seed(recipe.seed)
    texts, records = read_lines(prepared / TEXTS), read_lines(prepared / RECORDS)
    with tempfile.TemporaryDirectory() as work:
        own = own_records(corpus, "train", Path(work) / "train")
        validation = own_records(corpus, "validation", Path(work) / "validation")
    questions = [record["question"] for record in [*records, *own]]
    if not (texts and questions):
        raise ValueError(f"{prepared} and {corpus} hold {len(texts)} texts and {len(questions)} questions to train on: both are needed")

    def passage(rng: random.Random, joined: float = 0.0) -> str:
        place = rng.randrange(len(texts))
        text = texts[place]
        if rng.random() < 0.3:  # sentences are embedded too, to find those closest to a question
            return f"{text['title']}: {rng.choice(text['text'].split('. '))}"
        if joined and rng.random() < joined:
            text = {**text, "text": f"{text['text']} {texts[(place + 1) % len(texts)]['text']}"}
        return ". ".join(part for part in (text["title"], text["section"], text["text"]) if part and rng.random() < 0.9)

    teacher = Teacher(folder)
    teacher.model.to(device())
    model: Any = RetriBertModel.from_pretrained(init, dtype=torch.float32) if init else retribert_from_bert(folder, recipe.dimension)
    model.to(device())
    task = RetrieverTask(
        model,
        AutoTokenizer.from_pretrained(folder),
        teacher,
        questions,
        lambda rng: passage(rng, recipe.joined),
        _pairs([*records, *own, *own]) if recipe.pairs_from < 1 else [],
        _pairs(validation),
        steps=recipe.steps,
        batch_size=recipe.batch_size,
        pairs_from=recipe.pairs_from,
        passage_tokens=recipe.passage_tokens,
    )
    rng = random.Random(recipe.seed)
    batches = [task.encode([passage(rng) for _ in range(64)], 128) for _ in range(_FIT_BATCHES)]
    batches += [task.encode(rng.choices(questions, k=64), 32) for _ in range(_FIT_BATCHES)]
    embeddings = torch.cat([teacher.embed(batch) for batch in batches])
    if init is not None:
        teacher.align(embeddings, torch.cat([task.embed(batch) for batch in batches]))
    else:
        teacher.fit(embeddings, recipe.dimension)
        logger.info("squared error of the closed-form start: %.3f", fit_projection(model, teacher, batches))
    if compile_model:
        # at these lengths compiled eager attention is faster on a CPU than the fused kernel
        model.set_attn_implementation("eager")
        teacher.model.set_attn_implementation("eager")
        task.compile()
    settings = LoopSettings(recipe.steps, recipe.learning_rate, decay=recipe.decay, seed=recipe.seed, optimizer="adamw", evaluate_every=100)
    measured = run(task, settings, out / "distil", resume=True, description="retriever")
    task.save(out / "model")
    write_json(out / "measured.json", measured)
    return measured
