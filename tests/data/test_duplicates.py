"""Rows that equal each other."""

import numpy as np
import polars as pl

from deepwell.data.duplicates import count_copies, join_groups, row_groups


def test_missing_values_equal_each_other_and_types_are_compared_exactly() -> None:
    groups = row_groups(
        {
            "a": pl.Series([1.0, None, float("nan"), 1.0, 1.0000000001]),
            "b": pl.Series(["x", None, None, "x", "x"]),
        }
    )
    assert groups.tolist() == [0, 1, 1, 0, 4]
    assert count_copies(groups) == 2


def test_pictures_are_compared_by_every_byte() -> None:
    pixels = np.zeros((4, 8, 8, 3), dtype=np.uint8)
    pixels[1, 7, 7, 2] = 1
    pixels[3, 7, 7, 2] = 1
    assert row_groups([pixels]).tolist() == [0, 1, 0, 1]
    assert row_groups([pixels, pl.Series([1, 1, 1, 2])]).tolist() == [0, 1, 0, 3]


def test_long_chains_are_joined() -> None:
    rows = 2001
    one = np.arange(rows) // 2 * 2  # 0-1, 2-3, …
    other = np.maximum(np.arange(rows) - 1, 0) // 2 * 2 + 1  # 1-2, 3-4, …
    other[0] = 0
    other = np.minimum(other, np.arange(rows))
    joined = join_groups(one, other)
    assert set(joined.tolist()) == {0}


def test_joining_agrees_with_a_search() -> None:
    rng = np.random.default_rng(0)
    for _ in range(20):
        keys = [rng.integers(0, 25, 40), rng.integers(0, 25, 40)]
        joined = join_groups(*(row_groups([pl.Series(key)]) for key in keys))
        for start in range(40):
            reached, edge = {start}, {start}
            while edge:
                edge = {
                    int(row)
                    for key in keys
                    for place in edge
                    for row in np.flatnonzero(key == key[place])
                } - reached
                reached |= edge
            assert set(np.flatnonzero(joined == joined[start]).tolist()) == reached
            assert joined[start] == min(reached)
