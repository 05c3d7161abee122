"""Two journeys in a real browser, and what only a browser can tell: layout, escaping after sanitising, requests."""

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
from urllib.parse import urlsplit

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = pytest.mark.e2e

ROOT = Path(__file__).resolve().parents[2]
PATIENCE = 120_000  # milliseconds: a first start builds an index, on a machine that may be busy
ARGUMENTS = [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip
HOSTILE = (
    "The zorblat valve <img src=x onerror='window.broken=1'> costs $5 and $6 in **bold** towns. "
    "The zorblat valve was <script>window.broken=1</script> invented by [nobody](javascript:window.broken=1) in </p></section> Oslo."
)


@pytest.fixture(scope="module")
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


@pytest.fixture(scope="module")
def address(browser: Browser, small_corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server of the page over the small corpus and one hostile passage."""
    folder = tmp_path_factory.mktemp("page")
    corpus = folder / "passages.jsonl"
    hostile = {"passage_id": "hostile-1", "article_title": "<b>Zorblat</b> $x$", "section_title": "*Valve*", "passage_text": HOSTILE}
    corpus.write_text(small_corpus.read_text(encoding="utf-8") + json.dumps(hostile) + "\n", encoding="utf-8")
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


class Visit:
    """A window on the page that remembers which hosts it asked."""

    def __init__(self, browser: Browser, address: str, width: int = 1280, height: int = 900, scheme: str = "light") -> None:
        self.address = address
        self.context = browser.new_context(viewport={"width": width, "height": height}, color_scheme=scheme)  # type: ignore[arg-type]
        self.page: Page = self.context.new_page()
        self.page.set_default_timeout(PATIENCE)
        self.hosts: set[str] = set()
        self.page.on("request", lambda request: self._note(request.url))
        self.page.on("websocket", lambda socket: self._note(socket.url))

    def _note(self, url: str) -> None:
        if urlsplit(url).scheme not in ("data", "blob"):
            self.hosts.add(urlsplit(url).netloc)

    def ask(self, question: str, path: str = "") -> None:
        self.page.goto(self.address + path)
        box = self.page.get_by_label("Question")
        box.fill(question)
        box.press("Enter")

    def assert_nothing_scrolls_sideways(self) -> None:
        wide = self.page.evaluate(
            """() => [document.documentElement, document.querySelector('.stMain'), ...document.querySelectorAll('.stHtml')]
               .filter(e => e.scrollWidth > e.clientWidth + 1).map(e => `${e.className} ${e.scrollWidth} > ${e.clientWidth}`)"""
        )
        assert not wide

    def assert_only_our_host(self) -> None:
        assert self.hosts == {urlsplit(self.address).netloc}


@pytest.fixture
def visit(browser: Browser, address: str) -> Iterator[Visit]:
    """A window of 1280 by 900."""
    window = Visit(browser, address)
    yield window
    window.context.close()


def test_ask_read_and_check_a_citation(visit: Visit) -> None:
    from playwright.sync_api import expect

    page = visit.page
    visit.ask("Why do we get a fever when we are sick?")
    page.locator(".lfqa-tally").wait_for()
    expect(page.locator(".lfqa-question")).to_have_text("Why do we get a fever when we are sick?")
    expect(page.locator(".lfqa-passage")).to_have_count(6)
    expect(page.locator(".lfqa-steps .lfqa-done")).to_have_count(4)

    mark = page.locator(".lfqa-cite").first
    card = page.locator(f"#{mark.get_attribute('popovertarget')}")
    expect(card).to_be_hidden()
    mark.click()
    expect(card).to_be_visible()
    words = card.locator("mark").inner_text()
    passage = page.locator(f"#passage-{mark.inner_text().strip('[]')}")
    assert len(words) > 20 and words in passage.locator(".lfqa-text").inner_text()
    assert words in " ".join(passage.locator("mark").all_inner_texts())

    page.keyboard.press("Escape")
    expect(card).to_be_hidden()
    mark.focus()
    page.keyboard.press("Enter")
    expect(card).to_be_visible()
    card.get_by_label("Close").click()
    expect(card).to_be_hidden()
    visit.assert_nothing_scrolls_sideways()
    visit.assert_only_our_host()


def test_compare_three_retrievers(visit: Visit) -> None:
    from playwright.sync_api import expect

    page = visit.page
    page.goto(visit.address)
    page.get_by_label("Question").wait_for()
    page.get_by_role("link", name="Compare").click()
    expect(page.get_by_role("heading", name="Compare retrievers")).to_be_visible()
    box = page.get_by_label("Question")
    box.fill("What's the difference between viruses and bacteria?")
    box.press("Enter")
    expect(page.locator(".lfqa-column + .lfqa-steps .lfqa-total")).to_have_count(3)
    expect(page.locator(".lfqa-column h3")).to_have_text(["Dense", "BM25", "Hybrid"])
    expect(page.locator(".lfqa-answer")).to_have_count(3)
    expect(page.locator(".lfqa-overlap dt")).to_have_count(4)

    lists = [column.locator(".lfqa-title").all_inner_texts() for column in page.locator(".lfqa-compact").all()]
    everywhere = len(set(lists[0]) & set(lists[1]) & set(lists[2]))
    assert [len(titles) for titles in lists] == [6, 6, 6]
    assert page.locator(".lfqa-overlap b").first.inner_text() == str(everywhere)
    assert page.locator(".lfqa-all").count() == 3 * everywhere

    page.locator(".lfqa-compact summary").first.click()
    expect(page.locator(".lfqa-compact .lfqa-text").first).to_be_visible()
    visit.assert_nothing_scrolls_sideways()
    visit.assert_only_our_host()


def test_hostile_passages_are_shown_literally_and_run_nothing(visit: Visit) -> None:
    visit.ask("What does the $zorblat$ **valve** cost?")
    passage = visit.page.locator(".lfqa-passage", has_text="Zorblat").first
    passage.wait_for()
    visit.page.locator(".lfqa-tally, .lfqa-abstained").first.wait_for()
    assert passage.locator(".lfqa-text").inner_text() == HOSTILE
    assert passage.locator("cite").inner_text() == "<b>Zorblat</b> $x$"
    assert visit.page.locator(".lfqa-question").inner_text() == "What does the $zorblat$ **valve** cost?"
    assert visit.page.evaluate("window.broken") is None
    assert visit.page.locator(".stHtml").locator("img, script, a").count() == 0
    visit.assert_only_our_host()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_on_a_phone_nothing_scrolls_sideways(browser: Browser, address: str, scheme: str) -> None:
    visit = Visit(browser, address, 390, 844, scheme)
    try:
        visit.ask("How can we set a date to the beginning or end of an artistic period? Doesn't the change happen gradually?")
        visit.page.locator(".lfqa-tally, .lfqa-abstained").first.wait_for()
        visit.assert_nothing_scrolls_sideways()
        if visit.page.locator(".lfqa-cite").count():
            visit.page.locator(".lfqa-cite").first.click()
            card = visit.page.locator(".lfqa-evidence:popover-open").bounding_box()
            assert card and card["x"] >= 0 and card["x"] + card["width"] <= 390 and card["y"] >= 0 and card["y"] + card["height"] <= 845
        visit.ask("How do people make chocolate?", "/compare")
        visit.page.locator(".lfqa-column + .lfqa-steps .lfqa-total").nth(2).wait_for()
        visit.assert_nothing_scrolls_sideways()
        visit.assert_only_our_host()
    finally:
        visit.context.close()
