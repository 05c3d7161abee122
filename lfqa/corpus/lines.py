"""Reading JSON-lines files, with errors that name the file and the line."""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any


def read_objects(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield the line number, from 1, and the object of every line of `path` that is not blank; ``.gz`` is unpacked.

    Raises
    ------
    OSError
        When the file is missing or no gzip file.
    ValueError
        When the file is not UTF-8, is cut short, or a line is not a JSON object; the message names file and line.
    """
    opener: Any = gzip.open if path.suffix == ".gz" else open
    number = 0
    try:
        with opener(path, "rt", encoding="utf-8") as lines:
            for number, line in enumerate(lines, start=1):
                if line.strip():
                    yield number, parse_object(line, f"{path}, line {number}")
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} is not UTF-8 text (after line {number})") from error
    except (EOFError, zlib.error) as error:
        raise ValueError(f"{path} is damaged after line {number}: {error}") from error


def parse_object(line: str, where: str) -> dict[str, Any]:
    """Return the JSON object that a line is.

    Raises
    ------
    ValueError
        When it is none; the message begins with `where`.
    """
    try:
        record = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{where}: not JSON ({error})") from error
    if not isinstance(record, dict):
        raise ValueError(f"{where}: a record is a JSON object, not {type(record).__name__}")
    return record
