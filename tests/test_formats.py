"""Each file format: what becomes title, section and text, what is left out, and where it points."""

from __future__ import annotations

import io

import pytest
from hypothesis import given
from reportlab.pdfgen.canvas import Canvas

from lfqa.corpus.documents import Document, DocumentError, passages_of
from lfqa.corpus.formats.html import declared_encoding, read_html
from lfqa.corpus.formats.markdown import read_markdown
from lfqa.corpus.formats.pdf import read_pdf
from lfqa.corpus.formats.table import read_table
from lfqa.corpus.formats.word import read_docx
from tests.document_files import PROSE, pdf_file, plain_pdf, word_file
from tests.helpers import texts


def outline(document: Document) -> list[tuple[int, str]]:
    return [(block.level, block.text) for block in document.blocks]


# Markdown

MARKDOWN = """---
title: "Tides & more"
---
# The sea

Tides are *very* regular, see [the **tables**](http://x.org/a "regular tables") and
the `moon`. 5 \\* 3 &amp; AT&amp;T.

> Quoted words.

- first item
- second item

## Causes ##

| body | pull |
|------|------|
| Moon | large |
| Sun  | `half` |

Setext
------
![image](x.png) Last <b>words</b>.

    indented code

```python
print("fenced")
```

<div>raw html</div>
"""


def test_markdown_becomes_blocks() -> None:
    document = read_markdown(MARKDOWN, "file")
    assert document.title == "Tides & more"
    assert outline(document) == [
        (1, "The sea"),
        (0, "Tides are very regular, see the tables and the moon. 5 * 3 & AT&T."),
        (0, "Quoted words."),
        (0, "first item"),
        (0, "second item"),
        (2, "Causes"),
        (0, "body; pull"),
        (0, "Moon; large"),
        (0, "Sun; half"),
        (2, "Setext"),
        (0, "Last words."),
        (0, "indented code"),
        (0, 'print("fenced")'),
    ]


def test_markdown_points_into_the_file() -> None:
    document = read_markdown(MARKDOWN, "file")
    for block in document.blocks:
        first, last = block.place(0), block.place(len(block.text) - 1)
        assert first is not None and last is not None
        assert document.text[first] == block.text[0]
        assert document.text[last] == block.text[-1] or document.text[last : last + 1] in "&`"
    regular = document.blocks[1]
    assert document.text[regular.place(regular.text.index("the tables")) :].startswith("[the **tables**]") or document.text[
        regular.place(regular.text.index("the tables")) :
    ].startswith("the **tables**")
    assert document.text[regular.place(regular.text.index("moon")) :].startswith("moon`")


@pytest.mark.parametrize(
    ("text", "title"),
    [
        ("# One\n\ntext", "One"),
        ("text\n\n# Later", "file"),
        ("## Two\n\ntext", "file"),
        ("---\nauthor: x\n---\n# One", "One"),
        ("---\ntitle: 'Front'\n...\n# One", "Front"),
        ("--- no front matter\ntitle: x", "file"),
    ],
)
def test_the_title_of_markdown(text: str, title: str) -> None:
    assert read_markdown(text, "file").title == title


@given(texts)
def test_any_text_is_markdown(text: str) -> None:
    document = read_markdown(text, "file")
    for passage in passages_of(document, "t.md"):
        assert passage.passage_text.strip()
        assert passage.start is None or passage.end is None or 0 <= passage.start <= len(text)


@pytest.mark.parametrize("newline", ["\r\n", "\r"])
def test_other_newlines_change_nothing(newline: str) -> None:
    assert outline(read_markdown(MARKDOWN.replace("\n", newline), "f"))[1:] == outline(read_markdown(MARKDOWN, "f"))[1:]
    document = read_markdown("a b\n\n## Two\n\nwords here".replace("\n", newline), "f")
    place = document.blocks[-1].place(0)
    assert place is not None and document.text[place:] == "words here"


# HTML

HTML = """<!doctype html><html><head><title>Tides | Site</title><style>p {}</style></head><body>
<nav><a href="/">Home</a></nav><header><h1>Tides</h1></header>
<p>The sea <b>rises</b>&nbsp;and
falls.<br>Twice<br><br>A day.</p>
<ul><li><a href="x">Menu entry</a></li><li>Real <a href="y">item</a></li><li><a href="z">A whole sentence.</a></li></ul>
<script>alert("no")</script><div hidden>unseen</div>
<h2><a href="#c">Causes</a></h2>Loose text <span>goes</span> on.
<table><tr><th>body</th><th>pull</th></tr><tr><td>Moon</td><td>large</td></tr></table>
<pre>  code
 here</pre><footer>© nobody</footer></body></html>"""


def test_html_becomes_blocks() -> None:
    document = read_html(HTML, "file")
    assert document.title == "Tides"
    assert outline(document) == [
        (1, "Tides"),
        (0, "The sea rises and falls. Twice"),
        (0, "A day."),
        (0, "Real item"),
        (0, "A whole sentence."),
        (2, "Causes"),
        (0, "Loose text goes on."),
        (0, "body; pull"),
        (0, "Moon; large"),
        (0, "code here"),
    ]
    for passage in passages_of(document, "t.html"):
        assert " ".join(document.text[passage.start : passage.end].split()) == " ".join(passage.passage_text.split())


def test_the_main_part_of_a_page_is_enough() -> None:
    page = "<title>T</title><body><p>Beside.</p><main><h2>A</h2><p>Inside.</p></main><p>Below.</p>"
    document = read_html(page, "file")
    assert (document.title, outline(document)) == ("T", [(2, "A"), (0, "Inside.")])


