"""A browser and a server of the page, which the browser tests share."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.e2e.visits import HOSTILE, PATIENCE, Visit

if TYPE_CHECKING:
    from playwright.sync_api import Browser

ROOT = Path(__file__).resolve().parents[2]
ARGUMENTS = [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """Chromium, from LFQA_CHROMIUM or the path; without one these tests are skipped, but fail where CI is set."""
    program = os.environ.get("LFQA_CHROMIUM") or shutil.which("chromium")
    if not program:
        reason = "no Chromium: install it, or name it in LFQA_CHROMIUM"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=program, args=ARGUMENTS)
        yield chromium
        chromium.close()


@pytest.fixture(scope="package")
def address(browser: Browser, small_corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server of the page over the small corpus, one hostile passage and one hostile answered question."""
    folder = tmp_path_factory.mktemp("page")
    corpus = folder / "passages.jsonl"
    hostile = {"passage_id": "hostile-1", "article_title": "<b>Zorblat</b> $x$", "section_title": "*Valve*", "passage_text": HOSTILE}
    corpus.write_text(small_corpus.read_text(encoding="utf-8") + json.dumps(hostile) + "\n", encoding="utf-8")
    answered = {"question": "What does a **zorblat** <b>valve</b> cost?", "answer": HOSTILE, "split": "train"}
    (folder / "questions.jsonl").write_text(json.dumps(answered) + "\n", encoding="utf-8")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "streamlit", "run", "app.py", "--server.port", str(port), "--server.address", "127.0.0.1"]
    with (folder / "log").open("wb") as log:
        server = subprocess.Popen(command, cwd=ROOT, stdout=log, stderr=log, env={**os.environ, "LFQA_CORPUS": str(corpus)})
        try:
            _wait_for(f"http://127.0.0.1:{port}/_stcore/health", server)
            yield f"http://127.0.0.1:{port}"
        finally:
            server.terminate()
            server.wait(20)


def _wait_for(url: str, server: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + PATIENCE / 1000
    while time.monotonic() < end:
        assert server.poll() is None, "the server ended"
        try:
            urllib.request.urlopen(url, timeout=2).close()
        except OSError:
            time.sleep(0.2)
        else:
            return
    raise AssertionError(f"{url} does not answer")


@pytest.fixture
def visit(browser: Browser, address: str) -> Iterator[Visit]:
    """A window of 1280 by 900."""
    window = Visit(browser, address)
    yield window
    window.context.close()
