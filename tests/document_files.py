"""Small files of formats that need a library to write."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import docx
import pyarrow
from pyarrow import parquet
from reportlab.lib.pagesizes import A5
from reportlab.lib.pdfencrypt import StandardEncryption
from reportlab.lib.styles import getSampleStyleSheet
from reportlab.pdfgen.canvas import Canvas
from reportlab.platypus import PageBreak, Paragraph, SimpleDocTemplate

STYLES = getSampleStyleSheet()
PROSE = "The sea rises and falls twice a day, since the Moon pulls at the water on the side of the Earth that is nearer to it. "


def word_file(**properties: Any) -> bytes:
    document = docx.Document()
    if title := properties.get("title"):
        document.core_properties.title = title
    if styled := properties.get("styled"):
        document.add_paragraph(styled, style="Title")
    document.add_paragraph("The sea rises.")
    document.add_heading("Causes", 1)
    document.add_paragraph("The Moon pulls.", style="List Bullet")
    table = document.add_table(2, 3)
    for number, text in enumerate(("body", "pull", "", "Moon", "large", "")):
        table.cell(number // 3, number % 3).text = text
    table.cell(1, 1).merge(table.cell(1, 2))
    document.add_heading("Effects", 2)
    document.add_paragraph("Boats lie dry.")
    stream = io.BytesIO()
    document.save(stream)
    return stream.getvalue()


def pdf_file(encrypt: str | None = None, **properties: str) -> bytes:
    stream = io.BytesIO()
    guard = StandardEncryption(encrypt) if encrypt else None

    def footer(canvas: Canvas, template: SimpleDocTemplate) -> None:
        canvas.drawString(40, 20, f"Tide tables, page {canvas.getPageNumber()}")

    template = SimpleDocTemplate(stream, pagesize=A5, encrypt=guard, **properties)
    story = [Paragraph("All about tides", STYLES["Title"]), Paragraph(PROSE * 2, STYLES["BodyText"])]
    story += [Paragraph("Why tides happen", STYLES["Heading2"]), Paragraph(PROSE * 30, STYLES["BodyText"]), PageBreak()]
    story += [Paragraph("What tides do", STYLES["Heading2"]), Paragraph("Boats lie dry. " + PROSE, STYLES["BodyText"])]
    template.build(story, onFirstPage=footer, onLaterPages=footer)
    return stream.getvalue()


def plain_pdf(*lines: tuple[str, str], title: str = "") -> bytes:
    stream = io.BytesIO()
    canvas = Canvas(stream, pagesize=A5)
    if title:
        canvas.setTitle(title)
    for number, (font, text) in enumerate(lines):
        canvas.setFont(font, 11)
        canvas.drawString(50, 500 - 14 * number, text)
    canvas.save()
    return stream.getvalue()


def write_rows(file: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    parquet.write_table(pyarrow.Table.from_pylist([dict(row) for row in rows]), file)
