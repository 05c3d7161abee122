"""A connection to Elasticsearch: addresses, retries and words. What a server answers comes from a small HTTP server that says so."""

from __future__ import annotations

import base64
import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lfqa.retrieval.elastic_client import Changed, Connection, ElasticProblem, Passing, Server, check_version, checked_url

OK = {"version": {"number": "8.19.0"}, "took": 1}


class Answers:
    """A server that gives the answers it was told to, one after the other and then the last for ever: ``(status, body)``."""

    def __init__(self) -> None:
        self.answers: list[tuple[int, Any]] = [(200, OK)]
        self.requests: list[str] = []
        self.authorization: str | None = None
        self.product = True
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                outer.requests.append(self.path)
                outer.authorization = self.headers["Authorization"]
                status, body = outer.answers[0] if len(outer.answers) == 1 else outer.answers.pop(0)
                data = body if isinstance(body, bytes) else json.dumps(body).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json" if not isinstance(body, bytes) else "text/html")
                self.send_header("Content-Length", str(len(data)))
                if outer.product:
                    self.send_header("X-Elastic-Product", "Elasticsearch")
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def answers() -> Iterator[Answers]:
    server = Answers()
    yield server
    server.close()


def refusal(kind: str, reason: str) -> dict[str, Any]:
    return {"error": {"type": kind, "reason": reason, "root_cause": [{"type": kind, "reason": reason}]}}


def info(client: Any) -> Any:
    return client.info()


@pytest.mark.parametrize(
    ("url", "whole"),
    [
        ("http://localhost", "http://localhost:9200"),
        ("http://localhost:9201/", "http://localhost:9201"),
        ("https://es.example", "https://es.example:443"),
        ("https://es.example:9243/search/", "https://es.example:9243/search"),
        (" http://[::1]:9200 ", "http://[::1]:9200"),
    ],
)
def test_an_address_gets_its_port(url: str, whole: str) -> None:
    assert checked_url(url) == whole == checked_url(whole)


@pytest.mark.parametrize("url", ["", "localhost:9200", "ftp://host", "http://", "http://host:port", "http://host?x=1", "http://host:99999"])
def test_what_is_no_address_is_refused_with_an_example(url: str) -> None:
    with pytest.raises(ValueError, match="https://host:9200"):
        checked_url(url)


@given(st.text(alphabet="abcXYZ019-_.~!$", min_size=3))
def test_credentials_in_an_address_are_refused_and_not_repeated(secret: str) -> None:
    for url in (f"https://elastic:{secret}QQ@host:9200", f"http://{secret}QQ@host"):
        with pytest.raises(ValueError, match="LFQA_ELASTICSEARCH_API_KEY") as caught:
            checked_url(url)
        assert f"{secret}QQ" not in str(caught.value)


def test_a_server_hides_its_secrets_and_wants_them_in_pairs() -> None:
    assert "hush" not in repr(Server("http://localhost", "elastic", "hush")) + repr(Server("http://localhost", api_key="hush"))
    for half in ({"user": "elastic"}, {"password": "hush"}):
        with pytest.raises(ValueError, match="needs a password") as caught:
            Server("http://localhost", **half)
        assert "hush" not in str(caught.value)
    with pytest.raises(ValueError, match="either"):
        Server("http://localhost", "elastic", "hush", "key")


def test_credentials_travel_as_the_server_wants_them(answers: Answers) -> None:
    for server, sent in (
        (Server(answers.url), None),
        (Server(answers.url, "elastic", "hush"), "Basic " + base64.b64encode(b"elastic:hush").decode()),
        (Server(answers.url, api_key="a2V5"), "ApiKey a2V5"),
    ):
        Connection(server).ask(info)
        assert answers.authorization == sent


@pytest.mark.parametrize("status", [429, 502, 503, 504])
def test_what_may_pass_is_tried_again(status: int, answers: Answers) -> None:
    answers.answers = [(status, refusal("busy", "later")), (status, refusal("busy", "later")), (200, OK)]
    assert Connection(Server(answers.url)).ask(info)["version"]["number"] == "8.19.0"
    assert len(answers.requests) == 3


@pytest.mark.parametrize("status", [400, 401, 403, 404, 500])
def test_what_will_not_pass_is_not_tried_again(status: int, answers: Answers) -> None:
    answers.answers = [(status, refusal("refused", "because"))]
    with pytest.raises(ElasticProblem):
        Connection(Server(answers.url)).ask(info)
    assert len(answers.requests) == 1


