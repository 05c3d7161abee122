"""From a question to a cited answer: retrieve, read, write, cite, as a stream of typed events."""

from __future__ import annotations

import functools
import logging
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from collections.abc import Generator as Generates
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

from lfqa.answerable import Evidence, answerability, gather
from lfqa.attribution import Attributor
from lfqa.corpus.questions import questions_file
from lfqa.digest import checkpoint_digest
from lfqa.engines import ElasticEngine, stands_in
from lfqa.generation import prompt as prompts
from lfqa.generation.extract import extract_answer
from lfqa.generation.protocol import Decoding, Generator
from lfqa.indexing.build import Index, Manifest, Progress
from lfqa.indexing.catalog import Catalog
from lfqa.indexing.questions import QuestionIndex, question_index
from lfqa.question import check_question
from lfqa.repair import Editor, edit, quotables
from lfqa.retrieval.closeness import ScoredSpan, relevance, score_sentences
from lfqa.retrieval.dense import Encoder, Vectors
from lfqa.retrieval.elastic_client import ElasticProblem
from lfqa.retrieval.elastic_index import ElasticManifest
from lfqa.retrieval.filters import Filters
from lfqa.retrieval.search import search
from lfqa.sentences import split_sentences
from lfqa.settings import Settings
from lfqa.types import (
    Answer,
    Event,
    Finished,
    Hit,
    NearestQuestion,
    Passage,
    Retrieved,
    Sentence,
    Source,
    StepFinished,
    StepStarted,
    Token,
)

logger = logging.getLogger(__name__)

Result = TypeVar("Result")

ABSTENTION = (
    "No answer: nothing in the passages found supports one. Look through them below, ask it in other words, or ask about something else."
)


