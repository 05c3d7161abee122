"""Files of every kind and condition, and folders of them."""

from __future__ import annotations

import gzip
import json
import os
from pathlib import Path

import pyarrow
import pytest
from pyarrow import parquet

from lfqa.corpus.dataset import DatasetName, dataset_digest, read_dataset
from lfqa.corpus.documents import DocumentError
from lfqa.corpus.reading import Reading, kind_of, read_file, title_of
from lfqa.corpus.sources import Roots, check_paths, find_sources, read_source
from lfqa.hub import HubUnavailable
from lfqa.types import Passage
from tests.document_files import pdf_file, word_file, write_rows
from tests.helpers import FRUIT, write_passages

TEXT = "The sea rises twice a day. The Moon pulls at it.\n"


def read(path: Path, **options: object) -> list[Passage]:
    return [p for passages in read_file(path, path.name, Reading(**options)) for p in passages]  # type: ignore[arg-type]


# kinds


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("a.md", "markdown"), ("A.MD.gz", "markdown"), ("a.b.txt", "plain"), ("README", "plain"), ("notes.gz", "plain"),
        ("a.html", "html"), ("a.pdf", "pdf"), ("a.docx", "word"), ("a.tsv.GZ", "table"), ("a.jsonl", "lines"), ("a.parquet", "parquet"),
        ("a.parquet.gz", None), ("a.exe", None), ("a.doc", None), ("a.jpg.gz", None),
    ],
)  # fmt: skip
def test_a_name_says_the_kind(name: str, kind: str | None) -> None:
    assert kind_of(Path(name)) == kind


def test_a_name_gives_a_title() -> None:
    assert title_of(Path("x/my_notes.v2.md.gz")) == "my notes.v2"
    assert title_of(Path("README")) == "README"


@pytest.mark.parametrize("zipped", [False, True])
@pytest.mark.parametrize(
    ("name", "data", "words"),
    [
        ("a.txt", TEXT.encode(), "Moon pulls"),
        ("a.txt", b"\xef\xbb\xbf" + TEXT.encode(), "The sea"),
        ("a.txt", TEXT.encode("utf-16"), "Moon pulls"),
        ("a.txt", TEXT.encode("utf-32"), "Moon pulls"),
        ("a.md", b"# Tides\n\n" + TEXT.encode(), "Moon pulls"),
        ("a.html", f"<meta charset=latin-1><p>Café. {TEXT}".encode("latin-1"), "Café"),
        ("a.csv", b"name;pull\nMoon;large\nSun;half\n", "name: Moon; pull: large."),
        ("a.csv", b"title,text\nTides,The Moon pulls.\n", "The Moon pulls."),
        ("a.tsv", b"passage_id\tarticle_title\tpassage_text\n1\tTides\tThe Moon pulls.\n", "The Moon pulls."),
        ("a.jsonl", b'{"title": "Tides", "text": "The Moon pulls."}\n\n', "The Moon pulls."),
        ("a.jsonl", b'\xef\xbb\xbf{"_id": "7", "article_title": "T", "passage_text": "The Moon pulls."}', "The Moon pulls."),
    ],
)
def test_text_is_read_gzipped_or_not(name: str, data: bytes, words: str, zipped: bool, tmp_path: Path) -> None:
    file = tmp_path / (name + ".gz" if zipped else name)
    file.write_bytes(gzip.compress(data) if zipped else data)
    found = read(file)
    assert words in " ".join(p.passage_text for p in found)
    assert {p.source for p in found} == {file.name}


def test_pdf_and_word_are_read(tmp_path: Path) -> None:
    (tmp_path / "a.pdf").write_bytes(pdf_file())
    (tmp_path / "a.docx.gz").write_bytes(gzip.compress(word_file()))
    assert read(tmp_path / "a.pdf")[0].page == 1
    assert [p.section_title for p in read(tmp_path / "a.docx.gz")] == ["", "Causes", "Effects"]


def test_records_keep_their_titles_sections_ids_and_addresses(tmp_path: Path) -> None:
    file = tmp_path / "a.jsonl"
    records = [
        {"title": "Tides", "section": "Causes", "text": "The Moon pulls.", "id": 5, "url": "https://example.org/t"},
        {"text": "No title."},
        {"_id": "own", "article_title": "A", "section_title": "S", "passage_text": "A passage.", "more": 1},
    ]
    file.write_text("\n".join(json.dumps(record) for record in records))
    found = read(file)
    assert [(p.passage_id, p.article_title, p.section_title, p.source) for p in found] == [
        ("a.jsonl:5#1", "Tides", "Causes", "https://example.org/t"),
        ("a.jsonl:2#1", "a", "", "a.jsonl"),
        ("own", "A", "S", "a.jsonl"),
    ]


