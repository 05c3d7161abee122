"""Pages put together: configuration, style sheet and navigation."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import streamlit as st

_HERE = Path(__file__).parent


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
    st.navigation(entries, position="top").run()


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