@pytest.mark.parametrize(
    ("status", "body", "words", "short"),
    [
        (401, refusal("security_exception", "unable to authenticate user [bob]"), r"asks for credentials \(401\).*API_KEY", "does not let"),
        (403, refusal("security_exception", "action [x] is unauthorized for user [bob]"), r"\(403\): action \[x\].*user \[...\]", "allow"),
        (404, refusal("index_not_found_exception", "no such index [x]"), r"\(404\): no such index \[x\]", "something else"),
        (429, refusal("es_rejected_execution_exception", "queue is full"), r"\(429\): queue is full", "is overloaded"),
        (503, {"error": {"type": "search_phase_execution_exception", "reason": ""}}, r"\(503\).*is red", "is not ready"),
        (503, refusal("no_shard_available_action_exception", "No shard available"), r"No shard available; the index is red", "not ready"),
        (500, {"error": "plain words"}, r"has a problem \(500\): plain words", "has a problem"),
        (500, refusal("x", "y" * 5000), r"has a problem \(500\): y{300}$", "has a problem"),
        (503, b"<html>Service Unavailable</html>", r"\(503\)", "is not ready"),
    ],
)
def test_a_refusal_is_told_in_words_without_names(status: int, body: Any, words: str, short: str, answers: Answers) -> None:
    answers.answers = [(status, body)]
    with pytest.raises(ElasticProblem, match=words) as caught:
        Connection(Server(answers.url)).ask(info)
    message = str(caught.value)
    assert answers.url in message and "bob" not in message and "\n" not in message
    assert short in caught.value.short and answers.url not in caught.value.short
    assert isinstance(caught.value, Changed) is (status in (400, 404))


def test_what_is_no_elasticsearch_is_told(answers: Answers) -> None:
    answers.product = False
    answers.answers = [(200, {"name": "something else"})]
    with pytest.raises(ElasticProblem, match="is no Elasticsearch; check the URL"):
        Connection(Server(answers.url)).ask(info)
    answers.answers = [(200, b"<html>hello</html>")]
    with pytest.raises(ElasticProblem, match="check the URL"):
        Connection(Server(answers.url)).ask(info)


def test_a_server_that_is_not_there_is_given_up_after_three_attempts() -> None:
    attempts = []

    def call(client: Any) -> Any:
        attempts.append(1)
        return client.info()

    with pytest.raises(ElasticProblem, match="http://127.0.0.1:9 can not be reached"):
        Connection(Server("http://127.0.0.1:9")).ask(call)
    assert len(attempts) == 3


def test_patience_goes_on_trying_and_ends(answers: Answers, caplog: pytest.LogCaptureFixture) -> None:
    answers.answers = [(503, refusal("starting", "soon"))] * 3 + [(200, OK)]
    assert Connection(Server(answers.url, patience=60)).insist(info)["took"] == 1
    assert len(answers.requests) == 4 and caplog.text.count("trying for up to 60 s") == 1
    answers.answers = [(503, refusal("starting", "soon"))]
    began = time.monotonic()
    with pytest.raises(ElasticProblem, match="soon"):
        Connection(Server(answers.url, patience=0.5)).insist(info)
    assert time.monotonic() - began < 30


def test_a_part_of_an_answer_can_ask_for_another_attempt(answers: Answers) -> None:
    calls = []

    def second(_: Any) -> str:
        calls.append(1)
        if len(calls) == 1:
            raise Passing("a shard is missing")
        return "done"

    assert Connection(Server(answers.url)).ask(second) == "done"

    def never(_: Any) -> None:
        raise Passing("a shard is missing")

    with pytest.raises(ElasticProblem, match="can not do this now: a shard is missing"):
        Connection(Server(answers.url)).ask(never)


@pytest.mark.parametrize("version", ["8.11.0", "8.19.3", "9.1.0", "10.0.0-SNAPSHOT"])
def test_versions_from_the_first_with_inner_products_on_are_taken(version: str, answers: Answers) -> None:
    answers.answers = [(200, {"version": {"number": version}})]
    assert check_version(Connection(Server(answers.url))) is None


def test_older_versions_are_refused_and_a_silent_one_passes(answers: Answers) -> None:
    answers.answers = [(200, {"version": {"number": "8.10.4"}})]
    with pytest.raises(ElasticProblem, match="version 8.10.4; 8.11 is the oldest"):
        check_version(Connection(Server(answers.url)))
    answers.answers = [(403, refusal("security_exception", "not for this key"))]
    assert check_version(Connection(Server(answers.url))) is None
