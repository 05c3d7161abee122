"""A visitor's own documents: dropped in, indexed while they watch, asked by nobody else, gone with the session."""

from __future__ import annotations

import shutil
import tempfile
import weakref
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Protocol

import streamlit as st

from lfqa.corpus.reading import KINDS, Reading
from lfqa.corpus.sources import Roots, Skipped
from lfqa.settings import Settings
from lfqa.ui.markup import plain_markdown
from lfqa.ui.problems import explain

if TYPE_CHECKING:
    from lfqa.indexing.build import Progress
    from lfqa.pipeline import Pipeline

NAME = "your-documents"
LARGEST = 20
"""MiB of all the documents of a visitor together."""
PASSAGES = 5000
"""Passages of a visitor's documents, which are some seconds to a minute of work."""

SHELF, WIDGET, ASK_THEM, TAKEN, ROUND = "uploads_shelf", "uploads_files", "uploads_ask", "uploads_taken", "uploads_round"
_ENDINGS = sorted(ending.removeprefix(".") for ending in KINDS if ending) + ["gz"]


class UploadProblem(Exception):
    """Documents that can not be taken; the message is for the visitor."""


class Given(Protocol):
    """A file as the browser sent it."""

    @property
    def name(self) -> str:
        """Its name."""

    def getvalue(self) -> bytes:
        """Return what is in it."""


class Shelf:
    """The documents of one visitor, in a folder that goes when this object does.

    Attributes
    ----------
    settings
        Those that ask the documents.
    skipped
        What could not be read, by the visitor's names of the files.
    passages
        How many there are.
    """

    def __init__(self, pipeline: Pipeline, base: Settings) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="lfqa-visitor-"))
        self._pipeline = pipeline
        self.settings = base.with_options(cache=self._folder / "cache", index=NAME, engine="embedded")
        self.skipped: tuple[Skipped, ...] = ()
        self.passages = 0
        self.gone = weakref.finalize(self, _forget, self._folder, pipeline, self.settings)

    def fill(self, files: Sequence[Given], progress: Progress | None = None) -> None:
        """Hold `files` and nothing else; what was held before is not embedded again.

        Raises
        ------
        UploadProblem
            When they are too large together, have too many passages, or nothing of them can be read; what could be asked before stays.
        """
        from lfqa.indexing.build import IndexProblem  # brings FAISS, which is loaded in the background until a visitor comes

        data = [file.getvalue() for file in files]
        size = sum(map(len, data))
        if size > LARGEST << 20:
            raise UploadProblem(f"These documents are {size / 2**20:.0f} MiB together; a visitor may ask {LARGEST} MiB.")
        documents = self._folder / "documents"
        names = _names(file.name for file in files)
        documents.mkdir(exist_ok=True)
        for name, each in zip(names, data, strict=True):
            (documents / name).write_bytes(each)
        for left in documents.iterdir():
            if left.name not in names:
                left.unlink()
        skipped: list[Skipped] = []
        try:
            outcome = self._pipeline.catalog(self.settings).add(
                NAME, Roots((str(documents),)), self._pipeline.encoder(), _limited(progress), reading=Reading(largest=LARGEST << 20),
                skip=lambda each: skipped.append(Skipped(Path(each.place).name, each.reason)),
            )  # fmt: skip
        except IndexProblem as problem:
            reasons = "; ".join(f"{each.place} {each.reason}" for each in skipped)
            raise UploadProblem(f"Nothing in these documents can be read: {reasons}" if reasons else str(problem)) from problem
        self._pipeline.forget(self.settings)
        self.skipped, self.passages = tuple(skipped), len(outcome.index.passages)


def _names(given: Iterable[str]) -> list[str]:
    """Return file names that can not leave a folder, hide in it, or be the same."""
    names: list[str] = []
    for name in given:
        plain = PurePosixPath(name.replace("\\", "/")).name.lstrip(".") or "document"
        stem, dot, rest = plain[-150:].partition(".")
        wanted, number = f"{stem}{dot}{rest}", 1
        while wanted in names:
            number += 1
            wanted = f"{stem} {number}{dot}{rest}"
        names.append(wanted)
    return names


def _limited(progress: Progress | None) -> Callable[[str, int, int], None]:
    def tell(step: str, done: int, total: int) -> None:
        if step == "read" and done > PASSAGES:
            raise UploadProblem(
                f"These documents have more than {PASSAGES:,} passages. On a machine of your own, lfqa index add takes any number."
            )
        if progress is not None:
            progress(step, done, total)

    return tell


def _forget(folder: Path, pipeline: Pipeline, settings: Settings) -> None:
    pipeline.forget(settings)
    shutil.rmtree(folder, ignore_errors=True)


def choose(pipeline: Pipeline, settings: Settings) -> Settings:
    """Draw where documents are dropped in, and return `settings`, asking them where the visitor wants that."""
    state = st.session_state
    with st.sidebar, st.expander("Your own documents", icon=":material/upload_file:"):
        files = st.file_uploader(
            "Drop files here", type=_ENDINGS, accept_multiple_files=True, key=f"{WIDGET}_{state.get(ROUND, 0)}", max_upload_size=LARGEST,
            help=f"Markdown, text, HTML, PDF, DOCX, CSV, JSON lines; {LARGEST} MiB together. Only you can ask them, and they are deleted "
            "when you leave.",
        )  # fmt: skip
        _take(pipeline, settings, files)
        shelf: Shelf | None = state.get(SHELF)
        if shelf is None:
            return settings
        count = f"{shelf.passages:,} passages" if shelf.passages != 1 else "1 passage"
        asked = st.toggle(f"Ask only these ({count})", value=True, key=ASK_THEM)
        for each in shelf.skipped:
            st.warning(f"{plain_markdown(each.place)}: {plain_markdown(each.reason)}")
        st.button("Forget them", on_click=_clear, key="uploads_forget")
    if not asked:
        return settings
    return settings.with_options(cache=shelf.settings.cache, index=NAME, engine="embedded")


def _take(pipeline: Pipeline, settings: Settings, files: Sequence[st.runtime.uploaded_file_manager.UploadedFile] | None) -> None:
    state = st.session_state
    ids = tuple(file.file_id for file in files or ())
    if not ids or state.get(TAKEN) == ids:
        return
    bar = st.progress(0.0, "Reading …")

    def tell(step: str, done: int, total: int) -> None:
        said = {"read": f"Reading: {done:,} passages", "embed": f"Embedding: {done:,} of {total:,} passages"}.get(step, "Writing the index")
        bar.progress(done / total if total else 0.0, said)

    shelf: Shelf = state.get(SHELF) or Shelf(pipeline, settings)
    try:
        shelf.fill(files or (), tell)
        state[SHELF] = shelf
    except UploadProblem as problem:
        st.error(plain_markdown(str(problem)))
    except Exception as error:
        found = explain(error)
        st.error(f"{plain_markdown(found.title)}: {plain_markdown(found.message)}")
    else:
        state[TAKEN] = ids
    finally:
        bar.empty()


def _clear() -> None:
    state = st.session_state
    for key in (SHELF, ASK_THEM, TAKEN):
        state.pop(key, None)
    state[ROUND] = state.get(ROUND, 0) + 1  # another widget, without files
