"""Building on a real Elasticsearch: what changed, what is gone, what was killed, and what is not ours."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from elasticsearch import Elasticsearch

from lfqa.indexing.elastic import ElasticBuild, add_documents, remove_index
from lfqa.retrieval.elastic_client import Connection, ElasticProblem, Server
from lfqa.retrieval.elastic_index import BUILDING, VECTOR, Origin, alias_of, document_id, mapping, names, open_index
from tests.integration.made import DIMENSION, MODEL, Dice, build, changed, everything, made_up, opened, whole
from tests.integration.node import Node

PASSAGES = made_up(300)
ORIGIN = Origin.of("/somewhere", "/somewhere/file")


@pytest.fixture
def client(url: str) -> Elasticsearch:
    return Elasticsearch(url)


def concrete(client: Elasticsearch, name: str) -> str:
    return next(iter(client.indices.get_alias(name=alias_of(name))))


def indexes(client: Elasticsearch, name: str) -> list[str]:
    """Return every index on the server that has to do with `name`."""
    return sorted(client.indices.get(index=f"{alias_of(name).lower()}*"))


def test_names_info_and_removal(connection: Connection, name: str, client: Elasticsearch) -> None:
    assert name not in names(connection)
    manifest = build(connection, name, PASSAGES)
    assert (manifest.passages, manifest.dimension, manifest.model) == (300, DIMENSION, MODEL)
    assert name in names(connection) and open_index(connection, name).manifest == manifest
    assert len(indexes(client, name)) == 1 and not client.indices.exists_alias(name=alias_of(name) + BUILDING)
    remove_index(connection, name)
    assert name not in names(connection) and indexes(client, name) == []
    with pytest.raises(ElasticProblem, match=f"no index '{name}'"):
        remove_index(connection, name)


def test_a_second_run_takes_only_what_changed_and_drops_what_is_gone(connection: Connection, name: str, client: Elasticsearch) -> None:
    before = build(connection, name, PASSAGES)
    first = concrete(client, name)
    again = Dice()
    assert build(connection, name, reversed(PASSAGES), again) == before, "the order of the passages is not part of what an index is"
    assert again.embedded == [] and concrete(client, name) != first and indexes(client, name) == [concrete(client, name)]

    now = [changed(PASSAGES[0], "Something else."), *PASSAGES[1:250], *made_up(5, seed=1, prefix="new")]
    fresh = Dice()
    manifest = build(connection, name, now, fresh)
    assert sorted(fresh.embedded) == sorted(["p-0", *(f"new-{n}" for n in range(5))])
    assert manifest.passages == 255 and manifest.corpus != before.corpus
    held = everything(opened(connection, name))
    assert {passage for passage, _ in held.values()} == set(now)
    assert build(connection, name, PASSAGES).corpus == before.corpus, "the same passages, however they came in"


def test_each_root_answers_for_its_own_passages(connection: Connection, name: str) -> None:
    one, two = PASSAGES[:60], made_up(40, seed=2, prefix="other")
    build(connection, name, one, root="/one")
    build(connection, name, two, root="/two")
    assert set(everything(opened(connection, name))) == {p.passage_id for p in one + two}
    assert build(connection, name, one[:10], root="/one").passages == 50
    taken = replace(two[0], passage_text="The same id, from elsewhere.")
    build(connection, name, [*one[:10], taken], root="/one")
    held = everything(opened(connection, name))
    assert len(held) == 50 and held["other-0"][0] == taken
    with pytest.raises(ElasticProblem, match="no passages to index"):
        build(connection, "Test-empty", [], root="/three")


@pytest.mark.parametrize("model", [MODEL, "another"])
def test_what_can_not_be_read_any_more_stays_as_it_was(model: str, connection: Connection, name: str) -> None:
    """Whether the vectors can be taken over or not."""
    files = {f"{number}.md": [replace(p, source=f"{number}.md") for p in PASSAGES[number * 10 : number * 10 + 10]] for number in range(4)}
    documents = [(Origin.of("/here", place), passages) for place, passages in files.items()]
    add_documents(connection, name, documents, ["/here"], Dice(), MODEL)
    read = [document for document in documents if document[0] in (Origin.of("/here", "0.md"), Origin.of("/here", "1.md"))]
    manifest = add_documents(connection, name, read, ["/here"], Dice(), model, unread=["2.md"])
    assert manifest.passages == 30
    held = everything(opened(connection, name, model))
    assert {passage for passage, _ in held.values()} == {*files["0.md"], *files["1.md"], *files["2.md"]}


def test_an_id_that_comes_twice_names_the_passage_that_came_last(connection: Connection, name: str) -> None:
    again = changed(PASSAGES[3], "The later one.")
    manifest = build(connection, name, [*PASSAGES[:20], again])
    assert manifest.passages == 20
    assert everything(opened(connection, name))["p-3"][0] == again


def test_another_retriever_embeds_everything_anew_also_what_it_was_not_given(connection: Connection, name: str) -> None:
    build(connection, name, PASSAGES[:50], root="/one")
    build(connection, name, PASSAGES[50:80], root="/two")
    encoder = Dice()
    manifest = build(connection, name, PASSAGES[:50], encoder, root="/one", model="another")
    assert (manifest.passages, manifest.model) == (80, "another") and len(encoder.embedded) == 80
    with pytest.raises(ElasticProblem, match=f"another retriever.*lfqa index add PATH... --name {name} --engine elasticsearch --url"):
        opened(connection, name)
    follow = Dice()
    assert build(connection, name, PASSAGES[50:60], follow, root="/two", model="another").passages == 60
    assert follow.embedded == [], "what was carried over still belongs to its root"


def test_a_half_built_index_is_never_asked_and_the_next_run_goes_on(connection: Connection, name: str, client: Elasticsearch) -> None:
    passages = made_up(5000, seed=3)
    calls = iter(range(100))

    def stop() -> None:
        if next(calls) == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        build(connection, name, passages, Dice(stop))
    with pytest.raises(ElasticProblem, match="no index"):
        opened(connection, name)
    assert name not in names(connection)
    rest = Dice()
    assert build(connection, name, passages, rest).passages == 5000
    assert 2000 < len(rest.embedded) < 3000 and indexes(client, name) == [concrete(client, name)]

    # the old one goes on answering while a new one is half built, and nothing of that gets into a build of something else
    calls = iter(range(100))
    with pytest.raises(KeyboardInterrupt):
        build(connection, name, made_up(5000, seed=4, prefix="late"), Dice(stop), root="/late")
    asked = opened(connection, name)
    assert asked.manifest.passages == 5000 and not any(row.startswith("late") for row in everything(asked))
    assert build(connection, name, passages[:100]).passages == 100
    assert len(everything(opened(connection, name))) == 100


BUILDER = """
import sys, time
from lfqa.retrieval.elastic_client import Connection, Server
from tests.integration.made import Dice, build, made_up
print("ready", flush=True)
build(Connection(Server(sys.argv[1])), sys.argv[2], made_up(4000, seed=5), Dice(lambda: time.sleep(0.15)))
"""


def test_killed_at_random_moments_and_resumed_the_index_is_the_same(connection: Connection, new_name: Callable[[], str], url: str) -> None:
    name, undisturbed = new_name(), new_name()
    chance = random.Random(7)
    for _ in range(4):
        process = subprocess.Popen([sys.executable, "-c", BUILDER, url, name], stdout=subprocess.PIPE, cwd=Path(__file__).parents[2])
        assert process.stdout is not None and process.stdout.readline() == b"ready\n"
        time.sleep(chance.uniform(0.0, 1.2))
        process.send_signal(signal.SIGKILL)
        process.wait()
    passages = made_up(4000, seed=5)
    assert build(connection, name, passages) == build(connection, undisturbed, passages)
    one, other = opened(connection, name), opened(connection, undisturbed)
    for question in ("apple river", "castle in winter", "market"):
        ours, theirs = one.asked().sparse.search(question, 2000), other.asked().sparse.search(question, 2000)
        assert dict(ours) == pytest.approx(dict(theirs), rel=1e-3)
    assert dict(everything(one)) == dict(everything(other))


def test_a_server_killed_in_mid_bulk_comes_back_and_the_build_goes_on(node: Node) -> None:
    connection = Connection(Server(node.url, patience=180))
    passages, name = made_up(6000, seed=6), "Test-killed-server"
    under_way, result = threading.Event(), {}

    def run() -> None:
        encoder = Dice(lambda: (under_way.set() if len(encoder.embedded) >= 2048 else None, time.sleep(0.1)))
        result["manifest"] = build(connection, name, passages, encoder)

    thread = threading.Thread(target=run)
    thread.start()
    assert under_way.wait(120)
    node.kill()
    time.sleep(1)
    assert thread.is_alive(), "the build waits"
    node.start()
    thread.join(240)
    assert result["manifest"].passages == 6000
    index = opened(connection, name)
    expected = Dice().texts([p.passage_text for p in passages])
    held = everything(index)
    assert len(held) == 2000
    by_id = {p.passage_id: row for row, p in enumerate(passages)}
    assert all(passage == passages[by_id[row]] for row, (passage, _) in held.items())
    stored = Elasticsearch(node.url).mget(index=alias_of(name), ids=[p.passage_id for p in passages[::50]], source_includes=[VECTOR])[
        "docs"
    ]
    np.testing.assert_allclose([item["_source"][VECTOR] for item in stored], expected[::50], rtol=1e-6)
    remove_index(connection, name)


def test_a_server_that_stays_away_ends_the_build_in_words_and_the_next_goes_on(node: Node) -> None:
    connection, name, passages = Connection(Server(node.url, patience=2)), "Test-away", made_up(3000, seed=8)
    encoder = Dice(lambda: node.kill() if len(encoder.embedded) == 1024 else None)
    with pytest.raises(ElasticProblem, match="can not be reached"):
        build(connection, name, passages, encoder)
    node.start()
    rest = Dice()
    assert build(connection, name, passages, rest).passages == 3000
    assert len(rest.embedded) == 3000 - 1024
    remove_index(connection, name)


# what is not ours, or not as it was


def foreign(client: Elasticsearch, index: str, **options: Any) -> None:
    client.indices.create(index=index, mappings={"properties": {"text": {"type": "text"}}}, **options)


def test_a_foreign_index_is_refused_by_name_and_left_alone(connection: Connection, name: str, client: Elasticsearch) -> None:
    alias, index = alias_of(name), f"foreign-{name.lower()}"
    foreign(client, index, aliases={alias: {}})
    client.index(index=index, document={"text": "theirs"}, refresh=True)
    try:
        for attempt in (
            lambda: opened(connection, name),
            lambda: build(connection, name, PASSAGES),
            lambda: remove_index(connection, name),
        ):
            with pytest.raises(ElasticProblem, match=f"{alias}.*was not made by lfqa and is left alone.*another --name"):
                attempt()
        assert name not in names(connection)
        assert client.count(index=index)["count"] == 1
    finally:
        client.indices.delete(index=index)


def test_a_foreign_index_that_has_the_very_name_is_refused_too(connection: Connection, client: Elasticsearch) -> None:
    foreign(client, "lfqa-very-name")
    try:
        for attempt in (lambda: opened(connection, "very-name"), lambda: build(connection, "very-name", PASSAGES[:5])):
            with pytest.raises(ElasticProblem, match="was not made by lfqa"):
                attempt()
    finally:
        client.indices.delete(index="lfqa-very-name")


def test_a_foreign_index_under_the_half_built_alias_is_refused(connection: Connection, name: str, client: Elasticsearch) -> None:
    index = f"foreign-half-{name.lower()}"
    foreign(client, index, aliases={alias_of(name) + BUILDING: {}})
    try:
        with pytest.raises(ElasticProblem, match=f"{index} was not made by lfqa"):
            build(connection, name, PASSAGES[:5])
    finally:
        client.indices.delete(index=index)


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda c, i: c.delete(index=i, id="p-3", refresh=True), "holds 29 passages, its manifest says 30"),
        (lambda c, i: c.index(index=i, id="stray", document={"text": "?"}, refresh=True), "holds 31 passages, its manifest says 30"),
        (lambda c, i: c.indices.put_mapping(index=i, meta={"lfqa": {"format": 99}}), "has format 99, this version reads 1"),
        (lambda c, i: c.indices.put_mapping(index=i, meta={"lfqa": {"format": 1}}), "is damaged: it lacks"),
    ],
)
def test_a_damaged_index_is_refused_with_the_command_that_repairs_it_and_that_does(
    damage: Callable[[Elasticsearch, str], object], words: str, connection: Connection, name: str, client: Elasticsearch
) -> None:
    build(connection, name, PASSAGES[:30])
    index = concrete(client, name)
    client.indices.put_settings(index=index, settings={"index.blocks.write": None})
    damage(client, index)
    with pytest.raises(
        ElasticProblem, match=f"{words}.*`lfqa index add PATH... --name {name} --engine elasticsearch --url {connection.server.url}`"
    ):
        opened(connection, name)
    assert build(connection, name, PASSAGES[:30]).passages == 30
    assert len(everything(opened(connection, name))) == 30


def test_another_mapping_is_refused(connection: Connection, name: str, client: Elasticsearch) -> None:
    build(connection, name, PASSAGES[:30])
    meta = client.indices.get_mapping(index=alias_of(name))[concrete(client, name)]["mappings"]["_meta"]
    remove_index(connection, name)
    other = {**mapping(DIMENSION), "passage_text": {"type": "text", "analyzer": "standard"}}
    index = f"{alias_of(name).lower()}-00000000"
    client.indices.create(index=index, mappings={"properties": other, "_meta": meta, "dynamic": False}, aliases={alias_of(name): {}})
    with pytest.raises(ElasticProblem, match=r"mapping of the index .* was changed \(passage_text.analyzer\)"):
        opened(connection, name)


def test_an_index_removed_in_the_middle_does_not_spring_up_again(connection: Connection, name: str, client: Elasticsearch) -> None:
    making = ElasticBuild(connection, name, MODEL, DIMENSION, ["/somewhere"])
    pairs = [(ORIGIN, passage) for passage in PASSAGES[:10]]
    making.put(pairs, Dice().passages(PASSAGES[:10]))
    client.indices.delete(index=indexes(client, name)[0])
    with pytest.raises(ElasticProblem, match="removed meanwhile.*run the same command again"):
        making.put(pairs, Dice().passages(PASSAGES[:10]))
    assert indexes(client, name) == []


def test_vectors_that_can_not_be_compared_are_refused(connection: Connection, name: str) -> None:
    making = ElasticBuild(connection, name, MODEL, DIMENSION, ["/somewhere"])
    pairs = [(ORIGIN, passage) for passage in PASSAGES[:2]]
    for vectors in (np.zeros((2, 3), np.float32), np.full((2, DIMENSION), np.nan, np.float32), np.zeros((1, DIMENSION), np.float32)):
        with pytest.raises(ValueError, match="2 passages need as many finite vectors of 16"):
            making.put(pairs, vectors)


def test_progress_is_told(connection: Connection, name: str) -> None:
    told: list[tuple[str, int, int]] = []
    add_documents(connection, name, whole(PASSAGES), ["/somewhere"], Dice(), MODEL, progress=lambda *step: told.append(step), expected=300)
    assert ("embed", 300, 300) in told and told[-1] == ("write", 1, 1)


def test_a_name_is_checked_and_a_long_id_is_stored_under_a_digest(connection: Connection) -> None:
    with pytest.raises(ValueError, match="can not name an index"):
        build(connection, "no/name", PASSAGES[:1])
    assert document_id("p") == "p" and len(document_id("é" * 400)) == 64
