"""compose.yaml: what it tells the page exists."""

from __future__ import annotations

from pathlib import Path

import yaml

from lfqa.engines import CORPUS
from lfqa.settings import Settings

ROOT = Path(__file__).resolve().parent.parent
SERVICES = yaml.safe_load((ROOT / "compose.yaml").read_text(encoding="utf-8"))["services"]


def test_every_setting_is_one_and_they_fit_together() -> None:
    for service in ("index", "page"):
        given = {name.removeprefix("LFQA_").lower(): value for name, value in SERVICES[service]["environment"].items()}
        assert Settings(**given).elasticsearch_url == "http://elasticsearch:9200"
    assert Settings(**given).engine == "elasticsearch"


def test_the_page_asks_the_index_that_is_made() -> None:
    command = SERVICES["index"]["command"]
    assert command[command.index("--name") + 1] == CORPUS
    assert (ROOT / command[command.index("add") + 1]).is_file()
    assert list(SERVICES["page"]["depends_on"]) == ["index"] and list(SERVICES["index"]["depends_on"]) == ["elasticsearch"]


def test_the_server_is_not_open_to_the_outside() -> None:
    assert "ports" not in SERVICES["elasticsearch"]
