"""Which index answers; what is added, changed and removed; builds that are killed, and builds that meet."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lfqa.corpus.dataset import DatasetName
from lfqa.corpus.reading import Reading
from lfqa.corpus.sources import Roots, Skipped
from lfqa.corpus.store import PassageFileError
from lfqa.indexing.build import IndexProblem, open_index, vectors_of
from lfqa.indexing.catalog import Catalog, Outcome
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


@pytest.fixture
def docs(tmp_path: Path) -> Path:
    folder = tmp_path / "docs"
    for name, text in {
        "a.md": "# Apple\n\nApples are red.",
        "b.txt": "Bananas are yellow.",
        "c/c.html": "<p>Cherries have stones.",
    }.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


def add(catalog: Catalog, encoder: WordEncoder, *paths: Path, name: str = "mine", **options: Any) -> Outcome:
    roots = options.pop("roots", None) or Roots(tuple(map(str, paths)))
    return catalog.add(name, roots, encoder, **options)  # type: ignore[arg-type]


def texts(index: Any) -> list[str]:
    return [each.passage_text for each in index.passages]


def counts(outcome: Outcome) -> tuple[int, int, int, int]:
    changes = outcome.changes
    return changes.added, changes.changed, changes.removed, changes.unchanged


# the corpus' own


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


def test_a_corpus_that_can_not_be_read_is_refused(catalog: Catalog, encoder: WordEncoder, fruit: Path) -> None:
    fruit.write_text(fruit.read_text() + "{broken\n")
    with pytest.raises(PassageFileError, match="fruit.jsonl, line 4: not JSON"):
        catalog.of_corpus(fruit, encoder)  # type: ignore[arg-type]
    assert corpora(catalog) == []


def test_a_data_set_can_be_the_corpus_and_is_read_once(catalog: Catalog, encoder: WordEncoder, tmp_path: Path) -> None:
    (tmp_path / "set").mkdir()
    file = write_passages(tmp_path / "set" / "train.jsonl", FRUIT)
    name = DatasetName(str(tmp_path / "set"))
    index = catalog.of_dataset(name, encoder)  # type: ignore[arg-type]
    assert texts(index) == [p.passage_text for p in FRUIT]
    file.unlink()
    assert catalog.of_dataset(name, encoder).manifest == index.manifest  # type: ignore[arg-type]
    file.write_text('{"neither": 1}')
    with pytest.raises(PassageFileError, match="row 1: has neither"):
        Catalog(catalog.named.parent, "model-b").of_dataset(name, encoder)  # type: ignore[arg-type]
    assert corpora(catalog) == [index.folder.name]


# named ones


def test_files_and_folders_become_an_index(catalog: Catalog, encoder: WordEncoder, docs: Path, fruit: Path) -> None:
    outcome = add(catalog, encoder, docs, fruit)
    assert texts(outcome.index) == ["Apples are red.", "Bananas are yellow.", "Cherries have stones.", *(p.passage_text for p in FRUIT)]
    assert counts(outcome) == (4, 0, 0, 0)
    manifest, listing = catalog.info("mine")
    assert (catalog.names(), manifest.passages, len(listing.held)) == (["mine"], 6, 4)
    assert listing.roots == Roots((str(docs), str(fruit)))
    opened = catalog.open("mine")
    assert texts(opened) == texts(outcome.index)
    assert (opened.passages[0].source, opened.passages[0].start, opened.passages[0].end) == ("docs/a.md", 9, 24)
    assert opened.sparse.search("yellow", 1)[0][0] == 1


def test_only_what_changed_is_read_and_embedded_and_what_is_gone_is_removed(catalog: Catalog, encoder: WordEncoder, docs: Path) -> None:
    add(catalog, encoder, docs)
    before = encoder.embedded.copy()
    os.utime(docs / "a.md", (1, 1))
    outcome = add(catalog, encoder, docs)
    assert counts(outcome) == (0, 0, 0, 3) and encoder.embedded == before
    (docs / "b.txt").write_text("Bananas are green at first.")
    (docs / "c" / "c.html").unlink()
    (docs / "d.csv").write_text("name,taste\nDate,sweet\n")
    outcome = add(catalog, encoder, docs)
    assert counts(outcome) == (1, 1, 1, 1)
    assert texts(outcome.index) == ["Apples are red.", "Bananas are green at first.", "name: Date; taste: sweet."]
    assert len(encoder.embedded) == len(before) + 2
    np.testing.assert_array_equal(vectors_of(outcome.index), WordEncoder().passages(list(outcome.index.passages)))


def test_what_other_paths_brought_in_stays_and_no_path_means_all(catalog: Catalog, encoder: WordEncoder, docs: Path, fruit: Path) -> None:
    add(catalog, encoder, docs)
    (docs / "a.md").unlink()
    outcome = add(catalog, encoder, fruit)
    assert counts(outcome) == (1, 0, 0, 3) and "Apples are red." in texts(outcome.index)
    fruit.unlink()
    outcome = add(catalog, encoder, roots=Roots())
    assert counts(outcome) == (0, 0, 2, 2) and texts(outcome.index) == ["Bananas are yellow.", "Cherries have stones."]


def test_a_later_source_replaces_passages_and_gives_them_back(catalog: Catalog, encoder: WordEncoder, fruit: Path, tmp_path: Path) -> None:
    add(catalog, encoder, fruit)
    later = write_passages(tmp_path / "later.jsonl", [TWICE, MORE])
    outcome = add(catalog, encoder, later)
    assert texts(outcome.index) == [p.passage_text for p in (FRUIT[1], FRUIT[2], TWICE, MORE)]
    later.unlink()
    outcome = add(catalog, encoder, roots=Roots())
    assert texts(outcome.index) == [p.passage_text for p in FRUIT]


def test_files_that_can_not_be_read_are_told_and_nothing_else_is_lost(catalog: Catalog, encoder: WordEncoder, docs: Path) -> None:
    (docs / "bad.jsonl").write_text('{"text": "Good line."}\n{bad\n')
    (docs / "empty.md").write_text("")
    (docs / "picture.png").write_bytes(b"\x89PNG")
    told: list[Skipped] = []
    outcome = add(catalog, encoder, docs, skip=told.append)
    assert {Path(each.place).name: each.reason.split("(")[0].strip() for each in told} == {
        "bad.jsonl": "line 2: not JSON", "empty.md": "is empty", "picture.png": "is no kind of file that is read",
    }  # fmt: skip
    assert set(outcome.changes.skipped) == set(told) and counts(outcome) == (3, 0, 0, 0)
    assert len(outcome.index.passages) == 3


def test_a_source_that_can_not_be_read_any_more_stays_as_it_was(catalog: Catalog, encoder: WordEncoder, docs: Path) -> None:
    (docs / "d.jsonl").write_text('{"text": "Dates are sweet."}\n')
    add(catalog, encoder, docs)
    (docs / "d.jsonl").write_text('{"text": "Dates are dry."}\n{broken')
    told: list[Skipped] = []
    outcome = add(catalog, encoder, docs, skip=told.append)
    assert [each.reason[:6] for each in told] == ["line 2"] and counts(outcome) == (0, 0, 0, 4)
    assert "Dates are sweet." in texts(outcome.index)
    (docs / "d.jsonl").write_text('{"text": "Dates are dry."}')
    assert counts(add(catalog, encoder, docs)) == (0, 1, 0, 3)


def test_nothing_to_index_is_an_error_that_loses_nothing(catalog: Catalog, encoder: WordEncoder, fruit: Path, tmp_path: Path) -> None:
    (tmp_path / "empty.md").write_text("")
    with pytest.raises(IndexProblem, match="no passages to index"):
        add(catalog, encoder, tmp_path / "empty.md")
    assert catalog.names() == []
    add(catalog, encoder, fruit)
    fruit.unlink()
    with pytest.raises(IndexProblem, match="no passages to index"):
        add(catalog, encoder, roots=Roots())
    assert len(catalog.open("mine").passages) == 3
    with pytest.raises(IndexProblem, match="no index 'other' to bring up to date"):
        add(catalog, encoder, name="other", roots=Roots())


def test_another_way_of_reading_reads_everything_again(catalog: Catalog, encoder: WordEncoder, tmp_path: Path) -> None:
    file = tmp_path / "a.txt"
    file.write_bytes("Café au lait.".encode("cp1252"))
    with pytest.raises(IndexProblem, match="no passages"):
        add(catalog, encoder, file)
    assert texts(add(catalog, encoder, file, reading=Reading("cp1252")).index) == ["Café au lait."]
    assert counts(add(catalog, encoder, roots=Roots())) == (0, 0, 0, 1), "the encoding is kept"
    assert texts(add(catalog, encoder, file, reading=Reading("cp437")).index) == ["CafΘ au lait."]


def test_a_data_set_is_indexed_and_looked_at_again(catalog: Catalog, encoder: WordEncoder, tmp_path: Path, fruit: Path) -> None:
    (tmp_path / "set").mkdir()
    write_passages(tmp_path / "set" / "train.jsonl", FRUIT)
    roots = Roots(datasets=(DatasetName(str(tmp_path / "set")),))
    assert counts(add(catalog, encoder, roots=roots)) == (1, 0, 0, 0)
    assert counts(add(catalog, encoder, roots=Roots())) == (0, 0, 0, 1)
    write_passages(tmp_path / "set" / "train.jsonl", [*FRUIT, MORE])
    outcome = add(catalog, encoder, roots=Roots())
    assert counts(outcome) == (0, 1, 0, 0) and len(outcome.index.passages) == 4


def test_the_type_of_the_dense_half_is_kept_and_can_be_changed(catalog: Catalog, encoder: WordEncoder, fruit: Path, docs: Path) -> None:
    manifest = add(catalog, encoder, fruit, index_type="ivf-fp16", questions=["Which fruit is red?"]).index.manifest
    assert (manifest.index_type, manifest.wanted_type, manifest.nprobe, manifest.recall) == ("IVF1,SQfp16", "ivf-fp16", 1, 1.0)
    assert manifest.queries == 4, "the question, and three titles"
    assert add(catalog, encoder, docs).index.manifest.index_type == "IVF1,SQfp16"
    embedded = len(encoder.embedded)
    assert add(catalog, encoder, roots=Roots(), index_type="flat").index.manifest.index_type == "Flat"
    assert len(encoder.embedded) == embedded
    assert catalog.open("mine").dense.search(encoder.questions(["apples"])[0], 1)


def test_an_index_of_another_retriever_is_refused_and_embedded_anew_by_adding(catalog: Catalog, encoder: WordEncoder, fruit: Path) -> None:
    add(catalog, encoder, fruit)
    other, fresh = Catalog(catalog.named.parent, "model-b"), WordEncoder()
    with pytest.raises(IndexProblem, match="mine was made with another retriever.*lfqa index add --name mine"):
        other.open("mine")
    assert add(other, fresh, roots=Roots()).index.manifest.model == "model-b"
    assert len(fresh.embedded) == 3
    assert len(other.open("mine").passages) == 3


def test_a_missing_index_is_refused_with_those_that_are_there(catalog: Catalog, encoder: WordEncoder, fruit: Path) -> None:
    with pytest.raises(IndexProblem, match="no index 'nuts'.*none yet.*lfqa index add"):
        catalog.open("nuts")
    add(catalog, encoder, fruit, name="fruit")
    with pytest.raises(IndexProblem, match="there: fruit"):
        catalog.open("nuts")
    with pytest.raises(IndexProblem, match="no index"):
        catalog.info("nuts")
    with pytest.raises(IndexProblem, match="no index 'nuts'"):
        catalog.remove("nuts")


@pytest.mark.parametrize("name", ["../x", "a/b", "", "..", "/etc"])
def test_a_name_can_not_leave_the_folder(name: str, catalog: Catalog, encoder: WordEncoder, fruit: Path) -> None:
    for act in (
        lambda: add(catalog, encoder, fruit, name=name),
        lambda: catalog.open(name),
        lambda: catalog.info(name),
        lambda: catalog.remove(name),
    ):
        with pytest.raises(ValueError, match="can not name an index"):
            act()
    assert not catalog.named.exists()


def test_removing_one_leaves_the_others(catalog: Catalog, encoder: WordEncoder, fruit: Path) -> None:
    for name in ("fruit", "fruit-2"):
        add(catalog, encoder, fruit, name=name)
    catalog.remove("fruit")
    assert catalog.names() == ["fruit-2"]
    assert len(catalog.open("fruit-2").passages) == 3


@pytest.mark.parametrize("part", ["dense.faiss", "vectors.npy", "passages/data-00000-of-00001.arrow", "manifest.json"])
def test_a_damaged_index_is_refused_with_the_command_that_repairs_it(
    part: str, catalog: Catalog, encoder: WordEncoder, fruit: Path
) -> None:
    folder = add(catalog, encoder, fruit).index.folder
    (folder / part).write_bytes((folder / part).read_bytes()[:-9])
    with pytest.raises(IndexProblem, match="mine is damaged.*make it anew from its sources with `lfqa index add --name mine`"):
        catalog.open("mine")
    add(catalog, encoder, roots=Roots())
    assert len(catalog.open("mine").passages) == 3


def test_a_damaged_index_without_its_sources_is_refused_and_not_written_over(catalog: Catalog, encoder: WordEncoder, fruit: Path) -> None:
    folder = add(catalog, encoder, fruit).index.folder
    (folder / "manifest.json").unlink()
    (folder / "sources.json").write_text("{")
    for act in (lambda: add(catalog, encoder, fruit), lambda: catalog.open("mine"), lambda: catalog.info("mine")):
        with pytest.raises(IndexProblem, match="lfqa index remove mine"):
            act()
    assert (folder / "dense.faiss").is_file()
    catalog.remove("mine")
    add(catalog, encoder, fruit)


# shards


def test_shards_built_apart_merge_into_the_index_of_the_whole(catalog: Catalog, encoder: WordEncoder, tmp_path: Path) -> None:
    folder = tmp_path / "set"
    folder.mkdir()
    write_passages(folder / "train.jsonl", [passage(n, f"Fruit number {n}.", f"Title {n}") for n in range(25)])
    whole = add(catalog, encoder, roots=Roots(datasets=(DatasetName(str(folder)),)), name="whole").index
    for number in (1, 2, 3):
        roots = Roots(datasets=(DatasetName(str(folder), shard=f"{number}/3"),))
        elsewhere = Catalog(tmp_path / f"machine-{number}", "model-a")
        assert len(add(elsewhere, encoder, roots=roots, name="part").index.passages) in (8, 9)
    folders = [tmp_path / f"machine-{number}" / "indexes" / "part" for number in (1, 2, 3)]
    embedded = len(encoder.embedded)
    merged = catalog.merge("merged", folders, encoder)  # type: ignore[arg-type]
    assert len(encoder.embedded) == embedded, "nothing is embedded again"
    assert sorted(texts(merged)) == sorted(texts(whole)) and len(texts(merged)) == 25
    asked = encoder.questions(["number 7"])[0]

    def found(index: Any) -> list[tuple[str, float]]:
        hits = [*index.dense.search(asked, 30), *index.sparse.search("number 7", 30)]
        return sorted((index.passages[row].passage_id, round(score, 4)) for row, score in hits)

    assert found(merged) == found(whole)
    np.testing.assert_array_equal(vectors_of(merged), WordEncoder().passages(list(merged.passages)))
    assert counts(add(catalog, encoder, roots=Roots(), name="merged")) == (0, 0, 0, 3), "it can be brought up to date"


def test_what_several_indexes_have_comes_from_the_last(catalog: Catalog, encoder: WordEncoder, fruit: Path, tmp_path: Path) -> None:
    add(catalog, encoder, fruit, name="one")
    write_passages(fruit, [TWICE, MORE])
    add(catalog, encoder, fruit, write_passages(tmp_path / "b.jsonl", [passage(2, "Bananas bend.")]), name="two")
    merged = catalog.merge("both", [catalog.named / "one", catalog.named / "two"], encoder)  # type: ignore[arg-type]
    assert texts(merged) == ["Apples are pomes.", "Dates are sweet.", "Bananas bend."]


def test_indexes_that_can_not_be_one_are_refused(catalog: Catalog, encoder: WordEncoder, fruit: Path) -> None:
    folder = add(catalog, encoder, fruit).index.folder
    with pytest.raises(IndexProblem, match="two indexes or more"):
        catalog.merge("new", [folder], encoder)  # type: ignore[arg-type]
    with pytest.raises(IndexProblem, match="mine was made with another retriever"):
        Catalog(catalog.named.parent, "model-b").merge("new", [folder, folder], encoder)  # type: ignore[arg-type]
    with pytest.raises(IndexProblem, match="gone is no index"):
        catalog.merge("new", [folder, catalog.named / "gone"], encoder)  # type: ignore[arg-type]
    assert catalog.names() == ["mine"]


@pytest.mark.parametrize("shard", ["0/3", "4/3", "1", "a/b", "1/0", "-1/2"])
def test_a_shard_that_makes_no_sense_is_refused(shard: str) -> None:
    with pytest.raises(ValueError, match="a shard is 1/4 for the first of four"):
        DatasetName("x", shard=shard)


# processes of their own

BUILD = """
import sys, time
from pathlib import Path
from tests.helpers import WordEncoder
from lfqa.corpus.sources import Roots
from lfqa.indexing import staging
from lfqa.indexing.catalog import Catalog

