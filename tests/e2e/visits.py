"""A window on the page, and the passage that tries to break it."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

PATIENCE = 120_000  # milliseconds: a first start builds an index, on a machine that may be busy
HOSTILE = (
    "The zorblat valve <img src=x onerror='window.broken=1'> costs $5 and $6 in **bold** towns. "
    "The zorblat valve was <script>window.broken=1</script> invented by [nobody](javascript:window.broken=1) in </p></section> Oslo."
)


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
