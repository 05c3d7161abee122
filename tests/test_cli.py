"""The command line: what it prints, where, and with which exit code."""

from __future__ import annotations

import functools
import gzip
import json
import re
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from lfqa.cli import app
from lfqa.retrieval.dense import Encoder
from tests.document_files import pdf_file, word_file, write_rows
from tests.helpers import ASSETS, FRUIT, HAS_GENERATOR, NO_GENERATOR, check_answer_object, check_passage_objects, passage, write_passages

FEVER = "Why do we get a fever when we are sick?"
one_encoder = functools.cache(Encoder)


@pytest.fixture(autouse=True)
def _models_load_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lfqa.pipeline.Encoder", one_encoder)
    monkeypatch.setenv("COLUMNS", "200")


@pytest.fixture
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LFQA_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def lfqa(*arguments: str, input: bytes | None = None) -> Any:
    return CliRunner().invoke(app, list(arguments), input=input)


def ask(*arguments: str) -> Any:
    return lfqa("ask", *arguments, "--generator", "extract")


def refused(result: Any, *words: str) -> None:
    """Assert one clear line on standard error, nothing on standard output, exit code 2 and no traceback."""
    assert result.exit_code == 2, result.output + repr(result.exception)
    assert result.stdout == ""
    assert "Traceback" not in result.stderr
    said = " ".join(result.stderr.split())
    for word in words:
        assert word in said


def in_json(result: Any) -> Any:
    assert result.exit_code == 0, result.output + repr(result.exception)
    return json.loads(result.stdout)


# asking


def test_ask_json_prints_one_object_of_the_promised_shape() -> None:
    found = in_json(ask(FEVER, "--json"))
    check_answer_object(found)
    assert (found["question"], found["abstained"], len(found["passages"])) == (FEVER, False, 6)
    assert found["passages"][0]["article_title"] == "Fever"


@pytest.mark.parametrize("retriever", ["dense", "sparse", "hybrid"])
def test_retriever_and_k_are_options(retriever: str) -> None:
    found = in_json(ask(FEVER, "--json", "--retriever", retriever, "-k", "3"))
    check_answer_object(found)
    assert (len(found["passages"]), found["settings"]["k"], found["settings"]["retriever"]) == (3, 3, retriever)


def test_abstaining_is_an_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LFQA_ANSWERABLE_THRESHOLD", "1")
    found = in_json(ask(FEVER, "--json"))
    check_answer_object(found)
    assert (found["abstained"], found["sentences"]) == (True, [])
    assert found["answer"].startswith("No answer")
    text = ask(FEVER)
    assert text.exit_code == 0 and text.stdout.startswith("No answer")


def test_without_json_the_answer_has_marks_and_the_passages_follow_plain_in_a_pipe() -> None:
    result = ask(FEVER)
    assert result.exit_code == 0
    assert "\x1b" not in result.stdout and "\r" not in result.stdout
    answer, *rest = result.stdout.split("\n\n")
    assert re.search(r"\. \[[1-6]\]", answer) and "[unsupported]" not in answer
    for rank in range(1, 7):
        assert any(block.startswith(f"[{rank}] ") for block in rest)
    assert "dense 1" in result.stdout and "BM25 1" in result.stdout and "total" in rest[-1]


