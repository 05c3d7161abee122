"""A real Elasticsearch that is down, slow, red, replaced in mid-flight, or behind a password or a certificate."""

from __future__ import annotations

import json
import ssl
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from elasticsearch import Elasticsearch

from lfqa import Pipeline, Settings
from lfqa.indexing.elastic import ElasticBuild, add_documents
from lfqa.retrieval.elastic_client import Connection, ElasticProblem, Server, check_version
from lfqa.retrieval.elastic_index import Origin, alias_of, mapping
from tests.integration.made import DIMENSION, MODEL, PROBE, Dice, build, everything, made_up, opened, whole
from tests.integration.node import Node, Proxy

PASSAGES = made_up(60)
FEVER = "Why do we get a fever when we are sick?"


def test_a_restart_keeps_everything_and_a_server_that_is_down_says_so_soon(node: Node) -> None:
    connection, name = Connection(Server(node.url)), "Test-restart"
    build(connection, name, PASSAGES)
    index = opened(connection, name)
    before = everything(index)
    node.stop()
    began = time.monotonic()
    for attempt in (lambda: index.asked().sparse.search("apple", 3), lambda: opened(connection, name), lambda: check_version(connection)):
        with pytest.raises(ElasticProblem, match=f"{node.url} can not be reached; check that it runs") as caught:
            attempt()
        assert caught.value.short == "does not answer"
    assert time.monotonic() - began < 60, "a bound, not a speed"
    node.start()
    assert everything(index) == before == everything(opened(connection, name))
    build(connection, name, PASSAGES[:10])
    assert len(everything(index)) == 10


def test_a_slow_server_is_given_up_in_bounded_time(url: str, connection: Connection, name: str) -> None:
    build(connection, name, PASSAGES)
    with Proxy(url) as proxy:
        index = opened(Connection(Server(proxy.url, timeout=1.0)), name)
        assert index.asked().sparse.search("apple", 3)
        proxy.stalled.set()
        began = time.monotonic()
        with pytest.raises(ElasticProblem, match=r"did not answer within 1 s; LFQA_ELASTICSEARCH_TIMEOUT") as caught:
            index.asked().sparse.search("apple", 3)
        assert time.monotonic() - began < 30 and caught.value.short == "is too slow to answer"


def test_a_red_index_is_not_asked_for_half_an_answer(connection: Connection, name: str, url: str) -> None:
    build(connection, name, PASSAGES)
    client = Elasticsearch(url)
    meta = next(iter(client.indices.get_mapping(index=alias_of(name)).values()))["mappings"]["_meta"]
    index = opened(connection, name)
    client.indices.create(
        index=f"{alias_of(name).lower()}-0000red0", mappings={"properties": mapping(DIMENSION), "_meta": meta, "dynamic": False},
        settings={"number_of_replicas": 0, "index.routing.allocation.require._name": "nowhere"}, wait_for_active_shards="0",
    )  # fmt: skip
    old = next(iter(client.indices.get_alias(name=alias_of(name))))
    client.indices.update_aliases(
        actions=[{"add": {"index": f"{alias_of(name).lower()}-0000red0", "alias": alias_of(name)}}, {"remove_index": {"index": old}}]
    )
    with pytest.raises(ElasticProblem, match=r"can not do this now \(503\).*red") as caught:
        index.asked().sparse.search("apple", 3)
    assert caught.value.short == "is not ready"


def test_an_index_that_is_replaced_in_mid_flight_answers_on(connection: Connection, name: str) -> None:
    build(connection, name, PASSAGES)
    index = opened(connection, name)
    asked = index.asked()
    assert asked.sparse.search("apple", 60)
    now = made_up(40, seed=9, prefix="now")
    build(connection, name, now)
    rows = [row for row, _ in asked.dense.search(PROBE, 40)]
    assert set(rows) == {p.passage_id for p in now} and index.manifest.passages == 40
    assert {row for row, _ in index.asked().sparse.search("apple", 60)} <= set(rows)


