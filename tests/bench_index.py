"""Indexing and search at size: parts of ``make bench``, each in a process of its own. ``python -m tests.bench_index PART [COUNT]``."""

from __future__ import annotations

import gzip
import json
import os
import random
import re
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
SIMPLEWIKI = ROOT.parent / "shared" / "data" / "simplewiki.jsonl.gz"
HEADING = re.compile(r"[A-Z0-9][^.!?;:]{0,58}\.")
NOUNS = (
    "river stone metal bird engine island poet planet forest market bridge virus ocean desert wheat glass king harbour magnet cell".split()
)
VERBS = "carries shapes warms feeds breaks joins moves covers slows lifts marks turns holds reaches changes guards".split()


# articles in the layout of wikimedia/wikipedia


def articles() -> Iterator[dict[str, str]]:
    """Yield Simple Wikipedia's articles where they are on this machine, else made-up ones."""
    if not SIMPLEWIKI.is_file():
        yield from made_up()
        return
    with gzip.open(SIMPLEWIKI, "rt", encoding="utf-8") as lines:
        for line in lines:
            record = json.loads(line)
            paragraphs = record["text"].split("\n")
            marked = [p[:-1] + " " if n and HEADING.fullmatch(p) and len(p.split()) <= 6 else p for n, p in enumerate(paragraphs)]
            address = "https://simple.wikipedia.org/wiki/" + record["title"].replace(" ", "_")
            yield {"id": record["id"], "url": address, "title": record["title"], "text": "\n\n".join(marked)}


def made_up() -> Iterator[dict[str, str]]:
    """Yield articles of a few sections without end."""
    draw = random.Random(0)
    for number in range(10**9):
        title = f"{draw.choice(NOUNS).title()} {number}"
        parts = []
        for section in range(draw.randint(1, 4)):
            if section:
                parts.append(f"Part {section}")
            said = (
                f"The {draw.choice(NOUNS)} {draw.choice(VERBS)} the {draw.choice(NOUNS)} near {title} in {draw.randint(1, 2000)}."
                for _ in range(9)
            )
            parts.append(" ".join(said))
        yield {"id": str(number), "url": f"https://example.org/{number}", "title": title, "text": "\n\n".join(parts)}


def write_articles(folder: Path, passages: int) -> int:
    """Write as many articles as have `passages` passages, as Parquet; return how many passages they have."""
    import pyarrow
    from pyarrow import parquet

    from lfqa.corpus.records import passages_of_record

    folder.mkdir(parents=True)
    rows, count = [], 0
    for number, article in enumerate(articles(), start=1):
        rows.append(article)
        count += sum(1 for _ in passages_of_record(article, number, "bench", ""))
        if count >= passages:
            break
    for part in range(0, len(rows), 25_000):
        parquet.write_table(pyarrow.Table.from_pylist(rows[part : part + 25_000]), folder / f"train-{part:07}.parquet")
    return count


def add_command(data: Path, name: str) -> list[str]:
    return [sys.executable, "-m", "lfqa.cli", "index", "add", "--dataset", str(data), "--name", name]


