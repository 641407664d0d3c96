"""Small data sets for whole trainings, and the settings that make these fast."""

from __future__ import annotations

import gzip
import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from PIL import Image

EXAMPLES = Path(__file__).parents[2] / "examples"

FAST: dict[str, Any] = {
    "engine": {"epochs": 2, "batch_size": 32},
    "evaluation": {"resamples": 50, "baselines": ["constant"]},
}
"""Settings of a training that only has to work."""

FAST_OPTIONS = (
    "--epochs=2",
    "--batch-size=32",
    "--set=evaluation.resamples=50",
    '--set=evaluation.baselines=["constant"]',
)
"""The same on the command line."""

HOUSE_COLUMNS = (
    *("Lot_Area", "Neighborhood", "Year_Built", "Gr_Liv_Area", "Full_Bath", "Garage_Cars"),
    *("Central_Air", "Garage_Type", "Lot_Frontage", "Sale_Condition", "price"),
)


def houses(rows: int = 200) -> pl.DataFrame:
    """Return some columns of the first houses."""
    return pl.read_csv(EXAMPLES / "houses.csv", n_rows=rows, columns=HOUSE_COLUMNS)


def write_houses(folder: Path, rows: int = 200) -> Path:
    """Write some houses as a CSV file."""
    path = folder / "houses.csv"
    houses(rows).write_csv(path)
    return path


def visitors(rows: int = 240) -> pl.DataFrame:
    """Return a made-up table with every kind of column and several possible targets."""
    rng = np.random.default_rng(7)
    age, clicks = rng.normal(40, 12, rows).round(1), rng.poisson(5, rows)
    city = rng.choice(["Rome", "Oslo", "Lima"], rows)
    good = rng.random(rows) < 0.5
    words = np.where(good, "great service, will come again", "slow and rude, never again")
    score = 2 * age + 5 * clicks + 10 * (city == "Oslo") + rng.normal(0, 4, rows)
    return pl.DataFrame(
        {
            "age": age,
            "clicks": clicks,
            "city": city,
            "comment": [f"{word} {i % 37}" for i, word in enumerate(words)],
            "day": pl.date_range(pl.date(2024, 1, 1), pl.date(2024, 12, 31), "1d", eager=True)[
                :rows
            ],
            "household": [f"h{i // 4}" for i in range(rows)],
            "importance": rng.uniform(0.5, 2.0, rows).round(2),
            "bought": np.where(good, "yes", "no"),
            "level": np.where(score < 90, "low", np.where(score < 120, "middle", "high")),
            "opened": rng.random(rows) < 0.4,
            "returned": age > 40,
            "score": score.round(2),
            "spent": (3 * age - clicks + rng.normal(0, 3, rows)).round(2),
        }
    )


def draw_pictures(folder: Path, each: int = 24, side: int = 12) -> Path:
    """Draw a folder of pictures: light and dark ones."""
    rng = np.random.default_rng(3)
    for label, level in (("dark", 60), ("light", 190)):
        (folder / label).mkdir(parents=True)
        for number in range(each):
            pixels = rng.integers(level - 50, level + 50, (side, side, 3)).astype(np.uint8)
            Image.fromarray(pixels).save(folder / label / f"{number:02d}.png")
    return folder


def picture_table(folder: Path) -> Path:
    """Draw pictures, and write a table with their paths, a number column and the label."""
    draw_pictures(folder)
    paths = sorted(folder.glob("*/*.png"))
    path = folder / "pictures.csv"
    pl.DataFrame(
        {
            "picture": [str(p.relative_to(folder)) for p in paths],
            "weight_kg": [i % 7 + 0.5 for i in range(len(paths))],
            "tone": [p.parent.name for p in paths],
        }
    ).write_csv(path)
    return path


def clothes(folder: Path, train: int = 320, test: int = 80) -> Path:
    """Cut a small IDX folder from the pictures of clothes."""
    folder.mkdir(parents=True)
    for part, count in (("train", train), ("t10k", test)):
        for what, head, size in (("images-idx3", 16, 784), ("labels-idx1", 8, 1)):
            name = f"{part}-{what}-ubyte.gz"
            content = gzip.decompress((EXAMPLES / "clothes" / name).read_bytes())
            cut = content[:4] + count.to_bytes(4, "big") + content[8 : head + count * size]
            (folder / name).write_bytes(gzip.compress(cut, 1))
    return folder


def settings(**changes: Mapping[str, Any]) -> dict[str, Any]:
    """Return `FAST` with changes in its groups."""
    groups = {**{name: {} for name in changes}, **FAST}
    return {name: {**group, **changes.get(name, {})} for name, group in groups.items()}


def read_json(path: Path) -> Any:
    """Read a JSON file, strictly: NaN and infinity are refused."""

    def refuse(word: str) -> None:
        raise AssertionError(f"{path} holds {word}")

    return json.loads(path.read_text(encoding="utf-8"), parse_constant=refuse)


def copy_tree(source: Path, target: Path) -> Path:
    """Copy a folder, so that a test may spoil it."""
    return Path(shutil.copytree(source, target))