@pytest.mark.parametrize("what", ["model", "foreign", "gone"])
def test_what_takes_its_place_in_mid_flight_and_is_not_ours_is_refused(what: str, connection: Connection, name: str, url: str) -> None:
    build(connection, name, PASSAGES)
    index = opened(connection, name)
    client = Elasticsearch(url)
    if what == "model":
        build(connection, name, PASSAGES, model="another")
        says = "another retriever"
    else:
        client.indices.delete(index=next(iter(client.indices.get_alias(name=alias_of(name)))))
        says = "no index"
        if what == "foreign":
            client.indices.create(index=f"foreign-{name.lower()}", aliases={alias_of(name): {}})
            says = "was not made by lfqa"
    try:
        for search in (lambda: index.asked().sparse.search("apple", 3), lambda: index.asked().dense.search(PROBE, 3)):
            with pytest.raises(ElasticProblem, match=says):
                search()
    finally:
        client.options(ignore_status=404).indices.delete(index=f"foreign-{name.lower()}")


# passwords, keys, certificates


def test_who_is_let_in_and_who_is_not(secured: Node) -> None:
    name = "Test-secured"
    with pytest.raises(ElasticProblem, match=r"asks for credentials \(401\): set LFQA_ELASTICSEARCH_API_KEY") as caught:
        opened(Connection(Server(secured.url)), name)
    assert caught.value.short == "does not let this page in"
    with pytest.raises(ElasticProblem, match=r"refuses the credentials \(401\)") as caught:
        opened(Connection(Server(secured.url, "elastic", "wrong-secret-word")), name)
    assert "wrong-secret-word" not in str(caught.value)
    with pytest.raises(ElasticProblem, match="refuses the credentials"):
        opened(Connection(Server(secured.url, api_key="bm90OmFrZXk=")), name)

    ours = Connection(Server(secured.url, "elastic", secured.password))
    check_version(ours)
    build(ours, name, PASSAGES)
    assert len(everything(opened(ours, name))) == 60

    # a user who may only read, and not ask for the version
    rights = "  indices:\n    - names: ['lfqa-*']\n      privileges: [read, view_index_metadata]\n"
    secured.add_user("reader", "reading-aloud", rights)
    reader = Connection(Server(secured.url, "reader", "reading-aloud"))
    assert len(everything(opened(reader, name))) == 60
    check_version(reader)
    with pytest.raises(ElasticProblem, match=r"does not allow this \(403\)") as caught:
        build(reader, name, PASSAGES)
    assert "reading-aloud" not in str(caught.value) and "[reader]" not in str(caught.value)
    assert len(everything(opened(reader, name))) == 60


def test_nothing_secret_is_logged(secured: Node, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(0)
    connection = Connection(Server(secured.url, "elastic", secured.password))
    build(connection, "Test-logged", PASSAGES[:5])
    key = "dGhpcy1pczpub3Qta25vd24="
    with pytest.raises(ElasticProblem):
        opened(Connection(Server(secured.url, api_key=key)), "Test-logged")
    shown = caplog.text + repr(connection.server) + repr(connection)
    assert len(caplog.records) > 5 and secured.password not in shown and key not in shown


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> tuple[ssl.SSLContext, Path]:
    """A server's side of TLS for localhost, and the certificate that vouches for it."""
    folder = tmp_path_factory.mktemp("tls")
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
         "-keyout", "key.pem", "-out", "ca.pem", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"],
        cwd=folder, check=True, capture_output=True,
    )  # fmt: skip
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "ca.pem", folder / "key.pem")
    return context, folder / "ca.pem"


