"""Which index answers; builds that are killed, and builds that meet."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from lfqa.indexing.build import IndexProblem, open_index
from lfqa.indexing.catalog import Catalog
from tests.helpers import FRUIT, WordEncoder, passage, write_passages

ROOT = Path(__file__).resolve().parent.parent
MORE = passage(4, "Dates are sweet.", "Date")
TWICE = passage(1, "Apples are pomes.", "Apple")


@pytest.fixture
def catalog(tmp_path: Path) -> Catalog:
    return Catalog(tmp_path / "cache", "model-a")


@pytest.fixture
def encoder() -> WordEncoder:
    return WordEncoder()


@pytest.fixture
def fruit(tmp_path: Path) -> Path:
    return write_passages(tmp_path / "fruit.jsonl", FRUIT)


def corpora(catalog: Catalog) -> list[str]:
    return sorted(path.name for path in catalog.corpora.iterdir() if not path.name.endswith(".lock"))


def test_a_corpus_is_indexed_once(catalog: Catalog, encoder: WordEncoder, fruit: Path) -> None:
    first = catalog.of_corpus(fruit, encoder)  # type: ignore[arg-type]
    again = catalog.of_corpus(fruit, encoder)  # type: ignore[arg-type]
    assert list(first.passages) == list(again.passages) == FRUIT
    assert len(encoder.embedded) == 3
    assert corpora(catalog) == [first.folder.name]


def test_another_text_or_another_model_makes_another_index(catalog: Catalog, encoder: WordEncoder, fruit: Path) -> None:
    first = catalog.of_corpus(fruit, encoder)  # type: ignore[arg-type]
    write_passages(fruit, [*FRUIT, MORE])
    second = catalog.of_corpus(fruit, encoder)  # type: ignore[arg-type]
    third = Catalog(catalog.named.parent, "model-b").of_corpus(fruit, encoder)  # type: ignore[arg-type]
    assert len({index.folder for index in (first, second, third)}) == 3
    assert (len(second.passages), third.manifest.model) == (4, "model-b")


def test_a_damaged_index_of_a_corpus_is_built_again(catalog: Catalog, encoder: WordEncoder, fruit: Path) -> None:
    folder = catalog.of_corpus(fruit, encoder).folder  # type: ignore[arg-type]
    (folder / "dense.faiss").write_bytes(b"damaged")
    assert list(catalog.of_corpus(fruit, encoder).passages) == FRUIT  # type: ignore[arg-type]
    assert corpora(catalog) == [folder.name]


def test_passages_are_added_and_replaced_and_only_new_ones_embedded(catalog: Catalog, encoder: WordEncoder) -> None:
    catalog.add("fruit", FRUIT, encoder)  # type: ignore[arg-type]
    index = catalog.add("fruit", [MORE, TWICE], encoder)  # type: ignore[arg-type]
    assert list(index.passages) == [TWICE, FRUIT[1], FRUIT[2], MORE]
    assert len(encoder.embedded) == 5
    assert index.sparse.search("pomes", 1)[0][0] == 0
    assert list(catalog.open("fruit", encoder).passages) == list(index.passages)  # type: ignore[arg-type]
    assert (catalog.names(), catalog.info("fruit").passages) == (["fruit"], 4)


def test_an_index_made_with_another_model_is_embedded_anew(catalog: Catalog, encoder: WordEncoder) -> None:
    catalog.add("fruit", FRUIT, encoder)  # type: ignore[arg-type]
    other = Catalog(catalog.named.parent, "model-b")
    fresh = WordEncoder()
    assert other.open("fruit", fresh).manifest.model == "model-b"  # type: ignore[arg-type]
    assert len(fresh.embedded) == 3
    assert other.add("fruit", [MORE], fresh).manifest.passages == 4  # type: ignore[arg-type]
    assert len(fresh.embedded) == 4


def test_a_missing_index_is_refused_with_those_that_are_there(catalog: Catalog, encoder: WordEncoder) -> None:
    with pytest.raises(IndexProblem, match="no index 'nuts'.*none yet.*lfqa index add"):
        catalog.open("nuts", encoder)  # type: ignore[arg-type]
    catalog.add("fruit", FRUIT, encoder)  # type: ignore[arg-type]
    with pytest.raises(IndexProblem, match="there: fruit"):
        catalog.open("nuts", encoder)  # type: ignore[arg-type]
    with pytest.raises(IndexProblem, match="no index"):
        catalog.info("nuts")
    with pytest.raises(IndexProblem, match="no index 'nuts'"):
        catalog.remove("nuts")


@pytest.mark.parametrize("name", ["../x", "a/b", "", "..", "/etc"])
def test_a_name_can_not_leave_the_folder(name: str, catalog: Catalog, encoder: WordEncoder) -> None:
    for act in (
        lambda: catalog.add(name, FRUIT, encoder),  # type: ignore[arg-type]
        lambda: catalog.open(name, encoder),  # type: ignore[arg-type]
        lambda: catalog.info(name),
        lambda: catalog.remove(name),
    ):
        with pytest.raises(ValueError, match="can not name an index"):
            act()
    assert not catalog.named.exists()


def test_removing_one_leaves_the_others(catalog: Catalog, encoder: WordEncoder) -> None:
    for name in ("fruit", "fruit-2"):
        catalog.add(name, FRUIT, encoder)  # type: ignore[arg-type]
    catalog.remove("fruit")
    assert catalog.names() == ["fruit-2"]
    assert list(catalog.open("fruit-2", encoder).passages) == FRUIT  # type: ignore[arg-type]


def test_a_damaged_named_index_is_not_overwritten_by_adding(catalog: Catalog, encoder: WordEncoder) -> None:
    folder = catalog.add("fruit", FRUIT, encoder).folder  # type: ignore[arg-type]
    (folder / "dense.faiss").write_bytes(b"damaged")
    with pytest.raises(IndexProblem, match="the index fruit is damaged.*remove"):
        catalog.add("fruit", [MORE], encoder)  # type: ignore[arg-type]
    assert (folder / "passages").is_dir()


def test_a_passage_file_that_goes_wrong_half_way_leaves_the_old_index(catalog: Catalog, encoder: WordEncoder, fruit: Path) -> None:
    from lfqa.corpus.store import read_passages

    catalog.add("fruit", FRUIT[:2], encoder)  # type: ignore[arg-type]
    fruit.write_text(fruit.read_text() + "{broken\n")
    with pytest.raises(ValueError, match="line 4: not JSON"):
        catalog.add("fruit", read_passages(fruit), encoder)  # type: ignore[arg-type]
    assert list(catalog.open("fruit", encoder).passages) == FRUIT[:2]  # type: ignore[arg-type]


# processes of their own

BUILD = """
import sys
from pathlib import Path
from tests.helpers import WordEncoder
from lfqa.corpus.store import read_passages
from lfqa.indexing.catalog import Catalog

