"""A visitor's own documents: indexed, asked by that visitor, gone."""

from __future__ import annotations

import gc
from dataclasses import dataclass
from pathlib import Path

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from lfqa.pipeline import Pipeline
from lfqa.ui import uploads
from lfqa.ui.uploads import Shelf, UploadProblem

PATIENCE = 120


@dataclass
class File:
    """A file as a browser sends it."""

    name: str
    data: bytes

    def getvalue(self) -> bytes:
        return self.data


TEA = File("tea.md", b"# Tea\n\nTea is made from leaves that are dried and steeped in hot water.")
SALT = File("salt.txt", b"Salt is won from the sea by letting the water dry in the sun.")


def test_documents_are_indexed_and_asked_and_go_with_their_visitor(pipeline: Pipeline) -> None:
    shelf, told = Shelf(pipeline, pipeline.settings), list[str]()
    shelf.fill([TEA, SALT, File("bad.pdf", b"%PDF-")], lambda step, done, total: told.append(step))
    assert shelf.passages == 2 and {"read", "embed", "write"} == set(told)
    assert [(each.place, each.reason[:10]) for each in shelf.skipped] == [("bad.pdf", "is no PDF,")]
    answer = pipeline.ask("What is tea made from?", shelf.settings)
    assert answer.sources[0].hit.passage.source == "documents/tea.md" and not answer.abstained
    shelf.fill([SALT, File("more/../milk.txt", b"Milk is what calves drink.")])
    found = {hit.passage.source for hit in pipeline.retrieve("What is tea made from?", shelf.settings)}
    assert found == {"documents/salt.txt", "documents/milk.txt"}, "what was taken out is not asked any more"
    folder = shelf.settings.cache.parent
    assert folder.is_dir()
    settings = shelf.settings
    del shelf
    gc.collect()
    assert not folder.exists()
    assert not any(settings.cache in key for key in pipeline._kept), "nothing of it is kept"
    assert pipeline.retrieve("What is tea made from?"), "the corpus is still there"


def test_what_is_too_much_or_unreadable_is_refused(pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch) -> None:
    shelf = Shelf(pipeline, pipeline.settings)
    with pytest.raises(UploadProblem, match="Nothing in these documents can be read: a.pdf is no PDF"):
        shelf.fill([File("a.pdf", b"%PDF-")])
    shelf.fill([TEA])
    with monkeypatch.context() as patch:
        patch.setattr(uploads, "LARGEST", 0)
        with pytest.raises(UploadProblem, match="MiB together; a visitor may ask 0 MiB"):
            shelf.fill([SALT])
    with monkeypatch.context() as patch:
        patch.setattr(uploads, "PASSAGES", 3)
        with pytest.raises(UploadProblem, match="more than 3 passages"):
            shelf.fill([File("lines.jsonl", b'{"text": "One line."}\n' * 9)])
    assert pipeline.retrieve("tea", shelf.settings)[0].passage.source == "documents/tea.md", "what was held before can still be asked"


@pytest.mark.parametrize(
    ("given", "names"),
    [
        (["a.md", "a.md", "a.md"], ["a.md", "a 2.md", "a 3.md"]),
        (["../../etc/passwd", "C:\\\\x\\\\y.txt", ".hidden"], ["passwd", "y.txt", "hidden"]),
        (["..", "", "x" * 300 + ".pdf"], ["document", "document 2", "x" * 146 + ".pdf"]),
    ],
)
def test_names_can_not_leave_the_folder(given: list[str], names: list[str]) -> None:
    assert uploads._names(given) == names
    assert all(Path(name).name == name for name in names)


def _page() -> None:
    import streamlit as st

    from lfqa.ui import resources, uploads

    pipeline, base, _ = resources.ready()
    settings = uploads.choose(pipeline, base)
    st.text(f"index: {settings.index}")


def test_a_visitor_drops_files_in_and_forgets_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LFQA_GENERATOR", "extract")
    st.cache_resource.clear()
    at = AppTest.from_function(_page, default_timeout=PATIENCE).run()
    assert at.text[0].value == "index: None" and not at.exception
    at.file_uploader(key=f"{uploads.WIDGET}_0").set_value(
        [(TEA.name, TEA.data, "text/markdown"), ("bad.docx", b"PK", "application/zip")]
    ).run()
    assert at.text[0].value == f"index: {uploads.NAME}" and not at.exception
    assert at.toggle(key=uploads.ASK_THEM).label == "Ask only these (1 passage)"
    assert "bad" in at.warning[0].value and "damaged" in at.warning[0].value
    at.toggle(key=uploads.ASK_THEM).set_value(False).run()
    assert at.text[0].value == "index: None"
    at.button(key="uploads_forget").click().run()
    assert uploads.SHELF not in at.session_state and not at.toggle
    st.cache_resource.clear()
