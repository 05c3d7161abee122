"""Question-answer-passage triples for the generator: from the data folder, and from the project's own corpus.

A record is ``{source, question, answer, passages: [{title, section, text}], gold: [index, ...]}``; the passages that are not gold
are distractors that BM25 found with the question. Targets are sentences that the gold passages hold: human answers where the
passages support them, otherwise the passage's sentences closest to the question.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from lfqa.corpus.cutting import cut_passages
from lfqa.generation.prompt import NO_ANSWER, RANK_MARKS, Source, sentence_prompt
from lfqa.sentences import sentence_spans, split_sentences
from lfqa.training.texts import HELD_OUT_DOMAIN, clean, detokenise, has_traces, held_out, read_records
from lfqa.wording import content, coverage

Passage = dict[str, str]
Record = dict[str, Any]
Searcher = Callable[[str, int], Sequence[Passage]]
Scorer = Callable[[str, Sequence[str]], Sequence[float]]

_RANK_NOISE = 0.03  # of the relevance, so that the marks are taken for a hint and not for an order

_CONNECTIVE = re.compile(
    r"^(?:However|Moreover|Furthermore|Additionally|In addition|Also|Thus|Therefore|Hence|Finally|For example|For instance),\s+"
)


def tidy(sentence: str) -> str:
    """Return `sentence` as one may start an answer with it: without an opening connective, bracketed asides and list dashes."""
    sentence = _CONNECTIVE.sub("", sentence.strip())
    sentence = re.sub(r"\s*\([^()]{0,80}\)", "", sentence)
    sentence = re.sub(r"^[-–•*]\s+", "", sentence)
    return sentence[:1].upper() + sentence[1:]


def closest_sentences(question: str, text: str, score: Scorer, count: int, words: int = 85) -> list[str]:
    """Return the `count` sentences of `text` closest to the question, in order, tidied, at most about `words` words."""
    sentences = [s for s in split_sentences(text) if len(s.split()) >= 5 and not has_traces(s)]
    if not sentences:
        return []
    scores = score(question, sentences)
    chosen: list[int] = []
    used = 0
    for index in sorted(range(len(sentences)), key=lambda i: -scores[i]):
        length = len(sentences[index].split())
        if len(chosen) < count and used + length <= words:
            chosen.append(index)
            used += length
    return [tidy(sentences[index]) for index in sorted(chosen)]


def _cut(title: str, section: str, text: str) -> list[Passage]:
    """Return `text` as passages of about 100 words under one heading."""
    return [{"title": title, "section": section, "text": text[s:e]} for s, e in cut_passages(text)]


def _question(text: str) -> str:
    """Return `text` detokenised and ending in one question mark."""
    text = re.sub(r"\s+\?", "?", detokenise(text)).rstrip(". ")
    text = text.replace("(are)", "").replace("  ", " ")
    return text if text.endswith("?") else text + "?"


def natural_questions(folder: Path, score: Scorer, test: set[str]) -> Iterator[Record]:
    """Yield search questions with their paragraphs and, as target, the paragraph's sentences closest to the question.

    No question about a page that one of the `test` questions is about.
    """
    rng = random.Random(1)
    names = ("nq_paragraphs", "qed_paragraphs")
    pages = {row["title"].lower() for name in names for row in read_records(folder, name) if row["question"] in test}
    written = {row["question"]: row["answer"] for row in read_records(folder, "clapnq_train")}
    for name in names:
        for row in read_records(folder, name):
            if row["title"].lower() in pages or held_out(row["title"]):
                continue
            text = clean(detokenise(row["paragraph"]))
            if row["question"] in written:
                answer = detokenise(written[row["question"]])
                source = "clapnq"
            else:
                answer = " ".join(closest_sentences(row["question"], text, score, rng.choice((2, 3, 3))))
                source = "nq"
            if len(answer.split()) >= 12:
                yield _record(source, _question(row["question"]), answer, _cut(row["title"], "", text))


def _record(source: str, question: str, answer: str, gold: list[Passage]) -> Record:
    return {"source": source, "question": question, "answer": answer, "passages": gold, "gold": list(range(len(gold)))}


def forum_answers(folder: Path) -> Iterator[Record]:
    """Yield LFRQA's questions; the human answer, cut into passages, is its own evidence."""
    for row in read_records(folder, "lfrqa_train"):
        answer = clean(row["answer"])
        if row["domain"] == HELD_OUT_DOMAIN or not 25 <= len(answer.split()) <= 95 or "http" in answer:
            continue
        yield _record("lfrqa", _question(row["question"]), answer, _cut("", "", answer))


