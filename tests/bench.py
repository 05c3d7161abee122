"""Speed and memory, printed with the machine and versions: ``make bench``. Each part runs in a process of its own."""

from __future__ import annotations

import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import time
from importlib.metadata import version
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
EXAMPLES = json.loads((ROOT / "assets" / "examples.json").read_text(encoding="utf-8"))


def machine() -> str:
    """Return processor, cores and versions on one line."""
    model = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.is_file():
        names = [line.split(":", 1)[1].strip() for line in info.read_text().splitlines() if line.startswith("model name")]
        model = names[0] if names else model
    packages = ", ".join(f"{name} {version(name)}" for name in ("torch", "transformers", "ctranslate2", "faiss-cpu", "tantivy"))
    return f"{model}, {os.cpu_count()} cores, Python {platform.python_version()}, {packages}"


def cold(runs: int = 7) -> None:
    """Time `lfqa ask` as a whole process, caches built by a run that is not counted."""
    command = [sys.executable, "-m", "lfqa.cli", "ask", "How do people make chocolate?", "--json"]
    subprocess.run(command, check=True, capture_output=True)
    seconds = []
    for _ in range(runs):
        began = time.perf_counter()
        subprocess.run(command, check=True, capture_output=True)
        seconds.append(time.perf_counter() - began)
    memory = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    print(
        f"cold `lfqa ask`: median {statistics.median(seconds):.2f} s ({min(seconds):.2f} to {max(seconds):.2f}, {runs} runs), "
        f"peak memory {memory:.0f} MiB"
    )


def warm(runtime: str, rounds: int = 3) -> None:
    """Time the example questions in one process: first sentence, whole answer, and each step."""
    from lfqa import Pipeline, Settings
    from lfqa.types import Finished, SentenceWritten

    pipeline = Pipeline(Settings(runtime=runtime))
    pipeline.warm_up()
    pipeline.ask(EXAMPLES[0])
    first, total, steps = [], [], {}
    for question in EXAMPLES * rounds:
        began = time.perf_counter()
        seen = None
        for event in pipeline.stream(question):
            if isinstance(event, SentenceWritten) and seen is None:
                seen = time.perf_counter() - began
            if isinstance(event, Finished):
                for step, seconds in event.answer.timings.items():
                    steps.setdefault(step, []).append(seconds)
        total.append(time.perf_counter() - began)
        first.append(seen or total[-1])
    shares = ", ".join(f"{step} {statistics.median(values):.3f}" for step, values in steps.items() if step != "total")
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(
        f"warm question, {runtime}: first sentence {statistics.median(first):.2f} s, whole answer {statistics.median(total):.2f} s "
        f"(longest {max(total):.2f}), medians of {len(total)}; steps: {shares}; peak memory {memory:.0f} MiB"
    )


def build() -> None:
    """Time the first start: embedding and indexing the bundled corpus."""
    import tempfile

    from lfqa import Pipeline, Settings

    with tempfile.TemporaryDirectory() as cache:
        pipeline = Pipeline(Settings(cache=Path(cache)))
        pipeline.encoder()
        began = time.perf_counter()
        count = len(pipeline.index().passages)
        seconds = time.perf_counter() - began
    print(f"index of the bundled corpus: {count} passages in {seconds:.1f} s, {count / seconds:.0f} passages/s")


PARTS = {
    "build": build,
    "cold": cold,
    "warm-ctranslate2": lambda: warm("ctranslate2"),
    "warm-transformers": lambda: warm("transformers", rounds=1),
}

if __name__ == "__main__":
    if len(sys.argv) > 1:
        PARTS[sys.argv[1]]()
    else:
        print(machine(), flush=True)
        for part in PARTS:
            subprocess.run([sys.executable, "-m", "tests.bench", part], check=True, cwd=ROOT)
        subprocess.run([sys.executable, "-m", "tests.bench_elasticsearch"], check=True, cwd=ROOT)