def test_a_server_is_trusted_by_its_authority_only(secured: Node, authority: tuple[ssl.SSLContext, Path], tmp_path: Path) -> None:
    context, certificate = authority
    with Proxy(secured.url, context) as proxy:
        ours = Connection(Server(proxy.url, "elastic", secured.password, ca=certificate))
        build(ours, "Test-tls", PASSAGES[:20])
        assert len(everything(opened(ours, "Test-tls"))) == 20
        with pytest.raises(ElasticProblem, match="can not be trusted.*LFQA_ELASTICSEARCH_CA") as caught:
            opened(Connection(Server(proxy.url, "elastic", secured.password)), "Test-tls")
        assert caught.value.short == "can not be trusted" and secured.password not in str(caught.value)
        (tmp_path / "bad.pem").write_text("no certificate", encoding="utf-8")
        with pytest.raises(ElasticProblem, match="LFQA_ELASTICSEARCH_CA: .*bad.pem is no readable certificate"):
            Connection(Server(proxy.url, ca=tmp_path / "bad.pem"))


# the embedded index answers instead


@pytest.fixture
def both(pipeline: Pipeline, node: Node) -> Iterator[Callable[..., Settings]]:
    """Return a maker of settings that ask for the small corpus on the server, where it is indexed as `corpus`."""
    connection = Connection(Server(node.url))
    passages = list(pipeline.index().passages)
    add_documents(connection, "corpus", whole(passages), ["/somewhere"], pipeline.encoder(), pipeline.catalog().model)
    yield lambda **options: pipeline.settings.with_options(engine="elasticsearch", elasticsearch_url=node.url, **options)


def test_the_pipeline_answers_alike_with_either_engine(both: Callable[..., Settings], pipeline: Pipeline) -> None:
    for retriever in ("dense", "sparse", "hybrid"):
        there = pipeline.ask(FEVER, both(retriever=retriever))
        here = pipeline.ask(FEVER, pipeline.settings.with_options(retriever=retriever))
        assert there.notice == "" and (there.settings["engine"], here.settings["engine"]) == ("elasticsearch", "embedded")
        shared = {s.hit.passage.passage_id for s in there.sources} & {s.hit.passage.passage_id for s in here.sources}
        assert len(shared) >= 5 and there.sources[0].hit.passage == here.sources[0].hit.passage
    assert there.settings["corpus_revision"] != here.settings["corpus_revision"], "each engine's own way to name what it holds"


def test_when_the_server_is_away_the_embedded_index_answers_with_a_notice(
    both: Callable[..., Settings], node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = both()
    pipeline = Pipeline(settings)
    assert pipeline.ask(FEVER).notice == ""
    node.stop()
    try:
        answer = pipeline.ask(FEVER)
        assert answer.notice == "The Elasticsearch server does not answer; the index kept here was searched instead."
        assert node.url not in json.dumps(answer.as_dict()) and answer.settings["engine"] == "embedded" and answer.as_dict()["notice"]
        assert pipeline.ask(FEVER).notice and pipeline.retrieve(FEVER)
        lonely = Pipeline(settings.with_options(index="nowhere"))
        with pytest.raises(ElasticProblem, match="can not be reached"):
            lonely.ask(FEVER)
        monkeypatch.setattr("lfqa.engines._REST", 0.0)
        restless = Pipeline(settings)
        assert restless.ask(FEVER).notice
    finally:
        node.start()
    assert restless.ask(FEVER).notice == "", "after its rest it is asked again"
    assert pipeline.ask(FEVER).notice, "and not before"


def test_a_build_can_not_be_finished_by_two(connection: Connection, name: str) -> None:
    """Two machines build the same name: what is asked afterwards is whole, whoever was first."""
    one, two = (ElasticBuild(connection, name, MODEL, DIMENSION, ["/somewhere"]) for _ in range(2))
    known = [(Origin.of("/somewhere", "file"), passage) for passage in PASSAGES]
    assert len(one.lacking(known)) == 60
    one.put(known, Dice().passages(PASSAGES))
    assert two.lacking(known) == []
    assert one.finish().passages == 60
    try:
        two.finish()
    except ElasticProblem as problem:
        assert "run the same command again" in str(problem)
    assert len(everything(opened(connection, name))) == 60
