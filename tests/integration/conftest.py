"""A real Elasticsearch for the tests: the one that ``LFQA_TEST_ELASTICSEARCH_URL`` names, or one from ``../shared/elasticsearch``."""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from lfqa.indexing.elastic import remove_index
from lfqa.retrieval.elastic_client import Connection, ElasticProblem, Server
from lfqa.retrieval.elastic_index import names
from tests.integration.node import SERVE, Node

OWN = "starts an Elasticsearch of its own"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if item.path.is_relative_to(here):
            item.add_marker(pytest.mark.integration)


def _unavailable() -> str:
    """Say why no server can be started here; empty where one can."""
    if not SERVE.is_file():
        return f"{OWN}, which needs {SERVE.parent.name} in the folder shared/ beside the checkout, or LFQA_TEST_ELASTICSEARCH_URL"
    return "" if shutil.which("java") else f"{OWN}, which needs Java 17 (Debian: openjdk-17-jre-headless)"


def _skip(reason: str) -> None:
    if os.environ.get("CI") == "true" and SERVE.is_file():
        pytest.fail(f"in CI nothing may be left out, but this {reason}")
    pytest.skip(reason)


@pytest.fixture(scope="session")
def node() -> Iterator[Node]:
    """A server of our own, without a password; a test that stops it starts it again."""
    if reason := _unavailable():
        _skip(reason)
    with Node() as running:
        yield running


@pytest.fixture(scope="session")
def secured() -> Iterator[Node]:
    """A server of our own that asks for the password of the user `elastic`."""
    if reason := _unavailable():
        _skip(reason)
    with Node(password=secrets.token_hex(8)) as running:
        yield running


@pytest.fixture(scope="session")
def url(request: pytest.FixtureRequest) -> str:
    """The server that most tests use."""
    given = os.environ.get("LFQA_TEST_ELASTICSEARCH_URL")
    return given or str(request.getfixturevalue("node").url)


@pytest.fixture(scope="session")
def connection(url: str) -> Connection:
    return Connection(Server(url, patience=60))


@pytest.fixture
def name(connection: Connection) -> Iterator[str]:
    """A name for an index, which is removed afterwards."""
    chosen = f"Test-{secrets.token_hex(4)}"
    yield chosen
    clean(connection, chosen)


@pytest.fixture
def new_name(connection: Connection) -> Iterator[Callable[[], str]]:
    made: list[str] = []

    def make() -> str:
        made.append(f"Test-{secrets.token_hex(4)}")
        return made[-1]

    yield make
    for chosen in made:
        clean(connection, chosen)


def clean(connection: Connection, name: str) -> None:
    """Remove what is left of the index `name`."""
    try:
        remove_index(connection, name)
    except ElasticProblem:
        assert name not in names(connection)
