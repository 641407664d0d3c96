from pathlib import Path

import polars as pl
import pytest

from benchmarks import memory


def test_the_table_is_written_piece_by_piece(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(memory, "_ROWS_AT_ONCE", 400)
    memory.write_table(tmp_path / "rows.parquet", 1000)
    frame = pl.read_parquet(tmp_path / "rows.parquet")
    assert frame.shape == (1000, memory.NUMBERS + memory.CATEGORIES + 1)
    assert frame["c0"].n_unique() == memory.VALUES
    assert frame["x0"].n_unique() == 1000  # no piece repeats another
    assert frame.select(pl.corr("x0", "y")).item() > 0.7


@pytest.mark.slow  # starts Python and torch anew
def test_memory_and_pace_of_a_training(tmp_path: Path):
    memory.write_table(tmp_path / "rows.parquet", 3000)
    sample = memory.train_once(tmp_path / "rows.parquet", 3000, "mapped", "run")
    assert 0.1 < sample.scores["anonymous_gib"] < sample.scores["peak_gib"] < 4
    assert sample.scores["rows_per_second"] > 0
    (tmp_path / "broken.parquet").write_bytes(b"no Parquet")
    with pytest.raises(memory.Unavailable, match="Parquet"):
        memory.train_once(tmp_path / "broken.parquet", 3000, "mapped", "other")