def test_nearest_adds_the_most_similar_answered_question(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "nearest" not in in_json(ask(FEVER, "--json"))
    assert in_json(ask(FEVER, "--json", "--nearest"))["nearest"] is None
    assert "Closest question" not in ask(FEVER, "--nearest").stdout
    monkeypatch.setenv("LFQA_QUESTIONS", str(ASSETS / "corpus/questions.jsonl"))
    found = in_json(ask(FEVER, "--json", "--nearest"))
    near = found.pop("nearest")
    check_answer_object(found)
    assert list(near) == ["question", "answer", "passage_ids", "similarity"]
    assert near["question"] and near["answer"] and near["passage_ids"] and 0 < near["similarity"] <= 1
    plain = ask(FEVER, "--nearest").stdout
    assert plain.endswith(f"{near['question']}\n{near['answer']}\n") and f"similarity {near['similarity']:.2f}" in plain
    monkeypatch.setenv("LFQA_NEAREST_THRESHOLD", "1")
    assert "low, probably another question" in ask(FEVER, "--nearest").stdout
    monkeypatch.setenv("LFQA_QUESTIONS", "gone.jsonl")
    refused(ask(FEVER, "--nearest"), "gone.jsonl does not exist")


def test_the_question_can_come_from_standard_input() -> None:
    result = lfqa("ask", "-", "--generator", "extract", "--json", input=FEVER.encode() + b"\n")
    assert in_json(result)["question"] == FEVER
    refused(lfqa("ask", "-", input=b"\xff\xfe\x00\x01"), "binary")


@pytest.mark.parametrize("json_option", [[], ["--json"]])
@pytest.mark.parametrize(
    ("question", "words"),
    [
        ("", "no question"),
        ("   ", "no question"),
        ("why " * 5000, "20,000 characters"),
        ("What \x00 is \x07 this?", "binary"),
        ("<script>alert(1)</script>", "HTML"),
        ("为什么天空是蓝色的？", "English"),
        ("Warum ist der Himmel am Tag eigentlich blau und nicht grün?", "German"),
        ("????", "no words"),
    ],
)
def test_what_is_no_question_exits_with_2_before_a_model_is_loaded(
    question: str, words: str, json_option: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lfqa.pipeline.Pipeline.warm_up", lambda *_: pytest.fail("loaded a model"))
    refused(ask(question, *json_option), words)
    if not json_option:
        refused(lfqa("compare", question), words)


@pytest.mark.parametrize("question", ["What costs $5 and $$10?", "Is 3 < 4?", "`rm -rf` what is it; $(id)?"])
def test_signs_of_the_shell_and_of_mathematics_are_just_text(question: str) -> None:
    found = in_json(ask(question, "--json"))
    check_answer_object(found)
    assert found["question"] == question


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["-k", "0"], ["k:", "greater than or equal to 1"]),
        (["-k", "1000"], ["k:", "less than or equal to 100"]),
        (["-k", "many"], ["'-k'", "integer"]),
        (["--retriever", "magic"], ["magic", "dense"]),
        (["--min-tokens", "200", "--max-tokens", "100"], ["200", "100", "shortest"]),
        (["--corpus", "nowhere.jsonl"], ["nowhere.jsonl", "does not exist"]),
        (["--index", "nowhere"], ["no index 'nowhere'", "lfqa index add"]),
        (["--index", "../x"], ["'../x' can not name an index"]),
        (["--bogus"], ["--bogus"]),
    ],
)
def test_bad_options_exit_with_2(arguments: list[str], words: list[str]) -> None:
    refused(ask(FEVER, *arguments), *words)


