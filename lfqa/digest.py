"""Digests of checkpoints, after which indexes and converted models are named; each file is read once, as long as it stays the same."""

from __future__ import annotations

import hashlib
import json
import os
import time
from contextlib import suppress
from pathlib import Path

_SETTLED = 2.0  # seconds; a change right after another one can leave a coarse time stamp as it is


def checkpoint_digest(folder: Path, cache: Path | None = None) -> str:
    """Return a digest of a checkpoint's configuration, tokenizer and weights, 16 hexadecimal digits.

    Parameters
    ----------
    cache
        Where the digest is kept for the next process, with inode, size and both time stamps of each file: it counts for as long as
        those are the same.

    Raises
    ------
    FileNotFoundError
        When `folder` is no checkpoint folder; the message says what is missing.
    """
    weights = [folder / name for name in ("model.safetensors", "pytorch_model.bin") if (folder / name).is_file()]
    if not (folder / "config.json").is_file() or not weights:
        missing = "config.json" if not (folder / "config.json").is_file() else "model.safetensors (or pytorch_model.bin)"
        raise FileNotFoundError(f"{folder} is no checkpoint: {missing} is missing")
    files = [path for path in (folder / "config.json", folder / "tokenizer.json", weights[0]) if path.is_file()]
    if cache is None:
        return _digest(files)
    kept = cache / "digests" / f"{hashlib.sha256(str(folder.resolve()).encode()).hexdigest()[:16]}.json"
    before = _marks(files)
    with suppress(OSError, ValueError, KeyError, TypeError):  # a damaged or foreign note is as good as none
        note = json.loads(kept.read_text(encoding="utf-8"))
        if note["files"] == before and isinstance(note["digest"], str):
            return note["digest"]
    digest = _digest(files)
    changed = max(int(when) for *_, modified, altered in before for when in (modified, altered)) / 1e9
    if _marks(files) == before and changed + _SETTLED < time.time():
        with suppress(OSError):  # a cache that can not be written costs time, nothing else
            _write(kept, json.dumps({"folder": str(folder), "files": before, "digest": digest}, indent=2) + "\n")
    return digest


def _marks(files: list[Path]) -> list[list[str | int]]:
    """Return name, inode, size and the times of the last change of contents and of anything, in nanoseconds, of each file."""
    found = ((path.name, path.stat()) for path in files)
    return [[name, stat.st_ino, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns] for name, stat in found]


def _digest(files: list[Path]) -> str:
    digest = hashlib.sha256()
    for path in files:
        digest.update(path.name.encode())
        with path.open("rb") as stream:
            while chunk := stream.read(1 << 22):
                digest.update(chunk)
    return digest.hexdigest()[:16]


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    work = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        work.write_text(text, encoding="utf-8")
        os.replace(work, path)
    finally:
        work.unlink(missing_ok=True)
