"""Preparing an index in pieces: what is there is not made again, what is damaged is."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lfqa.indexing import staging as module
from lfqa.indexing.staging import Item, Staging, Stretch
from lfqa.types import Passage
from tests.helpers import WordEncoder

Documents = list[list[Passage]]


class Reader:
    """Reads documents, counts how many, and fails after some of them where it is told to."""

    def __init__(self, documents: Documents, fail_after: int | None = None, error: type[Exception] = ValueError) -> None:
        self.documents, self.fail_after, self.error, self.read = documents, fail_after, error, 0

    def __call__(self, skip: int) -> Iterator[list[Passage]]:
        for number, passages in enumerate(self.documents):
            if number == self.fail_after:
                raise self.error("is broken")
            if number >= skip:
                self.read += 1
                yield passages


def documents(name: str, sizes: list[int]) -> Documents:
    return [[Passage(f"{name}-{d}-{n}", name, "", f"{name} {d} {n}.") for n in range(size)] for d, size in enumerate(sizes)]


def flat(documents: Documents) -> list[Passage]:
    return [passage for passages in documents for passage in passages]


def staged(staging: Staging) -> list[Passage]:
    return [passage for _, passages in staging.passages() for passage in passages]


@pytest.fixture(autouse=True)
def small_segments(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SEGMENT", 10)


def test_what_was_read_is_not_read_again(tmp_path: Path) -> None:
    readers = [Reader(documents("a", [3, 9, 0, 4])), Reader(documents("b", [1] * 30))]
    everything = [p for r in readers for p in flat(r.documents)]
    told: list[int] = []
    first = Staging(tmp_path, "plan")
    first.read([Item(reader) for reader in readers], None, told.append)
    assert staged(first) == everything
    assert told == sorted(told) and told[-1] == len(everything)
    for reader in readers:
        reader.read = 0
    again = Staging(tmp_path, "plan")
    again.read([Item(reader) for reader in readers], None, told.append)
    assert staged(again) == everything and [reader.read for reader in readers] == [0, 0]


class Stop(BaseException):
    """As if the process had been killed."""


@given(
    st.lists(st.lists(st.integers(0, 7), max_size=8), min_size=1, max_size=4),
    st.lists(st.tuples(st.integers(0, 3), st.integers(0, 8)), max_size=3),
    st.integers(0, 3),
)
def test_reading_goes_on_where_it_stopped(
    tmp_path_factory: pytest.TempPathFactory, sizes: list[list[int]], stops: list[tuple[int, int]], broken: int
) -> None:
    """Whatever the sources and wherever the run is stopped, the passages are those of a run that is not."""
    folder = tmp_path_factory.mktemp("staging")
    made = [documents(f"s{n}", size) for n, size in enumerate(sizes)]

    def items(stop: tuple[int, int] | None) -> list[Item]:
        found = []
        for number, each in enumerate(made):
            if stop is not None and stop[0] == number:
                found.append(Item(Reader(each, stop[1], Stop)))  # type: ignore[arg-type]
            else:
                found.append(Item(Reader(each, len(each) // 2 if number == broken and each else None)))
        return found

    for stop in stops:
        try:
            Staging(folder, "plan").read(items(stop), None, lambda count: None)
        except Stop:
            pass
        else:
            break  # that source is shorter, and the run came to its end
    last = Staging(folder, "plan")
    last.read(items(None), None, lambda count: None)
    finished_before = any(stop[0] == broken for stop in stops)
    if not finished_before:
        assert last.failed == ({broken: "is broken"} if broken < len(made) and made[broken] else {})
        assert staged(last) == [p for n, each in enumerate(made) if n not in last.failed for p in flat(each)]


def test_another_plan_reads_anew_and_a_damaged_segment_from_there_on(tmp_path: Path) -> None:
    reader = Reader(documents("a", [4] * 12))
    Staging(tmp_path, "plan").read([Item(reader)], None, lambda count: None)
    assert reader.read == 12
    middle = sorted((tmp_path / "read").iterdir())[1]
    [data] = middle.glob("*.arrow")
    data.write_bytes(data.read_bytes()[:-10] + b"0123456789")
    again = Staging(tmp_path, "plan")
    again.read([Item(reader)], None, lambda count: None)
    assert reader.read == 12 + 9 and staged(again) == flat(reader.documents)
    (middle / "note.json").write_text("{}")
    Staging(tmp_path, "plan").read([Item(reader)], None, lambda count: None)
    assert reader.read == 12 + 9 + 9
    Staging(tmp_path, "other plan").read([Item(reader)], None, lambda count: None)
    assert reader.read == 12 + 9 + 9 + 12


def test_rows_that_stay_are_copied_and_stand_in_for_what_can_not_be_read(tmp_path: Path) -> None:
    before = Staging(tmp_path / "before", "plan")
    old = documents("old", [25])
    before.read([Item(Reader(old))], None, lambda count: None)
    store = module.PassageStore.write(staged(before), tmp_path / "store")
    items = [
        Item(None, (3, 20)),
        Item(Reader(documents("new", [2]))),
        Item(Reader(documents("bad", [2, 2]), 1), (20, 25)),
        Item(Reader(documents("none", [1]), 0)),
    ]
    staging = Staging(tmp_path / "after", "plan")
    staging.read(items, store, lambda count: None)
    assert staging.failed == {2: "is broken", 3: "is broken"}
    rows = flat(old)
    assert staged(staging) == rows[3:20] + flat(documents("new", [2])) + rows[20:25]
    assert [each for each in staging.stretches() if each.old is not None] == [Stretch(0, 10, 3), Stretch(0, 7, 13), Stretch(2, 5, 20)]


@given(st.lists(st.sampled_from("abcdef"), max_size=40))
def test_the_last_of_each_id_is_taken(tmp_path_factory: pytest.TempPathFactory, ids: list[str]) -> None:
    staging = Staging(tmp_path_factory.mktemp("staging"), "plan")
    staging.read([Item(Reader([[Passage(name, "", "", f"{n}.")] for n, name in enumerate(ids)]))], None, lambda count: None)
    last = {name: number for number, name in enumerate(ids)}
    assert np.flatnonzero(staging.last_of_each_id()).tolist() == sorted(last.values())


# vectors


def test_vectors_are_made_once_and_again_when_damaged_or_of_another_model(tmp_path: Path) -> None:
    passages, told = flat(documents("a", [5])), list[int]()
    encoder = WordEncoder()

    def made(model: str = "m", of: list[Passage] = passages) -> module.Half:
        return Staging(tmp_path, "plan").vectors(of, encoder, model, told.append)  # type: ignore[arg-type]

    first = made()
    np.testing.assert_array_equal(first, encoder.passages(passages).astype(np.float16))
    encoder.embedded.clear()
    np.testing.assert_array_equal(made(), first)
    assert encoder.embedded == [] and told[-1] == 5
    [file] = (tmp_path / "vectors").iterdir()
    for damage in (b"", file.read_bytes()[:-1], b"\xff" + file.read_bytes()[1:]):
        file.write_bytes(damage)
        np.testing.assert_array_equal(made(), first)
        assert len(encoder.embedded) == 5
        encoder.embedded.clear()
    made("other")
    made(of=passages[:4])
    assert len(encoder.embedded) == 9


def test_vectors_that_are_not_finite_are_refused(tmp_path: Path) -> None:
    class Broken(WordEncoder):
        def texts(self, texts: object, progress: object = None) -> np.ndarray:
            return np.full((1, self.dimension), 1e9, dtype=np.float32)

    with pytest.raises(ValueError, match="not finite in half precision"):
        Staging(tmp_path, "plan").vectors(flat(documents("a", [1])), Broken(), "m", lambda count: None)  # type: ignore[arg-type]