@pytest.mark.parametrize("name", ["a.jsonl", "a.csv", "a.parquet"])
def test_records_that_were_read_before_are_passed_over(name: str, tmp_path: Path) -> None:
    file = tmp_path / name
    records = [{"title": f"T{n}", "text": f"Text number {n}."} for n in range(2500)]
    if name.endswith("jsonl"):
        file.write_text("\n".join(json.dumps(record) for record in records))
    elif name.endswith("csv"):
        file.write_text("title,text\n" + "".join(f"{r['title']},{r['text']}\n" for r in records))
    else:
        parquet.write_table(pyarrow.Table.from_pylist(records), file)
    whole = list(read_file(file, name))
    assert len(whole) == 2500
    assert list(read_file(file, name, skip=1700)) == whole[1700:]
    assert list(read_file(file, name, skip=2500)) == []


# what can not be read


@pytest.mark.parametrize(
    ("name", "data", "words"),
    [
        ("a.txt", b"", "is empty"),
        ("a.txt", b" \n\t\n", "holds no text"),
        ("a.md", b"# Only a heading", "holds no text"),
        ("a.html", b"<nav>menu</nav>", "holds no text"),
        ("a.txt", b"abc\x00def", "is binary"),
        ("a.md", TEXT.encode("utf-16-le"), "is binary, or text in an encoding that has no byte order mark"),
        ("a.txt", "Caf\xe9 au lait.".encode("cp1252"), r"is not utf-8 text \(byte 0xe9 at 3\); name its encoding with --encoding"),
        ("a.jsonl", b'{"text": "Caf\xe9."}', "is not utf-8 text"),
        ("a.csv", b"\x89PNG\r\n\x1a\n\x00\x00", "is binary"),
        ("a.html", b"<meta charset=utf-8>\xff\xfe\xfd", "is not"),
        ("a.html", b"<meta charset=nonsense-9>x", "declares the encoding nonsense-9"),
        ("a.txt.gz", b"not gzip at all", "is a damaged gzip file"),
        ("a.txt.gz", gzip.compress(TEXT.encode() * 50)[:-20], "is a damaged gzip file"),
        ("a.jsonl.gz", gzip.compress(b'{"text": "x."}\n' * 900)[:-10], "is a damaged gzip file"),
        ("a.txt.gz", gzip.compress(b""), "is empty"),
        ("a.jsonl", b"{broken", "line 1: not JSON"),
        ("a.jsonl", b'{"text": "a."}\n[1]\n', "line 2: a record is a JSON object"),
        ("a.jsonl", b'{"body": "a."}\n', "line 1: has neither a passage's fields nor text, but body"),
        ("a.jsonl", b'{"text": 5}\n', "line 1: text is int, not text"),
        ("a.jsonl", b'{"text": "half \\ud83d"}\n', "half of a surrogate pair"),
        ("a.jsonl", b'{"passage_id": "x", "passage_text": "y"}', "line 1: article_title is missing"),
        ("a.csv", b"a,a\n1,2", "two columns of the same name"),
        ("a.parquet", b"PAR1 no", "can not be read as Parquet"),
        ("a.pdf", b"%PDF-", "is no PDF, or damaged"),
        ("a.docx", b"PK", "is no Word document, or damaged"),
        ("a.exe", b"MZ", "is no kind of file that is read"),
    ],
)
def test_what_is_wrong_with_a_file_is_said(name: str, data: bytes, words: str, tmp_path: Path) -> None:
    file = tmp_path / name
    file.write_bytes(data)
    with pytest.raises(DocumentError, match=words):
        read(file)