@given(texts)
def test_any_text_is_html(text: str) -> None:
    assert all(block.text for block in read_html(text, "file").blocks)


def test_deeply_nested_and_unclosed_html_is_read() -> None:
    assert outline(read_html("<div><b>" * 20_000 + "deep", "file")) == [(0, "deep")]
    assert read_html("", "file").blocks == ()


def test_the_encoding_that_html_declares() -> None:
    assert declared_encoding(b'<meta charset="windows-1252">') == "cp1252"
    assert declared_encoding(b'<?xml version="1.0" encoding="ISO-8859-1"?>') == "iso8859-1"
    assert declared_encoding(b"<p>none</p>") is None
    with pytest.raises(DocumentError, match="declares the encoding klingon"):
        declared_encoding(b"<meta charset=klingon>")


# Word


def test_word_becomes_blocks() -> None:
    document = read_docx(word_file(title="Property", styled="Tides"), "file", 1 << 20)
    assert document.title == "Tides"
    assert outline(document) == [
        (1, "Tides"),
        (0, "The sea rises."),
        (2, "Causes"),
        (0, "The Moon pulls."),
        (0, "body; pull"),
        (0, "Moon; large"),
        (3, "Effects"),
        (0, "Boats lie dry."),
    ]
    assert read_docx(word_file(title="Property"), "file", 1 << 20).title == "Property"


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(100), "is encrypted, or of Word 97"),
        (b"PK\x03\x04 not really", "is no Word document, or damaged"),
        (b"plain text", "is no Word document, or damaged"),
    ],
)
def test_what_is_no_word_document_is_refused(data: bytes, words: str) -> None:
    with pytest.raises(DocumentError, match=words):
        read_docx(data, "file", 1 << 20)


def test_a_word_document_that_unpacks_to_too_much_is_refused() -> None:
    with pytest.raises(DocumentError, match="unpacks to .* bytes, more than 1,000"):
        read_docx(word_file(), "file", 1000)
    with pytest.raises(DocumentError, match="damaged"):
        read_docx(word_file()[:-200], "file", 1 << 20)


# PDF


def test_pdf_becomes_sections_with_pages() -> None:
    document = read_pdf(pdf_file(), "file")
    levels = [(block.level > 0, block.text) for block in document.blocks if block.level]
    assert levels == [(True, "All about tides"), (True, "Why tides happen"), (True, "What tides do")]
    assert "Tide tables" not in document.text, "a line at the foot of every page is left out"
    found = list(passages_of(document, "t.pdf"))
    assert document.title == "All about tides"
    assert [p.section_title for p in found][:2] == ["", "Why tides happen"]
    assert found[-1].section_title == "What tides do" and found[-1].passage_text.startswith("Boats lie dry.")
    pages = [p.page or 0 for p in found]
    assert pages == sorted(pages) and pages[0] == 1 and pages[-1] == len(document.pages) >= 3
    for passage in found:
        assert " ".join(document.text[passage.start : passage.end].split()) == " ".join(passage.passage_text.split())
        assert passage.passage_text.endswith("."), "a sentence goes on over the end of a page"
    middle = " ".join(p.passage_text for p in found if p.section_title == "Why tides happen")
    assert middle == (PROSE * 30).strip()


def test_the_title_of_a_pdf() -> None:
    assert read_pdf(pdf_file(title="A property"), "file").title == "All about tides"
    assert read_pdf(plain_pdf(("Helvetica", "Water."), title="A property"), "file").title == "A property"
    assert read_pdf(plain_pdf(("Helvetica", "Water.")), "file").title == "file"


def test_bold_lines_of_the_body_s_size_are_headings() -> None:
    data = plain_pdf(("Helvetica-Bold", "Ebb"), ("Helvetica", "Water goes out."), ("Helvetica-Bold", "Flow"), ("Helvetica", "It returns."))
    assert [(block.level > 0, block.text) for block in read_pdf(data, "f").blocks] == [
        (True, "Ebb"),
        (False, "Water goes out."),
        (True, "Flow"),
        (False, "It returns."),
    ]


def test_a_pdf_that_can_not_be_read_is_refused() -> None:
    blank = io.BytesIO()
    canvas = Canvas(blank)
    canvas.rect(10, 10, 100, 100)
    canvas.showPage()
    canvas.save()
    for data, words in (
        (pdf_file(encrypt="secret"), "is encrypted: save it without a password"),
        (blank.getvalue(), "holds no text: it may be a scan"),
        (b"%PDF-1.7 nothing more", "is no PDF, or damaged"),
        (b"words", "is no PDF, or damaged"),
    ):
        with pytest.raises(DocumentError, match=words):
            read_pdf(data, "file")


# tables


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_the_delimiter_of_a_table_is_found(delimiter: str) -> None:
    text = delimiter.join(["a", "b"]) + "\r\n" + delimiter.join(["1", '"2\n3"']) + "\r\n\r\n" + delimiter.join(["4"]) + "\r\n"
    assert list(read_table(io.StringIO(text, newline=""), tabs=False)) == [(3, {"a": "1", "b": "2\n3"}), (5, {"a": "4"})]


@pytest.mark.parametrize(
    ("text", "words"), [("\n1,2", "no head line"), ("a,a\n1,2", "two columns of the same name"), ("a,b\n1,2,3", "3 values in line 2")]
)
def test_a_bad_table_is_refused(text: str, words: str) -> None:
    with pytest.raises(DocumentError, match=words):
        list(read_table(io.StringIO(text), tabs=False))