def test_bad_settings_exit_with_2(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LFQA_K", "none")
    refused(ask(FEVER), "k:", "none")
    monkeypatch.delenv("LFQA_K")
    monkeypatch.setenv("LFQA_CONFIG", str(tmp_path / "gone.toml"))
    refused(ask(FEVER), "LFQA_CONFIG", "gone.toml")


def test_the_hub_profile_offline_fails_at_once_with_what_is_missing() -> None:
    refused(lfqa("ask", FEVER, "--profile", "hub"), "retribert-base-uncased", "330 MB", "can not be reached", "--profile embedded")


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        ("missing", ["does not exist"]),
        ("no config", ["config.json is missing"]),
        ("no weights", ["model.safetensors", "is missing"]),
        ("cut weights", ["can not be loaded"]),
        ("bad config", ["config.json"]),
    ],
)
def test_a_damaged_retriever_exits_with_2(damage: str, words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "retriever"
    if damage != "missing":
        folder.mkdir()
        for file in (ASSETS / "models/retriever").iterdir():
            (folder / file.name).symlink_to(file)
    if damage in ("no config", "bad config"):
        (folder / "config.json").unlink()
    if damage in ("no weights", "cut weights"):
        (folder / "model.safetensors").unlink()
    if damage == "cut weights":
        (folder / "model.safetensors").write_bytes((ASSETS / "models/retriever/model.safetensors").read_bytes()[:100_000])
    if damage == "bad config":
        (folder / "config.json").write_text("{")
    monkeypatch.setenv("LFQA_RETRIEVER_MODEL", str(folder))
    refused(ask(FEVER), str(folder), *words)


def test_a_missing_generator_exits_with_2(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LFQA_GENERATOR_MODEL", str(tmp_path))
    refused(lfqa("ask", FEVER), "config.json is missing")


@pytest.mark.parametrize("damage", ["cut weights", "no tokenizer"])
@pytest.mark.parametrize("runtime", ["ctranslate2", "transformers"])
def test_a_damaged_generator_exits_with_2(
    damage: str, runtime: str, tiny_bart: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import shutil

    folder = shutil.copytree(tiny_bart, tmp_path / "generator")
    if damage == "cut weights":
        (folder / "model.safetensors").write_bytes((folder / "model.safetensors").read_bytes()[:50_000])
    else:
        (folder / "tokenizer.json").unlink()
    monkeypatch.setenv("LFQA_GENERATOR_MODEL", str(folder))
    refused(lfqa("ask", FEVER, "--runtime", runtime), f"the checkpoint in {folder} can not be loaded")


@pytest.mark.skipif(not HAS_GENERATOR, reason=NO_GENERATOR)
@pytest.mark.parametrize("decoding", ["greedy", "beam", "sample"])
def test_the_bundled_generator_answers_in_json(decoding: str) -> None:
    found = in_json(lfqa("ask", FEVER, "--json", "--decoding", decoding))
    check_answer_object(found)
    assert (found["settings"]["generator"], found["settings"]["decoding"]) == ("bart", decoding)


# comparing


def test_compare_json_has_the_lists_with_what_moved_and_what_each_term_adds() -> None:
    found = in_json(lfqa("compare", FEVER, "--json", "-k", "4"))
    assert list(found) == ["question", "dense", "sparse", "hybrid", "shifts", "overlap", "terms"]
    for name in ("dense", "sparse", "hybrid"):
        assert len(found[name]) == 4
        check_passage_objects(found[name])
    assert all(p["ranks"]["sparse"] is None for p in found["dense"])
    assert all(p["ranks"]["dense"] is None for p in found["sparse"])
    for hit, shift in zip(found["hybrid"], found["shifts"], strict=True):
        for engine in ("dense", "sparse"):
            place = hit["ranks"][engine]
            assert shift[engine] == (None if place is None else place - hit["rank"])
    ids = {name: {p["passage_id"] for p in found[name]} for name in ("dense", "sparse", "hybrid")}
    assert found["overlap"]["dense+sparse"] == len(ids["dense"] & ids["sparse"])
    assert found["overlap"]["dense+sparse+hybrid"] == len(ids["dense"] & ids["sparse"] & ids["hybrid"])
    for hit in found["sparse"]:
        assert sum(found["terms"][hit["passage_id"]].values()) == pytest.approx(hit["scores"]["sparse"], abs=0.01)


def test_compare_prints_a_plain_table_in_a_pipe() -> None:
    result = lfqa("compare", FEVER, "-k", "2")
    assert result.exit_code == 0 and "\x1b" not in result.stdout
    for word in (
        FEVER,
        "dense",
        "BM25",
        "hybrid",
        "Fever",
        "● found by all three",
        "shared passages: dense and BM25",
        "BM25, by term:",
        "fever ",
    ):
        assert word in result.stdout


def test_the_weight_goes_from_bm25_to_dense_and_filters_keep_to_titles() -> None:
    lists = in_json(lfqa("compare", FEVER, "--json", "-k", "4"))
    for weight, name in (("0", "sparse"), ("1", "dense")):
        found = in_json(lfqa("compare", FEVER, "--json", "-k", "4", "--weight", weight, "--fusion", "scores"))
        assert [p["passage_id"] for p in found["hybrid"]] == [p["passage_id"] for p in lists[name]]
    found = in_json(ask(FEVER, "--json", "--fusion", "interleave", "-k", "4"))
    assert [p["passage_id"] for p in found["passages"][:1]] == [lists["dense"][0]["passage_id"]]
    assert (found["settings"]["fusion"], found["settings"]["weight"]) == ("interleave", 0.5)
    title = lists["hybrid"][0]["article_title"]
    found = in_json(ask(FEVER, "--json", "--article", title.upper()))
    assert {p["article_title"] for p in found["passages"]} == {title} and found["settings"]["articles"] == [title.upper()]
    assert in_json(ask(FEVER, "--json", "--source", "nowhere"))["abstained"]
    refused(ask(FEVER, "--weight", "2"), "weight")


# indexes


def test_an_index_is_added_listed_described_asked_and_removed(own_cache: Path, tmp_path: Path) -> None:
    assert "no index yet" in lfqa("index", "list").stdout
    file = write_passages(tmp_path / "fruit.jsonl", FRUIT)
    assert lfqa("index", "add", str(file), "--name", "fruit").stdout.startswith("fruit: 3 passages")
    zipped = tmp_path / "more.jsonl.gz"
    zipped.write_bytes(gzip.compress(write_passages(tmp_path / "x.jsonl", [passage(4, "Dates are sweet fruit.", "Date")]).read_bytes()))
    assert lfqa("index", "add", str(zipped), "--name", "fruit").stdout == "fruit: 4 passages; sources: 1 added, 1 unchanged\n"
    assert lfqa("index", "add", "--name", "fruit").stdout == "fruit: 4 passages; sources: 2 unchanged\n"
    assert lfqa("index", "list").stdout == "fruit\t4 passages\n"
    assert in_json(lfqa("index", "info", "fruit"))["passages"] == 4
    found = in_json(ask("Do birds eat cherries?", "--json", "--index", "fruit"))
    check_answer_object(found)
    assert found["passages"][0]["article_title"] == "Cherry" and found["settings"]["index"] == "fruit"
    assert lfqa("index", "remove", "fruit").stdout == "fruit: removed\n"
    refused(lfqa("index", "info", "fruit"), "no index")
    refused(lfqa("index", "remove", "fruit"), "no index 'fruit'")
    refused(ask(FEVER, "--index", "fruit"), "no index 'fruit'")


@pytest.mark.parametrize("name", ["../x", "a/b", "", "..", "a b"])
def test_path_tricks_in_a_name_exit_with_2(name: str, own_cache: Path, tmp_path: Path) -> None:
    file = write_passages(tmp_path / "fruit.jsonl", FRUIT)
    refused(lfqa("index", "add", str(file), "--name", name), "can not name an index")
    refused(lfqa("index", "info", name), "can not name an index")
    refused(lfqa("index", "remove", name), "can not name an index")
    assert not (own_cache / "indexes").exists()


def test_a_bad_passage_file_exits_with_2_and_the_old_index_still_answers(own_cache: Path, tmp_path: Path) -> None:
    file = write_passages(tmp_path / "fruit.jsonl", FRUIT)
    assert lfqa("index", "add", str(file), "--name", "fruit").exit_code == 0
    good = file.read_bytes()
    for data, words in (
        (b"", "is empty"),
        (good + b'{"passage_id": "x", "passage_text": "y"}\n', "line 4: article_title is missing"),
        (good + b"\xff\xff\n", "is not utf-8 text"),
        (b"\x00\x01\x02", "is binary"),
    ):
        file.write_bytes(data)
        refused(lfqa("index", "add", str(file), "--name", "fruit"), words, "fruit.jsonl", "the index fruit stays as it was")
    zipped = tmp_path / "cut.jsonl.gz"
    zipped.write_bytes(gzip.compress(good)[:-12])
    refused(lfqa("index", "add", str(zipped), "--name", "fruit"), "cut.jsonl.gz", "is a damaged gzip file")
    refused(lfqa("index", "add", str(tmp_path / "gone.jsonl"), "--name", "fruit"), "gone.jsonl does not exist")
    refused(lfqa("index", "add", str(zipped), "--name", "other"), "is a damaged gzip file", "no passages to index")
    assert in_json(ask("Do birds eat cherries?", "--json", "--index", "fruit"))["passages"][0]["article_title"] == "Cherry"


def test_documents_of_every_kind_are_indexed_and_cited_by_file_page_and_section(own_cache: Path, tmp_path: Path) -> None:
    folder = tmp_path / "docs"
    folder.mkdir()
    (folder / "tides.pdf").write_bytes(pdf_file())
    (folder / "boats.docx").write_bytes(word_file())
    (folder / "secret.pdf").write_bytes(pdf_file(encrypt="word"))
    (folder / "notes.md").write_text("# Notes\n\n## Tea\n\nTea is made from leaves that are dried and then steeped in hot water.\n")
    result = lfqa("index", "add", str(folder), "--name", "docs")
    assert result.exit_code == 0, result.output
    assert result.stdout.endswith("sources: 3 added, 1 skipped\n")
    assert "secret.pdf: is encrypted: save it without a password" in result.stderr
    [first, *_] = in_json(ask("What is tea made from?", "--json", "--index", "docs"))["passages"]
    assert (first["section_title"], first["source"]["name"]) == ("Tea", "docs/notes.md")
    text = (folder / "notes.md").read_text()
    assert text[first["source"]["start"] : first["source"]["end"]] == first["text"]
    pages = {p["source"]["page"] for p in in_json(ask("Why does the sea rise?", "--json", "--index", "docs"))["passages"]}
    assert pages - {None}


def test_a_data_set_of_articles_becomes_an_index(own_cache: Path, tmp_path: Path) -> None:
    rows = [{"id": "1", "url": "https://simple.example/Tea", "title": "Tea", "text": "Tea is a drink.\n\nSee also\n\n Coffee"}]
    write_rows(tmp_path / "wiki" / "20231101.simple" / "train-00000-of-00001.parquet", rows)
    result = lfqa("index", "add", "--dataset", str(tmp_path / "wiki"), "--config", "20231101.simple", "--name", "wiki")
    assert result.exit_code == 0, result.output
    found = in_json(ask("What is tea?", "--json", "--index", "wiki"))["passages"]
    assert [(p["text"], p["source"]["name"]) for p in found] == [("Tea is a drink.", "https://simple.example/Tea")]
    refused(lfqa("index", "add", "--config", "x", "--name", "wiki"), "--config and --shard are a data set's")
    refused(lfqa("index", "add", "--dataset", "wikimedia/wikipedia", "--name", "w"), "the Hugging Face hub can not be reached")
    refused(lfqa("index", "add", "--name", "new"), "no index 'new' to bring up to date")


@pytest.mark.parametrize(
    ("damage", "words"),
    [("dense.faiss", "dense.faiss has 30 bytes"), ("manifest.json", "manifest.json can not be read"), ("format", "has format 7")],
)
def test_a_damaged_index_exits_with_2_and_says_what_repairs_it(damage: str, words: str, own_cache: Path, tmp_path: Path) -> None:
    file = write_passages(tmp_path / "fruit.jsonl", FRUIT)
    assert lfqa("index", "add", str(file), "--name", "fruit").exit_code == 0
    folder = own_cache / "indexes" / "fruit"
    if damage == "format":
        manifest = folder / "manifest.json"
        manifest.write_text(json.dumps({**json.loads(manifest.read_text()), "format": 7}))
    else:
        (folder / damage).write_bytes((folder / damage).read_bytes()[:30])
    refused(ask("Do birds eat cherries?", "--index", "fruit"), words, "`lfqa index add --name fruit`")
    assert lfqa("index", "add", "--name", "fruit").exit_code == 0
    assert ask("Do birds eat cherries?", "--index", "fruit").exit_code == 0
    assert lfqa("index", "remove", "fruit").exit_code == 0


# help


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--help"], ["ask", "compare", "index", "serve"]),
        (["-h"], ["ask", "compare", "index"]),
        (["ask", "--help"], ["--retriever", "--generator", "--decoding", "--json", "--profile", "--index", "-k"]),
        (["compare", "--help"], ["--json", "-k"]),
        (["index", "--help"], ["add", "list", "info", "remove"]),
        (["index", "add", "--help"], ["--name", "--dataset", "--config", "PDF"]),
        (["serve", "--help"], ["--port", "8501"]),
        (["--version"], ["lfqa 0"]),
    ],
)
def test_help_names_what_there_is(arguments: list[str], words: list[str]) -> None:
    result = lfqa(*arguments)
    assert result.exit_code == 0
    for word in words:
        assert word in result.stdout


@pytest.mark.parametrize("arguments", [["ask"], ["index", "add"], ["index", "add", "x.jsonl"], ["nonsense"]])
def test_what_is_missing_or_unknown_exits_with_2(arguments: list[str]) -> None:
    assert lfqa(*arguments).exit_code == 2
