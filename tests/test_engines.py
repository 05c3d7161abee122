"""From settings to a server, and the rest that a failing one gets; the server itself is in tests/integration."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest
from filelock import FileLock, Timeout

from lfqa.engines import ElasticEngine, building, connect, stands_in
from lfqa.retrieval.elastic_client import ElasticProblem
from lfqa.settings import Settings

NOWHERE = "http://127.0.0.1:9"


def on(url: str = NOWHERE, **options: object) -> Settings:
    return Settings().with_options(engine="elasticsearch", elasticsearch_url=url, **options)


def test_settings_reach_the_connection(tmp_path: Path) -> None:
    server = connect(on("https://es.example", elasticsearch_api_key="hush", elasticsearch_timeout=3, elasticsearch_shards=4)).server
    assert (server.url, server.api_key, server.timeout, server.shards) == ("https://es.example:443", "hush", 3, 4)
    server = connect(on(elasticsearch_user="elastic", elasticsearch_password="hush")).server
    assert (server.user, server.password) == ("elastic", "hush")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"elasticsearch_url": "http://u:hush@host"}, "holds credentials"),
        ({"elasticsearch_url": "host:9200"}, "no Elasticsearch URL"),
        ({"elasticsearch_password": "hush"}, "needs a password and the other way round"),
        ({"elasticsearch_user": "u", "elasticsearch_password": "hush", "elasticsearch_api_key": "hush"}, "not both"),
    ],
)
def test_what_does_not_fit_together_is_told_without_secrets(options: dict[str, str], words: str) -> None:
    with pytest.raises(ElasticProblem, match=words) as caught:
        connect(on().with_options(**options))
    assert "hush" not in str(caught.value) and caught.value.short == "is not set up"
    with pytest.raises(ElasticProblem, match="give --url URL"):
        connect(Settings())


def test_a_server_that_failed_is_left_alone_for_a_while(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = ElasticEngine()
    asked = []
    monkeypatch.setattr("lfqa.engines.connect", lambda settings: asked.append(1) or connect(settings))
    with caplog.at_level(logging.WARNING, logger="lfqa.engines"):
        for _ in range(3):
            with pytest.raises(ElasticProblem, match="can not be reached"):
                engine.ask(on(), "model", lambda index: index)
        assert len(asked) == 1 and caplog.text.count("can not be reached") == 1
        with pytest.raises(ElasticProblem):
            engine.ask(on(index="other"), "model", lambda index: index)
        assert len(asked) == 2, "another index is another matter"
    monkeypatch.setattr("lfqa.engines._REST", 0.0)
    for _ in range(2):
        with pytest.raises(ElasticProblem):
            engine.ask(on(index="third"), "model", lambda index: index)
    assert len(asked) == 4, "after its rest it is asked again"


def test_an_embedded_index_stands_in_where_there_is_one(tmp_path: Path) -> None:
    assert stands_in(Settings(), []) and stands_in(Settings(index="mine"), ["mine"])
    assert not stands_in(Settings(index="mine"), ["yours"])
    assert not stands_in(Settings(corpus="wiki_snippets"), [])


def test_one_process_builds_a_name_at_a_time(tmp_path: Path) -> None:
    settings = on(cache=tmp_path)
    with building(settings, "one") as one, building(settings, "two") as two:
        assert one != two and one.parent == two.parent == tmp_path / "elasticsearch"
        for lock in (tmp_path / "elasticsearch").glob(".*.lock"):
            with pytest.raises(Timeout), FileLock(lock, timeout=0):
                pass
        assert len(list((tmp_path / "elasticsearch").glob(".*.lock"))) == 2
