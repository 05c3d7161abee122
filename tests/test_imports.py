"""What imports what: light where it must be, and arrows one way."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

from lfqa.generation.ctranslate import convert
from lfqa.pipeline import Pipeline

ROOT = Path(__file__).resolve().parent.parent
HEAVY = ("torch", "transformers", "streamlit", "datasets", "faiss", "ctranslate2")


def test_importing_lfqa_and_asking_for_help_load_nothing_heavy() -> None:
    code = f"""
import sys
import lfqa
print(*[name for name in {HEAVY!r} if name in sys.modules], sep=",")
from lfqa.cli import app
for arguments in (["--help"], ["ask", "--help"]):
    try:
        app(arguments)
    except SystemExit as end:
        assert not end.code
print()
print(*[name for name in {HEAVY!r} if name in sys.modules], sep=",")
"""
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    lines = result.stdout.splitlines()
    assert (lines[0], lines[-1]) == ("", "")
    assert "Usage" in result.stdout


def test_a_question_is_answered_without_what_only_building_and_converting_need(pipeline: Pipeline, tiny_bart: Path) -> None:
    pipeline.index()
    convert(tiny_bart, pipeline.settings.cache)
    code = """
import sys
from lfqa import Pipeline
print(len(Pipeline().ask("Why do we get a fever when we are sick?").sources))
print(*[name for name in ("transformers", "datasets", "pandas", "scipy", "rich", "py3langid", "huggingface_hub") if name in sys.modules])
"""
    environment = {**os.environ, "LFQA_GENERATOR_MODEL": str(tiny_bart)}
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT, env=environment)
    assert result.stdout == "6\n\n"


def test_the_names_that_lfqa_offers_are_there() -> None:
    import lfqa

    for name in lfqa.__all__:
        assert getattr(lfqa, name).__name__ == name
        assert name in dir(lfqa)
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = lfqa.nothing


def imported(file: Path) -> set[str]:
    """Return the dotted names of the modules that a file imports anywhere, but for type checking."""
    found = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module)
    return found


def files(place: str) -> list[Path]:
    path = ROOT / "lfqa" / place
    return sorted(path.rglob("*.py")) if path.is_dir() else [path]


@pytest.mark.parametrize(
    ("place", "allowed"),
    [
        ("types.py", ()),
        ("settings.py", ("types",)),
        ("sentences.py", ()),
        ("digest.py", ()),
        ("retribert", ("retribert",)),
        ("corpus", ("types", "corpus", "sentences", "hub")),
        ("retrieval", ("types", "corpus", "retribert", "retrieval", "sentences", "wording")),
        ("indexing", ("types", "corpus", "retrieval", "indexing")),
        ("generation", ("types", "generation", "digest")),
        ("wording.py", ()),
        ("evidence.py", ("types", "sentences", "wording")),
        ("attribution.py", ("types", "sentences", "wording", "evidence")),
    ],
)
def test_arrows_go_one_way(place: str, allowed: tuple[str, ...]) -> None:
    for file in files(place):
        ours = {name.split(".")[1] for name in imported(file) if name.startswith("lfqa.")}
        assert ours <= set(allowed), f"{file.relative_to(ROOT)} imports {sorted(ours - set(allowed))}"


def test_only_the_page_imports_streamlit() -> None:
    for file in files("."):
        if "ui" not in file.relative_to(ROOT / "lfqa").parts:
            assert not any(name.split(".")[0] == "streamlit" for name in imported(file)), file
