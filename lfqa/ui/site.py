"""Pages put together: configuration, style sheet and navigation."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import NoReturn

import streamlit as st

_HERE = Path(__file__).parent
_ENTRIES = "site_entries"  # key of the visitor's session


@dataclass(frozen=True)
class Page:
    """A page of the site.

    Attributes
    ----------
    draw
        Draws the page.
    path
        Its address; the first page also answers at the root.
    wide
        Whether it uses the window's whole width.
    """

    draw: Callable[[], None]
    title: str
    path: str
    wide: bool = False


def show(pages: Sequence[Page], name: str) -> None:
    """Draw the page that the visitor is on, under a navigation bar; `name` goes into the window's title."""
    entries = [
        st.Page(partial(_draw, page, name), title=page.title, url_path=page.path, default=number == 0) for number, page in enumerate(pages)
    ]
    st.session_state[_ENTRIES] = {page.path: entry for page, entry in zip(pages, entries, strict=True)}
    st.navigation(entries, position="top").run()


def has(path: str) -> bool:
    """Say whether the site has a page at `path`: a page that is drawn alone has no other beside it."""
    return path in st.session_state.get(_ENTRIES, {})


def go_to(path: str) -> NoReturn:
    """Leave this page for the one at `path`."""
    st.switch_page(st.session_state[_ENTRIES][path])


def _draw(page: Page, name: str) -> None:
    st.set_page_config(
        page_title=f"{page.title} · {name}",
        # a file of ours: for an emoji or a material icon, also one given to st.Page, the browser asks another host
        page_icon=str(_HERE / "icon.png"),
        layout="wide" if page.wide else "centered",
        initial_sidebar_state="auto",
    )
    st.html(_HERE / "page.css")
    page.draw()
