"""Measuring answers: hand-made answers, ROUGE against its package, files that do not fit."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from rouge_score.rouge_scorer import RougeScorer

from lfqa.evaluation.answers import AnswerTask, answer_all, baselines, corpus_tasks, measure_answers, read_tasks, rouge
from lfqa.pipeline import Pipeline
from lfqa.settings import Settings
from lfqa.types import Answer, Citation, Hit, Sentence, Source
from tests.helpers import ASSETS, passage

PASSAGE = passage(1, "The tide rises twice a day because of the Moon. Salt is white.")
SOURCES = (Source(Hit(PASSAGE, 1), ((0, 10),)),)
CITATION = (Citation("p-1", 0.9, 0, 47),)


def answer(*sentences: tuple[str, bool]) -> Answer:
    made = tuple(Sentence(text, supported, CITATION if supported else ()) for text, supported in sentences)
    return Answer("q", " ".join(text for text, _ in sentences), False, made, SOURCES)


ABSTAINED = Answer("q", "No answer: nothing found.", True, (), SOURCES)
GOOD = answer(("The tide rises twice a day.", True), ("Wolves howl.", False))
TASK = AnswerTask("q", ("The tide rises twice every day.", "It is the Moon."))


def test_rouge_is_the_best_over_the_references_by_the_package() -> None:
    scorer = RougeScorer(["rouge1", "rouge2", "rougeL"], use_stemmer=True)
    text, references = "The tides rise daily because of the Moon", ["A tide rises every day.", "The Moon pulls at the tides, so they rise."]
    wanted = {name: max(scorer.score(r, text)[name].fmeasure for r in references) for name in ("rouge1", "rouge2", "rougeL")}
    assert rouge(text, references) == wanted
    assert rouge("", references) == {"rouge1": 0, "rouge2": 0, "rougeL": 0}
    assert rouge(references[1], references)["rougeL"] == 1.0


def test_answers_are_measured_by_hand() -> None:
    report = measure_answers([TASK, TASK], [GOOD, ABSTAINED])
    own = rouge(GOOD.answer, TASK.references)
    assert report["rougeL"] == pytest.approx(own["rougeL"] / 2, abs=1e-4), "an abstention counts as empty"
    assert report["words"] == 8
    assert report["sentences"] == 2
    assert report["supported"] == 0.5
    assert report["abstained"] == 0.5
    # 4 five-grams of 8 words, of which "the tide rises twice a" is in the passage ("a day." is not "a day")
    assert report["copied_5grams"] == 0.25
    assert report["repeated"] == 0.0


def test_citations_are_measured_by_hand() -> None:
    other = passage(3, "Wolves howl at night.")
    sources = (*SOURCES, Source(Hit(other, 2), ((0, 5),)))
    both = (Sentence("The tide rises twice a day.", True, CITATION), Sentence("Wolves howl.", True, (Citation("p-3", 0.9, 0, 21),)))
    two = Answer("q", "The tide rises twice a day. Wolves howl.", False, both, sources)
    tasks = [
        replace(TASK, gold=("p-1", "p-9")),
        replace(TASK, gold=("p-1", "p-9")),
        replace(TASK, gold=("p-3",)),
        replace(TASK, gold=("a", "b")),
    ]
    report = measure_answers(tasks, [two, GOOD, two, ABSTAINED])
    assert report["citation_precision"] == 1.0
    assert report["citation_recall"] == pytest.approx(2.5 / 3, abs=1e-4), "one of two sentences of the second answer has none"
    assert report["supported"] == pytest.approx(5 / 6, abs=1e-4)
    assert report["cited_gold"] == 0.6, "1 of 2, 1 of 1 and 1 of 2"
    assert report["cites_two"] == 0.5, "the first of the two answers whose reference names two passages"
    assert not {"cited_gold", "cites_two"} & set(measure_answers([TASK], [two])), "nothing is known about their passages"


def test_the_figures_are_those_that_are_promised() -> None:
    wanted = "rouge1 rouge2 rougeL words supported citation_precision citation_recall abstained copied_5grams repeated".split()
    assert set(wanted) <= set(measure_answers([TASK], [GOOD]))


def test_a_question_that_can_not_be_asked_counts_as_abstained(pipeline: Pipeline, caplog: pytest.LogCaptureFixture) -> None:
    tasks = [AnswerTask("<b>why</b>", ("x",)), AnswerTask("How do people make chocolate?", ("From cacao.",))]
    refused, given = answer_all(tasks, pipeline, pipeline.settings)
    assert refused.abstained and not given.abstained
    assert "counted as abstained: '<b>why</b>'" in caplog.text
    assert measure_answers(tasks, [refused, given])["abstained"] == 0.5


def test_only_abstentions_leave_zeros() -> None:
    report = measure_answers([TASK], [ABSTAINED])
    assert report["abstained"] == 1.0
    assert all(value == 0 for name, value in report.items() if name != "abstained")


def test_repetition_is_seen() -> None:
    again = answer(("The tide rises twice.", True), ("The tide rises twice.", True))
    assert measure_answers([TASK], [again])["repeated"] == pytest.approx(1 / 5)


@pytest.mark.parametrize(("tasks", "answers"), [([], []), ([TASK], []), ([TASK], [GOOD, GOOD])])
def test_one_answer_a_task_is_needed(tasks: list[AnswerTask], answers: list[Answer]) -> None:
    with pytest.raises(ValueError, match=f"not {len(answers)} for {len(tasks)} tasks"):
        measure_answers(tasks, answers)


def test_baselines_are_the_passages_and_their_first_sentences() -> None:
    long = passage(2, "One is here. Two is there. Three is far. Four is gone.")
    task = AnswerTask("q", ("One is here. Two is there. Three is far.",), (long,))
    report = baselines([task])
    assert list(report) == ["passage", "first_three"]
    assert report["first_three"] == {"rouge1": 1.0, "rouge2": 1.0, "rougeL": 1.0}
    assert report["passage"]["rouge1"] == pytest.approx(2 * 9 / 12 / (1 + 9 / 12), abs=1e-4)
    assert baselines([task, TASK]) == baselines([]) == {}


def file(path: Path, *records: Any) -> Path:
    path.write_text("\n".join(r if isinstance(r, str) else json.dumps(r) for r in records), encoding="utf-8")
    return path


def test_tasks_are_read_with_and_without_passages(tmp_path: Path) -> None:
    path = file(
        tmp_path / "t.jsonl",
        {"question": "a", "answers": ["x", "y"], "passages": [{"title": "T", "text": "U."}, {"section": "S", "text": "V."}]},
        {"question": "b", "answers": ["z"], "more": 1},
    )
    first, second = read_tasks(path)
    assert (first.question, first.references) == ("a", ("x", "y"))
    assert [(p.article_title, p.section_title, p.passage_text) for p in first.passages] == [("T", "", "U."), ("", "S", "V.")]
    assert len({p.passage_id for p in first.passages}) == 2
    assert second == AnswerTask("b", ("z",))


@pytest.mark.parametrize(
    ("records", "message"),
    [
        ([], "holds no questions"),
        ([{"question": 7, "answers": ["x"]}], "line 1: question must be a text that is not empty, not 7"),
        ([{"question": "q", "answers": ["x"], "passages": {"text": "t"}}], "line 1: passages must be a list, not dict"),
        ([{"question": "q", "answers": ["x"], "passages": ["t"]}], "line 1: a passage is an object"),
        ([{"question": "q", "answers": ["x"], "passages": [{"text": " "}]}], "line 1: a passage is an object"),
        ([{"answers": ["x"]}], "line 1: 'question' is missing"),
        ([{"question": "q", "answers": ["x"]}, {"question": "q"}], "line 2: 'answers' is missing"),
        ([{"question": "q", "answers": ["x"], "passages": [{"title": "t"}]}], "a passage is an object with a title and a text"),
        ([{"question": "q", "answers": "one text"}], "answers must be a list of at least one text, not 'one text'"),
        ([{"question": "q", "answers": []}], "answers must be a list"),
        (["{"], "line 1: not JSON"),
        (["7"], "a record is a JSON object, not int"),
    ],
)
def test_a_file_that_does_not_fit_is_refused(tmp_path: Path, records: list[Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        read_tasks(file(tmp_path / "t.jsonl", *records))


def test_the_corpus_questions_of_a_split_are_tasks_without_passages() -> None:
    path = ASSETS / "corpus" / "questions.jsonl"
    tasks = corpus_tasks(path)
    assert "How do people make chocolate?" in [task.question for task in tasks]
    assert all(task.references[0] and task.gold and not task.passages for task in tasks)
    assert len(corpus_tasks(path, "train")) > len(tasks)
    with pytest.raises(ValueError, match=r"no questions of the split 'dev'; there are \['test', 'train', 'validation'\]"):
        corpus_tasks(path, "dev")


def test_answers_come_from_the_tasks_own_passages_where_it_has_some(pipeline: Pipeline) -> None:
    settings = Settings(generator="extract")
    with_passage = AnswerTask("How often does the tide rise?", ("Twice a day.",), (PASSAGE,))
    found = AnswerTask("How do people make chocolate?", ("From cacao.",))
    first, second = answer_all([with_passage, found], pipeline, settings)
    assert [s.hit.passage for s in first.sources] == [PASSAGE]
    assert first.question == with_passage.question
    assert len(second.sources) > 1
    assert 0 < measure_answers([with_passage, found], [first, second])["rougeL"] < 1
    assert measure_answers([with_passage], [replace(first, abstained=True)])["abstained"] == 1