class Pipeline:
    """Answers questions; models and indexes are loaded on first use and kept.

    One pipeline serves many threads and many settings: what is kept depends on the settings that name it, and nothing of a question
    stays behind.

    Parameters
    ----------
    settings
        Defaults for every question.
    progress
        Told step, done and total while an index is built.

    Examples
    --------
    >>> from lfqa import Pipeline
    >>> answer = Pipeline().ask("Why is the sky blue?")  # doctest: +SKIP
    >>> answer.sentences[0].citations  # doctest: +SKIP
    """

    def __init__(self, settings: Settings | None = None, progress: Progress | None = None) -> None:
        self.settings = settings or Settings()
        self.progress = progress
        self._kept: dict[tuple[Any, ...], Any] = {}
        self._lock = threading.RLock()
        self._elastic = ElasticEngine()

    # what is loaded once

    def _keep(self, key: tuple[Any, ...], make: Any) -> Any:
        with self._lock:
            if key not in self._kept:
                self._kept[key] = make()
            return self._kept[key]

    def _device(self, settings: Settings) -> str:
        if settings.device != "auto":
            return settings.device
        import torch

        return "cuda" if torch.cuda.is_available() else "cpu"

    def encoder(self, settings: Settings | None = None) -> Encoder:
        """Return the retriever's encoder."""
        chosen = settings or self.settings

        def load() -> Encoder:
            from lfqa.hub import checkpoint_folder, loading

            folder = checkpoint_folder(chosen.retriever_model)
            with loading(folder):
                return Encoder(str(folder), self._device(chosen))

        return self._keep(("encoder", chosen.retriever_model, chosen.device), load)

    def catalog(self, settings: Settings | None = None) -> Catalog:
        """Return the indexes that fit the retriever of `settings`."""
        chosen = settings or self.settings

        def load() -> Catalog:
            from lfqa.hub import checkpoint_folder

            return Catalog(chosen.cache, checkpoint_digest(checkpoint_folder(chosen.retriever_model), chosen.cache))

        return self._keep(("catalog", chosen.cache, chosen.retriever_model), load)

    def index(self, settings: Settings | None = None) -> Index:
        """Return the index that `settings` names, built first where that is needed."""
        chosen = settings or self.settings

        def load() -> Index:
            catalog, encoder = self.catalog(chosen), self.encoder(chosen)
            if chosen.index:
                return catalog.open(chosen.index)
            from lfqa.corpus.named import corpus_dataset, corpus_file

            if (dataset := corpus_dataset(chosen.corpus)) is not None:
                return catalog.of_dataset(dataset, encoder, self.progress)
            return catalog.of_corpus(corpus_file(chosen.corpus, chosen.cache), encoder, self.progress)

        return self._keep(("index", chosen.cache, chosen.retriever_model, chosen.index or "", chosen.corpus), load)

    def forget(self, settings: Settings) -> None:
        """Let go of the index that `settings` name; the next question opens it anew."""
        with self._lock:
            self._kept.pop(("index", settings.cache, settings.retriever_model, settings.index or "", settings.corpus), None)
            self._kept.pop(("catalog", settings.cache, settings.retriever_model), None)

    def question_index(self, settings: Settings | None = None) -> QuestionIndex | None:
        """Return the index of the corpus' answered questions, built first where that is needed; None where it has none.

        An index made by ``lfqa index add`` has none, unless `settings` name a question file.

        Raises
        ------
        FileNotFoundError, ValueError
            When the question file is missing or can not be read.
        """
        chosen = settings or self.settings
        path = questions_file(chosen.questions, chosen.corpus if not chosen.index else None)
        if path is None:
            return None

        def load() -> QuestionIndex | None:
            catalog = self.catalog(chosen)
            return question_index(path, catalog.corpora, catalog.model, self.encoder(chosen), self.progress)

        return self._keep(("questions", chosen.cache, chosen.retriever_model, path), load)

    def generator(self, settings: Settings | None = None) -> Generator:
        """Return the generator that `settings` names; on a GPU always the one by Transformers."""
        chosen = settings or self.settings
        device = self._device(chosen)

        def load() -> Generator:
            from lfqa.hub import checkpoint_folder, loading

            folder = checkpoint_folder(chosen.generator_model)
            with loading(folder):
                if chosen.runtime == "transformers" or device != "cpu":
                    from lfqa.generation.bart import TransformersGenerator

                    return TransformersGenerator(folder, device)
                from lfqa.generation.ctranslate import CTranslateGenerator

                return CTranslateGenerator(folder, chosen.cache, threads=chosen.threads)

        return self._keep(("generator", chosen.generator_model, chosen.runtime, device, chosen.threads), load)

    def warm_up(self, settings: Settings | None = None) -> None:
        """Load everything that the first question would wait for."""
        chosen = settings or self.settings
        self._searched(chosen, lambda index: None)
        if chosen.generator == "bart":
            self.generator(chosen)

    # the steps

    def retrieve(self, question: str, settings: Settings | None = None) -> tuple[Hit, ...]:
        """Return the passages found for `question`, best first.

        Raises
        ------
        QuestionError
            When the text can not be asked.
        """
        chosen = settings or self.settings
        return self._retrieve(check_question(question, chosen.max_question_characters), chosen)[0]

    def _retrieve(self, question: str, chosen: Settings) -> tuple[tuple[Hit, ...], Vectors]:
        vector = self.encoder(chosen).questions([question])[0]
        return self._search(question, vector, chosen)[0], vector

    def _search(self, question: str, vector: Vectors, chosen: Settings) -> tuple[tuple[Hit, ...], Manifest | ElasticManifest, str]:
        """Return the passages found, the manifest of the index they are from, and a notice where that is not the one asked for."""

        def ask(index: Any) -> tuple[Hit, ...]:
            return search(
                question,
                vector,
                chosen.k,
                retriever=chosen.retriever,
                passages=index.passages,
                dense=index.dense,
                sparse=index.sparse,
                fusion=chosen.fusion,
                weight=chosen.weight,
                rrf_constant=chosen.rrf_constant,
            )

        return self._searched(chosen, ask)

    def _searched(self, chosen: Settings, use: Callable[[Any], Result]) -> tuple[Result, Manifest | ElasticManifest, str]:
        """Return what `use` makes of the index that answers, its manifest, and a notice where that is not the one asked for."""
        only = Filters(chosen.articles, chosen.sections, chosen.sources)
        if chosen.engine == "embedded":
            index = self.index(chosen)
            return use(index.asked(only)), index.manifest, ""
        try:
            return self._elastic.ask(chosen, self.catalog(chosen).model, lambda elastic: (use(elastic.asked(only)), elastic.manifest, ""))
        except ElasticProblem as problem:
            index = self._instead(chosen, problem)
            notice = f"The Elasticsearch server {problem.short}; the index kept here was searched instead."
            return use(index.asked(only)), index.manifest, notice

    def _instead(self, chosen: Settings, problem: ElasticProblem) -> Index:
        """Return the embedded index that stands in for a server, where there is one; else raise `problem`."""
        if stands_in(chosen, self.catalog(chosen).names()):
            try:
                return self.index(chosen)
            except (ValueError, OSError) as error:
                logger.warning("nor can the embedded index answer: %s", error)
        raise problem

    def term_scores(self, question: str, hits: Sequence[Hit], settings: Settings | None = None) -> list[dict[str, float]]:
        """Return for each of `hits` what each term of `question` adds to its BM25 score, by the engine that found them.

        Raises
        ------
        QuestionError
            When the text can not be asked.
        """
        chosen = settings or self.settings
        question = check_question(question, chosen.max_question_characters)
        ids = [hit.passage.passage_id for hit in hits]
        try:
            return self._searched(chosen, lambda index: index.contributions(question, ids))[0]
        except KeyError:  # the index was replaced, or another one had to answer, meanwhile
            return [{} for _ in hits]

    def nearest_question(self, question: str, k: int = 1, settings: Settings | None = None) -> tuple[NearestQuestion, ...]:
        """Return the `k` answered questions of the corpus most like `question`, the nearest first; none where it has none.

        They are of the training split, as the 2020 demo showed the nearest question of ELI5's.

        Raises
        ------
        QuestionError
            When the text can not be asked.
        FileNotFoundError, ValueError
            When the question file is missing or can not be read, or `k` is not positive.
        """
        chosen = settings or self.settings
        question = check_question(question, chosen.max_question_characters)
        index = self.question_index(chosen)
        return () if index is None else index.nearest(self.encoder(chosen).questions([question])[0], k)

    def evidence(self, question: str, settings: Settings | None = None, passages: Sequence[Passage] | None = None) -> Evidence:
        """Return what `passages`, or those found, have to do with `question`: what decides whether an answer is written.

        Raises
        ------
        QuestionError
            When the text can not be asked.
        """
        chosen = settings or self.settings
        question = check_question(question, chosen.max_question_characters)
        if passages is None:
            hits, vector = self._retrieve(question, chosen)
            passages = [hit.passage for hit in hits]
        else:
            vector = self.encoder(chosen).questions([question])[0]
        return gather(question, passages, score_sentences(vector, passages, self.encoder(chosen)))

    def ask(self, question: str, settings: Settings | None = None, passages: Sequence[Passage] | None = None) -> Answer:
        """Return the answer to `question`, from `passages` where they are given, else from those found.

        Raises
        ------
        QuestionError
            When the text can not be asked.
        """
        for event in self.stream(question, settings, passages):
            if isinstance(event, Finished):
                return event.answer
        raise AssertionError("the stream ended without an answer")

    def stream(
        self, question: str, settings: Settings | None = None, passages: Sequence[Passage] | None = None
    ) -> Generates[Event, None, None]:
        """Yield what happens while `question` is answered, last `Finished`; closing the iterator stops the work.

        With `passages` those are read, in that order, and nothing is searched.

        Raises
        ------
        QuestionError
            When the text can not be asked, at the first event.
        """
        chosen = settings or self.settings
        question = check_question(question, chosen.max_question_characters)
        timings: dict[str, float] = {}

        yield StepStarted("retrieve")
        with _timed(timings, "retrieve"):
            vector = self.encoder(chosen).questions([question])[0]
            if passages is None:
                hits, manifest, notice = self._search(question, vector, chosen)
            else:
                hits = tuple(Hit(passage, rank) for rank, passage in enumerate(passages, start=1))
                _, manifest, notice = self._searched(chosen, lambda index: None)
        yield StepFinished("retrieve", timings["retrieve"])

        yield StepStarted("read")
        with _timed(timings, "read"):
            texts = [hit.passage for hit in hits]
            scored = score_sentences(vector, texts, self.encoder(chosen))
            answerable = bool(hits) and answerability(gather(question, texts, scored)) >= _least(chosen, given=passages is not None)
            ranked = relevance(question, texts, scored)
            generator = self.generator(chosen) if chosen.generator == "bart" and answerable else None
            prompt = self._prompt(question, hits, ranked, chosen, generator) if generator else None
        written: str = ""
        if prompt is not None:
            sources = tuple(Source(hit, read) for hit, read in zip(hits, prompt.read, strict=True))
        else:
            written, read = extract_answer(texts, ranked, chosen.extract_sentences) if answerable else ("", [()] * len(hits))
            sources = tuple(Source(hit, tuple(spans)) for hit, spans in zip(hits, read, strict=True))
        yield StepFinished("read", timings["read"])
        yield Retrieved(sources)

        # only what was read can be the reason for what was written
        read_now = [(s.hit.passage, spans) for s, spans in zip(sources, ranked, strict=True) if s.read]
        editor = Editor(
            question, Attributor([passage for passage, _ in read_now], chosen.support_threshold), quotables(read_now), chosen.repair
        )
        editor.headings = {
            part.lower() for passage, _ in read_now for part in prompts.headings(passage.article_title, passage.section_title)
        }
        refused = not answerable
        if chosen.opening and editor.sources and prompt is not None:
            editor.opening = editor.sources[0].text
        if answerable:
            yield StepStarted("write")
            began = time.perf_counter()
            if generator is not None and prompt is not None:
                with closing(generator.stream(prompt.text, _decoding(chosen), editor.opening)) as pieces:
                    refused = yield from edit(pieces, editor, prompts.NO_ANSWER)
            else:
                yield Token(written)
                yield from editor.quote(split_sentences(written))
            timings["write"] = time.perf_counter() - began - editor.seconds
            yield StepFinished("write", timings["write"])

        yield StepStarted("cite")
        sentences = tuple(editor.shown)
        abstained = refused or not any(sentence.supported for sentence in sentences)
        timings["cite"] = editor.seconds  # each sentence is checked as soon as it is written
        yield StepFinished("cite", timings["cite"])
        timings["total"] = sum(timings.values())
        made = {**chosen.reproduction(), **self._made_with(chosen, manifest), "engine": "embedded" if notice else chosen.engine}
        yield Finished(replace(_answer(question, sentences, sources, abstained, timings, made), notice=notice))

    def _prompt(
        self,
        question: str,
        hits: Sequence[Hit],
        scored: Sequence[tuple[ScoredSpan, ...]],
        chosen: Settings,
        generator: Generator,
    ) -> prompts.Prompt:
        texts = [
            prompts.Source(hit.passage.article_title, hit.passage.section_title, hit.passage.passage_text, spans)
            for hit, spans in zip(hits, scored, strict=True)
        ]
        if chosen.prompt_style == "sentences":
            return prompts.sentence_prompt(question, texts, generator.count, chosen.source_tokens, generator.rank_marks)
        return prompts.passage_prompt(question, texts, generator.count, chosen.source_tokens)

    def _made_with(self, chosen: Settings, manifest: Manifest | ElasticManifest) -> dict[str, Any]:
        made: dict[str, Any] = {"corpus_revision": manifest.corpus, "retriever_revision": manifest.model, "index": chosen.index}
        if chosen.generator == "bart":
            made["generator_revision"] = _generator_revision(chosen.generator_model, chosen.cache)
        return made


