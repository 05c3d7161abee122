"""CSV and TSV by the standard library: each row an object with the column names of the first."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from typing import IO

from lfqa.corpus.documents import DocumentError

_LONGEST_FIELD = 1 << 24  # characters


def read_table(lines: IO[str], tabs: bool) -> Iterator[tuple[int, dict[str, str]]]:
    """Yield the line number and the values of every row that is not blank.

    Parameters
    ----------
    tabs
        Whether tabs part the columns; otherwise it is what the head line has most of: commas, semicolons, tabs or bars.

    Raises
    ------
    DocumentError
        When there is no head line, two columns have the same name, or a row is longer than the head; the message names the line.
    """
    csv.field_size_limit(_LONGEST_FIELD)
    head = lines.readline(_LONGEST_FIELD)
    delimiter = "\t" if tabs else max(",;\t|", key=head.count)
    names = next(csv.reader([head], delimiter=delimiter), [])
    names = [name.strip() for name in names]
    if not any(names):
        raise DocumentError("has no head line with the names of its columns")
    if len(set(names)) != len(names):
        raise DocumentError(f"has two columns of the same name: {', '.join(names)}")
    rows = csv.reader(lines, delimiter=delimiter)
    try:
        for row in rows:
            if len(row) > len(names):
                raise DocumentError(f"has {len(row)} values in line {rows.line_num + 1}, and {len(names)} columns")
            if any(value.strip() for value in row):
                yield rows.line_num + 1, dict(zip(names, row, strict=False))
    except csv.Error as error:
        raise DocumentError(f"line {rows.line_num + 1}: {error}") from error