def medical_questions(folder: Path, score: Scorer, most: int) -> Iterator[Record]:
    """Yield MedQuAD's questions with the answer cut into passages, and its sentences closest to the question as target."""
    rows = [row for row in read_records(folder, "medquad") if row["answer"] and not held_out(row["focus"] or "")]
    rng = random.Random(2)
    for row in rng.sample(rows, len(rows)):
        text = clean(row["answer"])
        if not 60 <= len(text.split()) <= 500 or " - " in text or "Key Points" in text:
            continue
        passages = _cut(row["focus"] or "", "", text)
        answer = " ".join(closest_sentences(row["question"], " ".join(p["text"] for p in passages[:2]), score, rng.choice((2, 3, 4))))
        if len(answer.split()) >= 20:
            yield _record("medquad", _question(row["question"]), answer, passages[:3])
            most -= 1
            if not most:
                return


def instructions(folder: Path) -> Iterator[Record]:
    """Yield Dolly's questions over a given text whose human response the text holds."""
    for row in read_records(folder, "dolly"):
        text, answer = clean(row["context"]), clean(row["response"])
        if not text or not 12 <= len(answer.split()) <= 90 or len(text.split()) > 600 or has_traces(answer):
            continue
        if coverage(content(answer), content(text)) >= 0.75 and not re.search(r"\d\.\s|^-|\s-\s|\n\*", row["response"]):
            yield _record("dolly", _question(clean(row["instruction"])), answer, _cut("", "", text))


def exercises(folder: Path, search: Searcher) -> Iterator[Record]:
    """Yield textbook exercises whose own answer is held by passages that BM25 finds with question and answer."""
    for row in read_records(folder, "openstax_exercises"):
        answer = clean(row["answer"])
        if held_out(row["title"]) or not 10 <= len(answer.split()) <= 90 or has_traces(row["question"] + answer):
            continue
        gold = list(search(f"{row['question']} {answer}", 2))
        if gold and coverage(content(answer), content(" ".join(p["text"] for p in gold))) >= 0.6:
            yield _record("exercises", _question(clean(row["question"])), answer, gold)


def glossary(folder: Path, search: Searcher, most: int) -> Iterator[Record]:
    """Yield "What is X?" with the definition as one passage and a passage that uses the term as another."""
    rng = random.Random(3)
    rows = [row for row in read_records(folder, "openstax_glossary") if not held_out(row["title"])]
    for row in rng.sample(rows, len(rows)):
        term, meaning = row["term"].strip(), clean(row["meaning"]).rstrip(".")
        if not term or not 6 <= len(meaning.split()) <= 40 or "(" in term or meaning[0].isupper() or ";" in meaning:
            continue
        plural = term.endswith("s") and not term.endswith(("ss", "is", "us", "cs"))
        start = "" if plural or not re.match(r"(?:a|an|the)\s", meaning) else ("an " if term[0] in "aeiou" else "a ")
        sentence = f"{start}{term} {'are' if plural else 'is'} {meaning}."
        sentence = sentence[:1].upper() + sentence[1:]
        use = [p for p in search(term, 6) if term.lower() in p["text"].lower()][:1]
        if not use:
            continue
        using = [tidy(s) for s in split_sentences(use[0]["text"]) if term.lower() in s.lower() and not has_traces(s)][:1]
        verb = "are" if plural else "is"
        question = rng.choice(
            (f"What {verb} {term}?", f"what does {term} mean", f"What exactly {verb} {term}?", f"Can you explain {term}?")
        )
        definition = {"title": row["title"], "section": term, "text": sentence}
        yield _record("glossary", _question(question), " ".join([sentence, *using]), [definition, *use])
        most -= 1
        if not most:
            return


def encyclopedia(passages: Sequence[Passage], score: Scorer, most: int) -> Iterator[Record]:
    """Yield questions after the title and section of textbook and encyclopedia passages, with their closest sentences."""
    rng = random.Random(4)
    forms = ("What is {0}?", "what is {0}", "Can you explain {0}?", "Tell me about {0}?", "How does {0} work?", "Why is {0} important?")
    for passage in rng.sample(passages, len(passages)):
        title, section = passage["title"], passage["section"]
        subject = title if not section else f"{section} of {title}" if len(section.split()) <= 3 else section
        if (
            passage["source"] not in ("openstax", "simplewiki", "wikipedia_vital")
            or len(subject.split()) > 7
            or has_traces(passage["text"])
        ):
            continue
        question = rng.choice(forms[:4] if passage["source"] == "simplewiki" else forms).format(subject)
        answer = " ".join(closest_sentences(f"{subject} {question}", passage["text"], score, rng.choice((2, 3))))
        if len(answer.split()) >= 20:
            gold = {key: passage[key] for key in ("title", "section", "text")}
            yield _record("encyclopedia", question, answer, [gold])
            most -= 1
            if not most:
                return