@functools.lru_cache(maxsize=16)
def _generator_revision(name: str, cache: Path) -> str:
    from lfqa.hub import checkpoint_folder

    return checkpoint_digest(checkpoint_folder(name), cache)


@contextmanager
def _timed(timings: dict[str, float], step: str) -> Iterator[None]:
    began = time.perf_counter()
    yield
    timings[step] = time.perf_counter() - began


def _least(chosen: Settings, given: bool) -> float:
    """Return the answerability from which an answer is written."""
    # who gives passages means them to be read: only those about something else are refused
    return min(chosen.answerable_threshold, chosen.related_threshold) if given else chosen.answerable_threshold


def _decoding(chosen: Settings) -> Decoding:
    return Decoding(
        chosen.decoding,
        chosen.beams,
        chosen.temperature,
        chosen.top_p,
        chosen.seed,
        chosen.min_answer_tokens,
        chosen.max_answer_tokens,
        chosen.no_repeat_ngram,
    )


def _answer(
    question: str,
    sentences: tuple[Sentence, ...],
    sources: tuple[Source, ...],
    abstained: bool,
    timings: dict[str, float],
    settings: dict[str, Any],
) -> Answer:
    if abstained:
        return Answer(question, ABSTENTION, True, (), sources, timings, settings)
    return Answer(question, " ".join(s.text for s in sentences), False, sentences, sources, timings, settings)