def index(count: int = 100_000) -> None:
    """Index passages end to end with one command, and encode 2,000 of them with a plain loop for comparison."""
    with tempfile.TemporaryDirectory() as work:
        data, cache = Path(work) / "wiki", Path(work) / "cache"
        there = write_articles(data, count)
        began = time.perf_counter()
        subprocess.run(add_command(data, "bench"), check=True, env={**os.environ, "LFQA_CACHE": str(cache)}, cwd=ROOT)
        seconds = time.perf_counter() - began
        memory = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
        folder = cache / "indexes" / "bench"
        size = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file()) / 2**20
        kind = json.loads((folder / "manifest.json").read_text())["index_type"]
        from lfqa.corpus.store import PassageStore

        store = PassageStore.load(folder / "passages")
        sample = [store[row] for row in range(0, len(store), max(1, len(store) // 2000))][:2000]
        words = sum(len(passage.passage_text.split()) for passage in sample) / len(sample)
    print(
        f"index: {there:,} passages of {words:.0f} words in {seconds:.0f} s, {there / seconds:.0f} passages/s end to end; peak memory "
        f"{memory:.0f} MiB; {size:.0f} MiB on disk ({kind})",
        flush=True,
    )
    print(f"the same, a plain float32 loop by Transformers over {len(sample):,}: {plain_loop(sample):.0f} passages/s (encoding alone)")


def plain_loop(passages: list[Any]) -> float:
    """Return passages a second of the loop that a model card shows: as they come, in batches of 32, in float32."""
    import torch
    from transformers import AutoTokenizer

    from lfqa.retribert import RetriBertModel
    from lfqa.retrieval.dense import passage_input
    from lfqa.settings import Settings

    name = Settings().retriever_model
    tokenizer, model = AutoTokenizer.from_pretrained(name), RetriBertModel.from_pretrained(name, dtype=torch.float32).eval()
    texts = [passage_input(passage) for passage in passages]
    began = time.perf_counter()
    with torch.inference_mode():
        for first in range(0, len(texts), 32):
            batch = tokenizer(texts[first : first + 32], truncation=True, max_length=256, padding=True, return_tensors="pt")
            model.embed_answers(batch["input_ids"], batch["attention_mask"])
    return len(texts) / (time.perf_counter() - began)


def kills(count: int = 10_000, times: int = 20) -> None:
    """Kill the indexing of `count` passages at random moments and go on; compare with a run that nobody disturbs."""
    draw = random.Random(0)
    with tempfile.TemporaryDirectory() as work:
        data = Path(work) / "wiki"
        there = write_articles(data, count)
        began = time.perf_counter()
        subprocess.run(add_command(data, "whole"), check=True, env={**os.environ, "LFQA_CACHE": f"{work}/whole"}, cwd=ROOT)
        whole = time.perf_counter() - began
        killed = runs = 0
        began = time.perf_counter()
        while True:
            environment = {**os.environ, "LFQA_CACHE": f"{work}/killed"}
            process = subprocess.Popen(add_command(data, "whole"), env=environment, cwd=ROOT, stderr=subprocess.DEVNULL)
            runs += 1
            try:
                # as long as kills are left, moments are drawn from the whole of a run, start and end included
                process.wait(draw.uniform(0, whole) if killed < times else None)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
                killed += 1
                continue
            assert process.returncode == 0
            if killed >= times:
                break
            # it was done before it could be killed: begin anew
            subprocess.run(["rm", "-rf", f"{work}/killed"], check=True)
        seconds = time.perf_counter() - began
        same = same_index(Path(work) / "whole" / "indexes" / "whole", Path(work) / "killed" / "indexes" / "whole")
    byte, hit = ("the same" if agrees else "DIFFERENT" for agrees in same)
    print(
        f"kills: {killed} SIGKILLs in {runs} runs over {there:,} passages ({seconds:.0f} s, undisturbed {whole:.0f} s): passages, vectors "
        f"and dense half {byte} byte for byte, BM25 hits of 200 questions {hit}"
    )


def same_index(one: Path, other: Path) -> tuple[bool, bool]:
    """Say whether two indexes have the same bytes, and the same BM25 hits, whose files bear random names."""
    from lfqa.indexing.build import open_index

    parts = ("vectors.npy", "dense.faiss", "passages/data-00000-of-00001.arrow", "sources.json")
    bytes_agree = all((one / part).read_bytes() == (other / part).read_bytes() for part in parts)
    a, b = open_index(one), open_index(other)
    questions = [passage.passage_text.split(".")[0] for passage in list(a.passages)[::50]][:200]
    return bytes_agree, all(a.sparse.search(question, 20) == b.sparse.search(question, 20) for question in questions)


# a million


def clustered(count: int, dimension: int = 128, clusters: int = 5000) -> np.ndarray:
    """Return vectors around centres, of half precision."""
    draw = np.random.default_rng(0)
    centres = draw.standard_normal((clusters, dimension), dtype=np.float32)
    vectors = np.empty((count, dimension), dtype=np.float16)
    for first in range(0, count, 100_000):
        after = min(count, first + 100_000)
        noise = draw.standard_normal((after - first, dimension), dtype=np.float32)
        vectors[first:after] = centres[draw.integers(clusters, size=after - first)] + 0.5 * noise
    return vectors


def uniform(count: int, dimension: int = 128) -> np.ndarray:
    """Return vectors of length 1 without any structure, the worst case for lists."""
    draw = np.random.default_rng(1)
    vectors = np.empty((count, dimension), dtype=np.float16)
    for first in range(0, count, 100_000):
        some = draw.standard_normal((min(count, first + 100_000) - first, dimension), dtype=np.float32)
        vectors[first : first + len(some)] = some / np.linalg.norm(some, axis=1, keepdims=True)
    return vectors


def dense(kind: str = "clustered", count: int = 1_000_000, wanted: str = "auto") -> None:
    """Time the dense half over `count` synthetic vectors, and what it finds of the exact first 10, by the lists looked through."""
    from lfqa.indexing.dense import build_dense, exact_scores
    from lfqa.retrieval.dense import DenseIndex

    with tempfile.TemporaryDirectory() as work:
        file = Path(work) / "vectors.npy"
        np.save(file, (clustered if kind == "clustered" else uniform)(count))
        draw = np.random.default_rng(2)
        vectors = np.load(file, mmap_mode="r")
        rows = np.sort(draw.choice(count, 400, replace=False))
        spread = 0.5 if kind == "clustered" else 0.05
        queries = (vectors[rows].astype(np.float32) + spread * draw.standard_normal((400, vectors.shape[1]))).astype(np.float32)
        pid = os.fork()
        if not pid:  # built in a process of its own, for its peak of memory
            began = time.perf_counter()
            index, tuning = build_dense(vectors, queries[:200], wanted)  # type: ignore[arg-type]
            index.save(Path(work) / "dense.faiss")
            memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
            size = (Path(work) / "dense.faiss").stat().st_size / 2**20
            print(
                f"dense, {count:,} {kind} vectors: {tuning.index_type}, nprobe {tuning.nprobe}, recall@10 {tuning.recall}; built in "
                f"{time.perf_counter() - began:.0f} s, peak memory {memory:.0f} MiB, {size:.0f} MiB on disk",
                flush=True,
            )
            os._exit(0)
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
        loaded = DenseIndex.load(Path(work) / "dense.faiss")
        asked = queries[200:]
        least = exact_scores(vectors, asked, 10)[:, -1]
        chosen = getattr(loaded._index, "nprobe", 1)
        for nprobe in sorted({1, 2, 4, 8, 16, 32, 64, 128, chosen}) if hasattr(loaded._index, "nprobe") else [chosen]:
            loaded._index.nprobe = nprobe
            seconds, hits = [], 0
            for query, bound in zip(asked, least, strict=True):
                began = time.perf_counter()
                found = loaded.search(query, 10)
                seconds.append(time.perf_counter() - began)
                near = vectors[[row for row, _ in found]].astype(np.float32) @ query
                hits += int((near >= bound - 1e-5 * abs(bound)).sum())
            mark = " <- chosen" if nprobe == chosen else ""
            print(
                f"  nprobe {nprobe:4}: {1000 * float(np.median(seconds)):.3f} ms a query, recall@10 {hits / 10 / len(asked):.3f}{mark}",
                flush=True,
            )
        began = time.perf_counter()
        flat = vectors[:].astype(np.float32)
        import faiss

        exact = faiss.IndexFlatIP(flat.shape[1])
        exact.add(flat)
        began = time.perf_counter()
        for query in asked[:20]:
            exact.search(query[None], 10)
        print(f"  Flat: {1000 * (time.perf_counter() - began) / 20:.1f} ms a query, recall@10 1, {flat.nbytes / 2**20:.0f} MiB")


def passages_of_words(count: int) -> Iterator[Any]:
    """Yield passages of 100 words that are drawn as words are in language: few often, most seldom."""
    from lfqa.types import Passage

    draw = np.random.default_rng(0)
    vocabulary = np.array([f"{a}{b}{n}" for n in range(40) for a in NOUNS for b in VERBS])
    for first in range(0, count, 1000):
        words = vocabulary[np.minimum(draw.zipf(1.15, (1000, 100)), len(vocabulary)) - 1]
        for number, row in enumerate(words):
            yield Passage(str(first + number), f"{row[0]} {row[1]}", "", " ".join(row))


def sparse(count: int = 1_000_000) -> None:
    """Time BM25 over `count` made-up passages of 100 words, by Tantivy as it is used here."""
    from lfqa.retrieval.sparse import SparseIndex

    draw = random.Random(3)
    with tempfile.TemporaryDirectory() as work:
        began = time.perf_counter()
        index = SparseIndex.build(passages_of_words(count), Path(work) / "sparse")
        seconds = time.perf_counter() - began
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        size = sum(file.stat().st_size for file in (Path(work) / "sparse").iterdir()) / 2**20
        times = []
        for passage in passages_of_words(300):
            question = " ".join(draw.sample(passage.passage_text.split(), 6))
            began = time.perf_counter()
            index.search(question, 10)
            times.append(time.perf_counter() - began)
        print(
            f"BM25, {count:,} passages of 100 words: {1000 * float(np.median(times)):.2f} ms a question of 6 words; built in "
            f"{seconds:.0f} s, peak memory {memory:.0f} MiB, {size:.0f} MiB on disk"
        )


PARTS = {
    "index": index,
    "kills": kills,
    "dense-clustered": lambda *given: dense("clustered", *given),
    "dense-uniform": lambda *given: dense("uniform", *given),
    "sparse": sparse,
}

if __name__ == "__main__":
    PARTS[sys.argv[1]](*(int(value) if value.isdigit() else value for value in sys.argv[2:]))
