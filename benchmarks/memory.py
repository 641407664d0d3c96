"""How much memory a training needs whose table is larger than memory, and how fast it is."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl

from benchmarks.harness import Goal, Outcome, Row, Sample, Unavailable

LARGE, SMALL = 20_000_000, 1_000_000
NUMBERS, CATEGORIES, VALUES = 16, 4, 12
BATCH_SIZE = 8192
LIMIT_GIB = 2.0
_ROWS_AT_ONCE = 500_000
_GIB = 1 << 30


def measure(repeats: int, *, say: Callable[[str], None]) -> Outcome:
    """Train one epoch by the command line, in processes of its own."""
    with tempfile.TemporaryDirectory(prefix="deepwell-memory-") as name:
        folder = Path(name)
        for rows in (LARGE, SMALL):
            say(f"Writing {rows:,} rows")
            write_table(folder / f"{rows}.parquet", rows)
        rows = [
            _row(folder, LARGE, "mapped", repeats, say),
            _row(folder, SMALL, "mapped", repeats, say),
            _row(folder, SMALL, "resident", repeats, say),
        ]
    outcome = Outcome(
        name="memory",
        title=f"seconds of `deepwell train` of one epoch, {NUMBERS + CATEGORIES} columns",
        rows=rows,
        references={str(LARGE): f"mapped_{LARGE}", str(SMALL): f"resident_{SMALL}"},
    )
    peak = max(outcome.row(f"mapped_{LARGE}").scores["peak_gib"])
    outcome.goals = [Goal(f"Peak of memory, {LARGE:,} rows", peak, LIMIT_GIB, unit=" GiB")]
    outcome.notes = [
        f"The tables have {NUMBERS} numbers and {CATEGORIES} categories of {VALUES} values, and a "
        f"target; written as Parquet. Batches of {BATCH_SIZE:,} rows; an MLP; simple models: the "
        "mean only.",
        "peak gib: the most resident memory of the process as the system counts it (ru_maxrss), "
        "libraries and pages of files included; anonymous gib: the part of it that is not pages of "
        "files, looked at every 20 ms.",
        "The seconds hold the start of Python, reading twice, encoding to the disk, training and "
        "scoring; rows per second are those of the training alone. Other programs may have slowed "
        "them down: a measurement of minutes is not made anew for that.",
    ]
    return outcome


def write_table(path: Path, rows: int) -> None:
    """Write a table piece by piece."""
    parts = path.with_suffix("")
    parts.mkdir()
    for start in range(0, rows, _ROWS_AT_ONCE):
        piece = _piece(start, min(_ROWS_AT_ONCE, rows - start))
        piece.write_parquet(parts / f"{start:012}.parquet")
    pl.scan_parquet(parts / "*.parquet").sink_parquet(path)
    for part in parts.iterdir():
        part.unlink()


def _piece(start: int, rows: int) -> pl.DataFrame:
    rng = np.random.default_rng(start)
    numbers = rng.normal(size=(rows, NUMBERS)).astype(np.float32)
    codes = rng.integers(0, VALUES, (rows, CATEGORIES))
    answer = numbers[:, 0] * 2 + numbers[:, 1] * numbers[:, 2] + (codes[:, 0] == 3)
    words = pl.Series([f"value {number}" for number in range(VALUES)])
    columns = [pl.Series(f"x{i}", numbers[:, i].astype(np.float64)) for i in range(NUMBERS)]
    columns += [words.gather(codes[:, i]).alias(f"c{i}") for i in range(CATEGORIES)]
    noisy = answer + rng.normal(0, 0.3, rows)
    return pl.DataFrame([*columns, pl.Series("y", noisy.astype(np.float64))])


def _row(folder: Path, rows: int, memory: str, repeats: int, say: Callable[[str], None]) -> Row:
    row = Row(f"{memory}_{rows}", f"{rows:,} rows, {memory}", str(rows))
    for repeat in range(repeats):
        name = f"{memory}-{rows}-{repeat}"
        sample = train_once(folder / f"{rows}.parquet", rows, memory, name)
        shutil.rmtree(folder / name, ignore_errors=True)
        row.add(sample)
        say(f"{row.title}: {sample.seconds:.1f} s, {sample.scores}")
    return row


def train_once(table: Path, rows: int, memory: str, name: str) -> Sample:
    """Train on a table and look at the memory of the process meanwhile."""
    command = [
        *(sys.executable, "-m", "deepwell", "train", str(table), "--target", "y", "--name", name),
        *("--runs", str(table.parent / "runs"), "--epochs", "1", "--model", "mlp"),
        *("--batch-size", str(min(BATCH_SIZE, rows // 10)), "--device", "cpu"),
        *("--set", f"data.memory={memory}", "--set", f"data.cache={table.parent / name}"),
        *("--set", 'evaluation.baselines=["constant"]', "--set", "evaluation.resamples=50"),
    ]
    started = time.perf_counter()
    with tempfile.TemporaryFile() as said:
        process = subprocess.Popen(command, stdout=said, stderr=subprocess.STDOUT)
        watch = _Watch(process.pid)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        seconds = time.perf_counter() - started
        anonymous = watch.stop()
        if process.returncode:
            said.seek(0)
            raise Unavailable(f"it failed: {said.read().decode().strip().splitlines()[-1:]}")
    result = json.loads((table.parent / "runs" / name / "result.json").read_text())
    scores = {
        "peak_gib": round(usage.ru_maxrss * 1024 / _GIB, 3),
        "anonymous_gib": round(anonymous / _GIB, 3),
        "rows_per_second": round(result["rows"]["train"] / result["seconds"]["training"]),
        "rmse": round(result["metrics"]["rmse"]["value"], 4),
    }
    return Sample(seconds, scores)


class _Watch:
    """Looks at the anonymous memory of a process, again and again, in a thread."""

    def __init__(self, process: int) -> None:
        self._file = Path(f"/proc/{process}/status")
        self._most = 0
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)
        self._thread.start()

    def _look(self) -> None:
        while not self._is_over.wait(0.02):
            try:
                lines = self._file.read_text().splitlines()
            except OSError:
                return
            for line in lines:
                if line.startswith("RssAnon:"):
                    self._most = max(self._most, int(line.split()[1]) << 10)

    def stop(self) -> int:
        """Return the most bytes that were seen."""
        self._is_over.set()
        self._thread.join()
        return self._most