cache, file, stop_at = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]

def tell(*step):
    if stop_at == f"{step[0]} {step[1]}":
        print("here", flush=True)
        sys.stdin.readline()

catalog, encoder = Catalog(cache, "model-a"), WordEncoder()
if stop_at == "together":
    list(read_passages(file))
    print("ready", flush=True)
    sys.stdin.readline()
    for number in range(4):
        assert len(catalog.add(f"fruit-{number}", read_passages(file), encoder).passages) >= 3
    assert len(catalog.of_corpus(file, encoder).passages) == 3
else:
    catalog.add("fruit", read_passages(file), encoder, tell)
"""


def start(cache: Path, file: Path, stop_at: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", BUILD, str(cache), str(file), stop_at]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT)


@pytest.mark.parametrize("stop_at", ["write 2"])
def test_a_killed_build_leaves_the_old_index_and_no_half_one(stop_at: str, catalog: Catalog, encoder: WordEncoder, fruit: Path) -> None:
    catalog.add("fruit", [MORE], encoder)  # type: ignore[arg-type]
    with start(catalog.named.parent, fruit, stop_at) as process:
        assert process.stdout is not None and process.stdout.readline() == "here\n"
        process.kill()  # SIGKILL: nothing can be tidied up
    assert catalog.names() == ["fruit"]
    assert list(catalog.open("fruit", encoder).passages) == [MORE]  # type: ignore[arg-type]
    assert any("~" in path.name for path in catalog.named.iterdir()), "the build was under way"
    assert len(catalog.add("fruit", FRUIT, encoder).passages) == 4  # type: ignore[arg-type]
    assert sorted(path.name for path in catalog.named.iterdir()) == [".fruit.lock", "fruit"], "what was left is cleared away"


def test_an_index_moved_aside_by_a_killed_build_is_put_back(catalog: Catalog, encoder: WordEncoder) -> None:
    folder = catalog.add("fruit", FRUIT, encoder).folder  # type: ignore[arg-type]
    aside = catalog.named / ".fruit~old"
    aside.mkdir()
    folder.rename(aside / "index")  # as if killed between the two renames of a replacement
    assert len(catalog.add("fruit", [MORE], encoder).passages) == 4  # type: ignore[arg-type]
    assert not aside.exists()


def test_two_processes_that_build_the_same_index_both_succeed(tmp_path: Path, fruit: Path) -> None:
    one, other = tmp_path / "one.jsonl", tmp_path / "other.jsonl"
    write_passages(one, FRUIT)
    write_passages(other, [passage(n, f"Nuts number {n}.", "Nut") for n in (11, 12, 13)])
    cache = tmp_path / "cache"
    processes = [start(cache, file, "together") for file in (one, one, other)]
    for process in processes:
        assert process.stdout is not None and process.stdout.readline() == "ready\n"
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
    ends = [process.communicate() for process in processes]
    assert [process.returncode for process in processes] == [0, 0, 0], ends
    catalog = Catalog(cache, "model-a")
    assert catalog.names() == ["fruit-0", "fruit-1", "fruit-2", "fruit-3"]
    for name in catalog.names():
        assert len(open_index(catalog.named / name).passages) == 6, "an addition was lost"
    assert len(corpora(catalog)) == 2