def own_questions(passages: Iterable[dict[str, str]], questions: Iterable[dict[str, Any]], split: str) -> Iterator[Record]:
    """Yield the corpus' questions of `split` with their written answers.

    Raises
    ------
    ValueError
        When a question or passage lacks a field, or a question names a passage that is not there.
    """
    try:
        by_id = {p["passage_id"]: {"title": p["article_title"], "section": p["section_title"], "text": p["passage_text"]} for p in passages}
        for row in questions:
            if row["split"] == split:
                yield _record("own", row["question"], row["answer"], [by_id[i] for i in row["passage_ids"]])
    except KeyError as error:
        raise ValueError(f"the corpus' questions and passages do not fit together: {error} is missing") from error


def quoted(record: Record) -> Record:
    """Return `record` with the sentences of its gold passages that its answer was written from as the answer.

    For each sentence of the answer that is the passage sentence that holds most of it, each once, tidied; a target that can be
    copied word for word teaches what to say before how to put it. A record of which too little can be quoted is left as it is.
    """
    pool = [s for index in record["gold"] for s in split_sentences(record["passages"][index]["text"])]
    held = [content(sentence) for sentence in pool]
    chosen: list[str] = []
    for said in map(content, split_sentences(record["answer"])):
        scores = [coverage(said, evidence) for evidence in held]
        best = max(range(len(pool)), key=scores.__getitem__, default=None)
        if best is not None and scores[best] > 0.35 and tidy(pool[best]) not in chosen:
            chosen.append(tidy(pool[best]))
    return {**record, "answer": " ".join(chosen)} if len(chosen) > 1 else record


def with_distractors(record: Record, search: Searcher, count: int = 6) -> Record:
    """Return `record` with up to `count` passages that BM25 finds with the question put after its gold passages."""
    gold = {p["text"][:60] for p in record["passages"]}
    found = [
        {key: p[key] for key in ("title", "section", "text")} for p in search(record["question"], count + 4) if p["text"][:60] not in gold
    ]
    return {**record, "passages": [*record["passages"], *found[:count]]}


def training_prompt(
    record: Record, rng: random.Random, count: Callable[[str], int], budget: int, *, unanswerable: float = 0.07
) -> tuple[str, str]:
    """Return the generator's input and target for a record, drawn anew each time.

    The gold passages come first more often than not, as good retrieval has them; the sentences are chosen and marked by their
    relevance (see `lfqa.training.ranking`; without it by word overlap with the question), with some chance, and the ones the target
    needs are nearly always among them. A share `unanswerable` loses its gold passages, and
    those of the same title, and gets the fixed target.

    Parameters
    ----------
    count
        Counts the tokens of a text.
    budget
        The most tokens of the input.

    Raises
    ------
    ValueError
        When the question alone does not fit into `budget`.
    """
    passages, gold = record["passages"], set(record["gold"])
    titles = {passages[i]["title"].lower() for i in gold} - {""}
    distractors = [i for i in range(len(passages)) if i not in gold]
    foreign = [i for i in distractors if passages[i]["title"].lower() not in titles]
    empty = len(foreign) >= 2 and rng.random() < unanswerable
    chosen = rng.sample(foreign, min(len(foreign), rng.randint(2, 5))) if empty else []
    if not empty:
        chosen = [*gold, *rng.sample(distractors, min(len(distractors), rng.choice((0, 1, 2, 3, 4))))]
        rng.shuffle(chosen)
        if rng.random() < 0.6:
            chosen.sort(key=lambda i: i not in gold)
    asked = content(record["question"])
    needed = content(record["answer"])
    sources = []
    for index in chosen:
        passage = passages[index]
        known = record["relevance"][index] if "relevance" in record else None
        scored, ranks = [], []
        for place, (start, end) in enumerate(sentence_spans(passage["text"])):
            said = content(passage["text"][start:end])
            rank = coverage(asked, said) + 0.5 * rng.random() if known is None else known[place] + rng.gauss(0, _RANK_NOISE)
            wanted = index in gold and coverage(said, needed) > 0.5 and rng.random() < 0.97
            scored.append((start, end, rank + 1.5 * wanted))
            ranks.append(rank)
        sources.append(Source(passage["title"], passage["section"], passage["text"], tuple(scored), tuple(ranks)))
    room = budget if rng.random() < 0.6 else rng.randint(budget // 2, budget)
    room = max(room, count(f"question: {record['question']} context:") + 8)
    prompt = sentence_prompt(record["question"], sources, count, min(room, budget), RANK_MARKS)
    return prompt.text, NO_ANSWER if empty else record["answer"]
