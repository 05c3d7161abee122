"""What tests share: a cache of their own, a small corpus, and models that are loaded once.

The environment is set before anything of ours is imported, so that subprocesses and the page get it too.
"""

from __future__ import annotations

import atexit
import json
import os
import re
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

if TYPE_CHECKING:
    from lfqa.pipeline import Pipeline

WORK = Path(tempfile.mkdtemp(prefix="lfqa-tests-"))
atexit.register(shutil.rmtree, WORK, ignore_errors=True)
os.environ.update(
    LFQA_CACHE=str(WORK / "cache"),
    LFQA_CORPUS=str(WORK / "passages.jsonl"),
    HF_HOME=str(WORK / "huggingface"),
    HF_HUB_OFFLINE="1",
    OMP_NUM_THREADS="2",
)
for name in ("LFQA_CONFIG", "LFQA_PROFILE", "LFQA_INDEX", "LFQA_ENGINE", "LFQA_ELASTICSEARCH_URL"):
    os.environ.pop(name, None)

# no timing assertions, and the same examples in every run
settings.register_profile("lfqa", deadline=None, derandomize=True)
settings.load_profile("lfqa")

ASSETS = Path(__file__).resolve().parent.parent / "assets"


def _write_small_corpus(target: Path) -> None:
    """Write the passages of the topics that the test questions are about: real ones, but embedded in two seconds."""
    questions = map(json.loads, (ASSETS / "corpus/questions.jsonl").read_text(encoding="utf-8").splitlines())
    topics = {re.sub(r"-\d+$", "", name) for q in questions if q["split"] == "test" for name in q["passage_ids"]}
    lines = (ASSETS / "corpus/passages.jsonl").read_text(encoding="utf-8").splitlines(keepends=True)
    target.write_text("".join(line for line in lines if re.sub(r"-\d+$", "", json.loads(line)["passage_id"]) in topics), encoding="utf-8")


_write_small_corpus(WORK / "passages.jsonl")


@pytest.fixture(scope="session")
def small_corpus() -> Path:
    """The passage file that answers where a test names no other."""
    return WORK / "passages.jsonl"


@pytest.fixture(scope="session")
def pipeline() -> Pipeline:
    """The bundled retriever over the small corpus; the generator is `extract` unless a test asks for another."""
    from lfqa import Pipeline, Settings

    return Pipeline(Settings(generator="extract"))


@pytest.fixture(scope="session")
def tiny_bart(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint folder with a BART of two layers that has learned `tests.helpers.MEMORISED` by heart."""
    from tests.helpers import train_tiny_bart

    return train_tiny_bart(tmp_path_factory.mktemp("tiny-bart"))
