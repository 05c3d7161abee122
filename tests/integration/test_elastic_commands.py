"""A real Elasticsearch from the command line and from the page."""

from __future__ import annotations

import functools
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest
from typer.testing import CliRunner

from lfqa.cli import app
from lfqa.retrieval.dense import Encoder
from lfqa.types import Answer
from tests.helpers import check_answer_object, check_passage_objects
from tests.integration.conftest import clean
from tests.integration.node import Node

FEVER = "Why do we get a fever when we are sick?"
ROOT = Path(__file__).resolve().parents[2]
one_encoder = functools.cache(Encoder)


@pytest.fixture(autouse=True)
def _models_load_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lfqa.pipeline.Encoder", one_encoder)
    monkeypatch.setenv("COLUMNS", "300")


def lfqa(*arguments: str) -> Any:
    return CliRunner().invoke(app, list(arguments))


def done(*arguments: str) -> Any:
    result = lfqa(*arguments)
    assert result.exit_code == 0, result.output + repr(result.exception)
    return result


def refused(*arguments: str) -> str:
    result = lfqa(*arguments)
    assert result.exit_code == 2 and result.stdout == "" and "Traceback" not in result.stderr, result.output + repr(result.exception)
    return " ".join(result.stderr.split())


@pytest.fixture(scope="module")
def server(node: Node, small_corpus: Path) -> Iterator[list[str]]:
    """The options that name the server, where the small corpus is indexed as `corpus`."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("lfqa.pipeline.Encoder", one_encoder)
        options = ["--engine", "elasticsearch", "--url", node.url]
        added = done("index", "add", str(small_corpus), "--name", "corpus", *options)
        count = len(small_corpus.read_text(encoding="utf-8").splitlines())
        assert f"corpus: {count:,} passages; sources: 1 read" in added.stdout
    yield options
    from lfqa.retrieval.elastic_client import Connection, Server

    clean(Connection(Server(node.url)), "corpus")


def test_ask_and_compare_on_a_server(server: list[str]) -> None:
    there = json.loads(done("ask", FEVER, "--generator", "extract", "--json", "--index", "corpus", *server).stdout)
    here = json.loads(done("ask", FEVER, "--generator", "extract", "--json").stdout)
    check_answer_object(there)
    assert there["settings"]["engine"] == "elasticsearch" and there["settings"]["index"] == "corpus" and "notice" not in there
    assert there["passages"][0]["passage_id"] == here["passages"][0]["passage_id"]
    text = done("ask", FEVER, "--generator", "extract", *server)
    assert "[1]" in text.stdout and "dense 1" in text.stdout and text.stderr == ""

    lists = {}
    for options in (server, []):
        found = json.loads(done("compare", FEVER, "--json", "-k", "10", *options).stdout)
        for name in ("dense", "sparse", "hybrid"):
            check_passage_objects(found[name])
            for hit in found["sparse"]:
                assert sum(found["terms"][hit["passage_id"]].values()) == pytest.approx(hit["scores"]["sparse"], abs=0.01)
            lists.setdefault(name, []).append([p["passage_id"] for p in found[name]])
    assert lists["dense"][0] == lists["dense"][1], "the same vectors, compared exactly"
    assert all(len(set(one) & set(other)) >= 8 for one, other in lists.values())
    assert "hybrid" in done("compare", FEVER, *server).stdout


def test_the_server_can_come_from_the_environment(server: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LFQA_ELASTICSEARCH_URL", server[-1])
    found = json.loads(done("ask", FEVER, "--generator", "extract", "--json", "--engine", "elasticsearch").stdout)
    assert found["settings"]["engine"] == "elasticsearch"
    monkeypatch.setenv("LFQA_ENGINE", "elasticsearch")
    found = json.loads(done("ask", FEVER, "--generator", "extract", "--json").stdout)
    assert found["settings"]["engine"] == "elasticsearch"


def test_list_info_and_remove(server: list[str], small_corpus: Path) -> None:
    done("index", "add", str(small_corpus), "--name", "Second", *server)
    assert {line.split("\t")[0] for line in done("index", "list", *server).stdout.splitlines()} >= {"corpus", "Second"}
    manifest = json.loads(done("index", "info", "Second", *server).stdout)
    assert manifest == json.loads(done("index", "info", "corpus", *server).stdout) and manifest["dimension"] == 128
    assert done("index", "remove", "Second", *server).stdout == "Second: removed\n"
    assert "no index 'Second'" in refused("index", "info", "Second", *server)
    assert "no index 'Second'" in refused("index", "remove", "Second", *server)
    assert "no index 'Second'" in refused("ask", FEVER, "--index", "Second", *server)


def test_what_does_not_fit_together_is_refused_in_a_line(server: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    assert "only with --engine elasticsearch" in refused("ask", FEVER, "--url", server[-1])
    assert "give --url URL, or set LFQA_ELASTICSEARCH_URL" in refused("ask", FEVER, "--engine", "elasticsearch")
    monkeypatch.setenv("LFQA_CORPUS", "nowhere.jsonl")
    said = refused("ask", FEVER, "--engine", "elasticsearch", "--url", "http://elastic:hush-hush@localhost")
    assert "holds credentials" in said and "hush-hush" not in said
    monkeypatch.setenv("LFQA_ELASTICSEARCH_CA", "hush-hush")
    said = refused("ask", FEVER, *server)
    assert "elasticsearch_ca" in said and "hush-hush" not in said


def test_a_server_that_is_away_is_noticed_and_the_embedded_index_answers() -> None:
    nowhere = ["--engine", "elasticsearch", "--url", "http://127.0.0.1:9"]
    result = done("ask", FEVER, "--generator", "extract", "--json", *nowhere)
    found = json.loads(result.stdout)
    assert found["notice"] == "The Elasticsearch server does not answer; the index kept here was searched instead."
    assert found["settings"]["engine"] == "embedded" and found["notice"] in result.stderr and "127.0.0.1:9" not in result.stdout
    assert json.loads(done("compare", FEVER, "--json", *nowhere).stdout)["dense"]
    assert "can not be reached" in refused("ask", FEVER, "--index", "nothing-here", *nowhere)


# the page


@pytest.fixture
def page(server: list[str], monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    st.cache_resource.clear()
    monkeypatch.setenv("LFQA_GENERATOR", "extract")
    yield monkeypatch
    st.cache_resource.clear()


def visit() -> AppTest:
    at = AppTest.from_file(str(ROOT / "app.py"), default_timeout=120).run()
    assert not at.exception
    return at


def ask(at: AppTest) -> tuple[Any, str]:
    at.text_input(key="ask_question").input(FEVER)
    next(b for b in at.button if b.label == "Ask").click().run()
    assert not at.exception
    return at.session_state["ask_result"].outcome, "\n".join(e.value for e in at.html if not e.value.startswith("<style>"))


def engines(at: AppTest) -> list[Any]:
    return [control for control in at.segmented_control if control.key == "set_engine"]


def test_without_a_server_the_page_offers_none(page: pytest.MonkeyPatch) -> None:
    assert engines(visit()) == []


def test_a_visitor_chooses_the_engine_and_nothing_else_of_the_server(page: pytest.MonkeyPatch, server: list[str]) -> None:
    page.setenv("LFQA_ELASTICSEARCH_URL", server[-1])
    at = visit()
    assert engines(at)[0].value == "embedded" and list(engines(at)[0].options) == ["Embedded", "Elasticsearch"]
    outcome, _ = ask(at)
    assert isinstance(outcome, Answer) and outcome.settings["engine"] == "embedded"
    at.segmented_control(key="set_engine").set_value("elasticsearch").run()
    outcome, shown = ask(at)
    assert isinstance(outcome, Answer) and outcome.settings["engine"] == "elasticsearch" and not outcome.notice
    assert "Elasticsearch · Hybrid" in shown and server[-1] not in shown
    assert not any("9200" in str(control.value) or server[-1] in str(control.value) for control in at.text_input)
    at.segmented_control(key="set_engine").set_value("embedded").run()
    shown = "\n".join(e.value for e in at.html)
    assert "search engine Elasticsearch → Embedded" in shown


def test_when_the_server_is_away_the_page_says_so_and_answers(page: pytest.MonkeyPatch) -> None:
    page.setenv("LFQA_ELASTICSEARCH_URL", "http://127.0.0.1:9")
    page.setenv("LFQA_ENGINE", "elasticsearch")
    outcome, shown = ask(visit())
    assert isinstance(outcome, Answer) and outcome.sources
    assert "The Elasticsearch server does not answer; the index kept here was searched instead." in shown and "127.0.0.1" not in shown


def test_when_nothing_can_answer_the_page_says_that(page: pytest.MonkeyPatch) -> None:
    page.setenv("LFQA_ELASTICSEARCH_URL", "http://127.0.0.1:9")
    page.setenv("LFQA_ENGINE", "elasticsearch")
    page.setenv("LFQA_INDEX", "only-there")
    _, shown = ask(visit())
    assert "The search server can not be used" in shown and "does not answer" in shown and "127.0.0.1" not in shown