cache, file, stop_at = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]
roots = Roots((str(file),))

def tell(*step):
    if stop_at == f"{step[0]} {step[1]}":
        print("here", flush=True)
        sys.stdin.readline()

catalog, encoder = Catalog(cache, "model-a"), WordEncoder()
if stop_at == "together":
    print("ready", flush=True)
    sys.stdin.readline()
    for number in range(4):
        assert len(catalog.add(f"fruit-{number}", roots, encoder).index.passages) >= 3
    assert len(catalog.of_corpus(file, encoder).passages) == 3
elif stop_at == "slowly":
    staging.SEGMENT, staging.CHUNK = 300, 100
    vectors = encoder.texts
    encoder.texts = lambda *given: (time.sleep(0.02), vectors(*given))[1]
    print("ready", flush=True)
    catalog.add("fruit", roots, encoder)
    print("done", flush=True)
else:
    catalog.add("fruit", roots, encoder, tell)
"""


def start(cache: Path, file: Path, stop_at: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", BUILD, str(cache), str(file), stop_at]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT)


@pytest.mark.parametrize("stop_at", ["read 3", "embed 3", "write 0", "write 2"])
def test_a_killed_build_leaves_the_old_index_and_no_half_one(
    stop_at: str, catalog: Catalog, encoder: WordEncoder, fruit: Path, tmp_path: Path
) -> None:
    add(catalog, encoder, write_passages(tmp_path / "more.jsonl", [MORE]), name="fruit")
    with start(catalog.named.parent, fruit, stop_at) as process:
        assert process.stdout is not None and process.stdout.readline() == "here\n"
        process.kill()  # SIGKILL: nothing can be tidied up
    assert catalog.names() == ["fruit"]
    assert texts(catalog.open("fruit")) == [MORE.passage_text]
    assert (catalog.named / ".fruit.parts").is_dir(), "the build was under way"
    assert len(add(catalog, encoder, fruit, name="fruit").index.passages) == 4
    assert sorted(path.name for path in catalog.named.iterdir()) == [".fruit.lock", "fruit"], "what was left is cleared away"
    assert len(encoder.embedded) == (1 if stop_at.startswith("write") else 4), "what was embedded is not embedded again"


def test_builds_killed_at_random_moments_end_in_the_same_index(catalog: Catalog, encoder: WordEncoder, tmp_path: Path) -> None:
    file = write_passages(tmp_path / "many.jsonl", [passage(n, f"Fruit number {n} of {n % 7} kinds.", f"Title {n}") for n in range(2000)])
    whole = add(catalog, encoder, file, name="whole").index
    draw, kills, cache = random.Random(5), 0, tmp_path / "killed"
    while True:
        with start(cache, file, "slowly") as process:
            assert process.stdout is not None and process.stdout.readline() == "ready\n"
            try:
                process.wait(draw.uniform(0.05, 0.4))
            except subprocess.TimeoutExpired:
                process.kill()
                kills += 1
                continue
            assert process.returncode == 0, process.stderr and process.stderr.read()
            break
    assert kills >= 2
    index = open_index(cache / "indexes" / "fruit")
    for part in ("dense.faiss", "vectors.npy", "passages/data-00000-of-00001.arrow", "sources.json"):
        assert (index.folder / part).read_bytes() == (whole.folder / part).read_bytes(), part
    for question in ("fruit of 3 kinds", "number 77", "title 1999"):
        assert index.sparse.search(question, 20) == whole.sparse.search(question, 20)
    assert index.manifest.corpus == whole.manifest.corpus
    assert sorted(path.name for path in (cache / "indexes").iterdir()) == [".fruit.lock", "fruit"]


def test_an_index_moved_aside_by_a_killed_build_is_put_back(catalog: Catalog, encoder: WordEncoder, fruit: Path, tmp_path: Path) -> None:
    folder = add(catalog, encoder, fruit).index.folder
    aside = catalog.named / ".mine~old"
    aside.mkdir()
    folder.rename(aside / "index")  # as if killed between the two renames of a replacement
    assert len(add(catalog, encoder, write_passages(tmp_path / "more.jsonl", [MORE])).index.passages) == 4
    assert not aside.exists()


def test_processes_that_build_the_same_index_all_succeed(tmp_path: Path, fruit: Path) -> None:
    one = write_passages(tmp_path / "one.jsonl", FRUIT)
    other = write_passages(tmp_path / "other.jsonl", [passage(n, f"Nuts number {n}.", "Nut") for n in (11, 12, 13)])
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