def test_huge_files_are_refused_packed_or_not(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text(TEXT * 100)
    (tmp_path / "b.txt.gz").write_bytes(gzip.compress(TEXT.encode() * 100))
    (tmp_path / "c.jsonl").write_text(json.dumps({"text": TEXT * 100}))
    for name, words in (("a.txt", "larger than 1,000 bytes"), ("b.txt.gz", "larger than 1,000"), ("c.jsonl", "a line of more than 1,000")):
        with pytest.raises(DocumentError, match=words):
            read(tmp_path / name, largest=1000)


def test_an_encoding_can_be_named(tmp_path: Path) -> None:
    for name, text in (("a.txt", "Café au lait."), ("a.jsonl", '{"text": "Café au lait."}')):
        (tmp_path / name).write_bytes(text.encode("cp1252"))
        assert read(tmp_path / name, encoding="cp1252")[0].passage_text == "Café au lait."
    (tmp_path / "u.txt").write_text("Café au lait.", encoding="utf-8")
    assert read(tmp_path / "u.txt", encoding="cp1252")[0].passage_text == "Café au lait.", "UTF-8 goes first"
    with pytest.raises(ValueError, match="no encoding 'klingon'"):
        Reading(encoding="klingon")


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_a_file_without_permission_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text(TEXT)
    (tmp_path / "a.txt").chmod(0)
    with pytest.raises(DocumentError, match="can not be read"):
        read(tmp_path / "a.txt")


# folders


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    root = tmp_path / "docs"
    for name, data in {"b.md": "# B\n\nText b.", "a.txt": "Text a.", "deep/er/c.html": "<p>Text c.", "x.png": "PNG", ".hidden": "no",
                       ".git/config": "no"}.items():  # fmt: skip
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(data)
    return root


def test_a_folder_is_searched_through(folder: Path) -> None:
    sources, skipped = find_sources(Roots((str(folder),)))
    assert [source.name for source in sources] == ["docs/a.txt", "docs/b.md", "docs/deep/er/c.html"]
    assert [(Path(each.place).name, each.reason[:24]) for each in skipped] == [("x.png", "is no kind of file that ")]
    read_again = [p.passage_id for source in sources for ps in read_source(source, (), Reading()) for p in ps]
    assert read_again == ["docs/a.txt#1", "docs/b.md#1", "docs/deep/er/c.html#1"]


def test_a_digest_follows_the_content_and_nothing_else(folder: Path) -> None:
    before = {source.name: source.digest for source in find_sources(Roots((str(folder),)))[0]}
    os.utime(folder / "a.txt", (1, 1))
    (folder / "b.md").write_text("# B\n\nText B.")
    after = {source.name: source.digest for source in find_sources(Roots((str(folder),)))[0]}
    assert {name for name in before if before[name] != after[name]} == {"docs/b.md"}


def test_a_file_counts_once_and_names_stay_apart(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "other" / "docs").mkdir(parents=True)
    (tmp_path / "other" / "docs" / "a.txt").write_text("Another a.")
    sources, _ = find_sources(Roots((str(folder), str(folder / "a.txt"), str(tmp_path / "other" / "docs"))))
    assert [source.name for source in sources][-1] == str(tmp_path / "other" / "docs" / "a.txt")
    assert len({source.name for source in sources}) == len(sources) == 4
    [taken], _ = find_sources(Roots((str(folder / "a.txt"),)), {"a.txt": "/elsewhere/a.txt"})
    assert taken.name == str(folder / "a.txt")


def test_paths_that_are_not_there_are_named(tmp_path: Path) -> None:
    with pytest.raises(DocumentError, match="gone.md does not exist"):
        check_paths([tmp_path / "gone.md"])
    with pytest.raises(DocumentError, match="/dev/null is neither a file nor a folder"):
        check_paths([Path("/dev/null")])


# data sets


WIKI = [
    {"id": str(n), "url": f"https://simple.example/{n}", "title": f"T{n}", "text": f"Topic {n} is a thing.\n\nSee also\n\nOther"}
    for n in range(30)
]


@pytest.fixture
def wiki(tmp_path: Path) -> Path:
    write_rows(tmp_path / "wiki" / "20231101.simple" / "train-00000-of-00002.parquet", WIKI[:20])
    write_rows(tmp_path / "wiki" / "20231101.simple" / "train-00001-of-00002.parquet", WIKI[20:])
    return tmp_path / "wiki"


@pytest.mark.parametrize("inside", [False, True])
def test_a_local_data_set_is_streamed(inside: bool, wiki: Path) -> None:
    name = DatasetName(str(wiki / "20231101.simple")) if inside else DatasetName(str(wiki), "20231101.simple")
    whole = list(read_dataset(name))
    assert [p.passage_text for ps in whole for p in ps] == [f"Topic {n} is a thing." for n in range(30)]
    assert (whole[3][0].passage_id, whole[3][0].source) == (f"{name.label}:3#1", "https://simple.example/3")
    assert list(read_dataset(name, skip=22)) == whole[22:]


def test_the_layout_of_wiki_snippets_is_read(tmp_path: Path) -> None:
    rows = [
        {"_id": p.passage_id, "article_title": p.article_title, "section_title": p.section_title, "passage_text": p.passage_text}
        for p in FRUIT
    ]
    write_rows(tmp_path / "snippets" / "0000.parquet", rows)
    found = [p for ps in read_dataset(DatasetName(str(tmp_path / "snippets"))) for p in ps]
    assert [(p.passage_id, p.passage_text) for p in found] == [(p.passage_id, p.passage_text) for p in FRUIT]


def test_the_digest_of_a_data_set_follows_its_files(wiki: Path) -> None:
    name = DatasetName(str(wiki), "20231101.simple")
    before = dataset_digest(name)
    assert before == dataset_digest(name) != dataset_digest(DatasetName(str(wiki), "other"))
    write_rows(wiki / "20231101.simple" / "train-00001-of-00002.parquet", WIKI[20:29])
    assert dataset_digest(name) != before


def test_a_data_set_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(DocumentError, match="the folder .*gone does not exist"):
        dataset_digest(DatasetName(str(tmp_path / "gone")))
    with pytest.raises(HubUnavailable, match="the data set wikimedia/wikipedia is no folder here"):
        dataset_digest(DatasetName("wikimedia/wikipedia", "20231101.simple"))
    (tmp_path / "empty").mkdir()
    with pytest.raises(DocumentError, match="can not be read"):
        list(read_dataset(DatasetName(str(tmp_path / "empty"))))
    write_passages(tmp_path / "empty" / "x.jsonl", FRUIT)
    assert len(list(read_dataset(DatasetName(str(tmp_path / "empty"))))) == 3
