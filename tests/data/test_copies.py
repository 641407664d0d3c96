"""Copies: planted ones are found, look-alikes are not, and what is found stays on one side."""

import io

import numpy as np
import polars as pl
import pytest

from deepwell.data.copies.edges import connected
from deepwell.data.copies.find import LARGEST_GROUP, find_copies
from deepwell.data.copies.pictures import picture_copies
from deepwell.data.copies.texts import text_copies
from deepwell.data.infer import infer_schema
from deepwell.data.split import SplitSettings, split, without_leaks
from deepwell.data.table import Table

SIDE = 32


def pictures(count: int, seed: int = 0) -> np.ndarray:
    """Pictures of soft blobs, uint8 (count, 32, 32, 1)."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:SIDE, :SIDE]
    out = np.zeros((count, SIDE, SIDE))
    for _ in range(8):
        centre = rng.uniform(0, SIDE, (2, count, 1, 1))
        width = rng.uniform(2, 6, (count, 1, 1))
        distance = (x - centre[0]) ** 2 + (y - centre[1]) ** 2
        out += rng.uniform(40, 160, (count, 1, 1)) * np.exp(-distance / 2 / width**2)
    out += rng.normal(0, 3, out.shape)
    return np.clip(out, 0, 230).astype(np.uint8)[..., None]


def jpeg(picture: np.ndarray) -> np.ndarray:
    from PIL import Image

    packed = io.BytesIO()
    Image.fromarray(picture[..., 0]).save(packed, "JPEG", quality=50)
    return np.array(Image.open(packed))[..., None]


def cropped(picture: np.ndarray) -> np.ndarray:
    from PIL import Image

    inner = Image.fromarray(picture[1:-1, 1:-1, 0])
    return np.array(inner.resize((SIDE, SIDE), Image.Resampling.BICUBIC))[..., None]


def shifted(picture: np.ndarray) -> np.ndarray:
    out = np.zeros_like(picture)
    out[2:, :-1] = picture[:-2, 1:]
    return out


CHANGES = {
    "pictures, mirrored": lambda picture: picture[:, ::-1],
    "pictures, nearly the same pixels": jpeg,
    "pictures, shifted": shifted,
    "pictures, cropped": cropped,
}


@pytest.mark.parametrize("how", CHANGES)
def test_changed_pictures_are_found_and_others_are_not(how: str) -> None:
    one = pictures(200)
    copies = np.stack([CHANGES[how](picture) for picture in one[:40]])
    edges = picture_copies(np.concatenate([one, copies]))
    found = set(zip(edges.first.tolist(), edges.second.tolist(), strict=True))
    planted = {(row, 200 + row) for row in range(40)}
    assert len(found & planted) >= 39
    assert not found - planted
    assert edges.how.count(how) >= 38


@pytest.mark.parametrize("factor", [0.9, 1.1])
def test_brighter_and_darker_pictures_are_found(factor: float) -> None:
    one = pictures(100)
    edges = picture_copies(np.concatenate([one, (one[:30] * factor).astype(np.uint8)]))
    assert sorted(edges.first.tolist()) == list(range(30))
    assert (edges.second - edges.first == 100).all()


def test_many_copies_of_one_picture_are_one_group() -> None:
    one = pictures(60)
    rng = np.random.default_rng(0)
    noisy = one[:1] + rng.integers(0, 4, (15, SIDE, SIDE, 1)).astype(np.uint8)
    edges = picture_copies(np.concatenate([one, noisy]))
    groups = connected(75, edges.first, edges.second)
    assert set(np.flatnonzero(groups == 0).tolist()) == {0, *range(60, 75)}


def test_flat_small_and_differently_coloured_pictures_are_no_copies() -> None:
    rng = np.random.default_rng(0)
    flat = np.full((50, SIDE, SIDE, 1), 128, np.uint8) + rng.integers(0, 2, (50, SIDE, SIDE, 1))
    assert not len(picture_copies(flat.astype(np.uint8)))
    assert not len(picture_copies(pictures(20)[:, :8, :8]))
    grey = pictures(20).repeat(3, axis=3)
    red = (grey * [1.0, 0.4, 0.4]).astype(np.uint8)
    assert not len(picture_copies(np.concatenate([grey, red])))


def test_look_alikes_are_no_copies() -> None:
    """Where each picture hardly differs from the next, as drawn shapes do, likeness is no sign."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:SIDE, :SIDE]
    size = rng.uniform(6, 10, (300, 2, 1, 1))
    shape = np.maximum(np.abs(x - 16) / size[:, 0], np.abs(y - 16) / size[:, 1])
    shirts = (200 / (1 + np.exp(8 * (shape - 1)))).astype(np.uint8)[..., None]
    table = Table({"shirt": np.unique(shirts, axis=0)})
    copies = find_copies(infer_schema(table).inputs, [table["shirt"]])
    assert copies.near == 0
    assert copies.given_up > 200


WORDS = [f"word{index}" for index in range(400)]


def texts(count: int) -> list[list[str]]:
    rng = np.random.default_rng(0)
    return [rng.choice(WORDS, 60).tolist() for _ in range(count)]


def test_changed_texts_are_found_and_others_are_not() -> None:
    rng = np.random.default_rng(1)
    rows = texts(300)
    planted: dict[int, str] = {}
    for row in range(90):
        words = list(rows[row])
        if row < 30:
            for place in rng.choice(60, 4, replace=False):
                words[place] = "changed"
        elif row < 60:
            words[20:20] = ["three", "more", "words"]
        else:
            words = words[:48]
        planted[row] = "  ".join(words).upper() + "!"
    every = [" ".join(words) for words in rows] + list(planted.values())
    edges = text_copies(pl.Series(every))
    found = set(zip(edges.first.tolist(), edges.second.tolist(), strict=True))
    expected = {(row, 300 + row) for row in planted}
    assert len(found & expected) >= 87
    assert not found - expected


def test_short_texts_need_the_same_words() -> None:
    rows = ["I like it a lot", "i like it, a lot!", "I like it not a lot", "a lot I like it", None]
    edges = text_copies(pl.Series([*rows, "", "  "]))
    assert list(zip(edges.first, edges.second, strict=True)) == [(0, 1)]


def houses(rows: int = 400) -> dict[str, pl.Series]:
    rng = np.random.default_rng(0)
    numbers = {f"x{index}": pl.Series(rng.normal(index, 3, rows)) for index in range(4)}
    return {**numbers, "town": pl.Series(rng.choice(["Bonn", "Ulm", "Jena"], rows))}


def copies_of(columns: dict, search: str = "near"):
    table = Table(columns)
    schema = infer_schema(table)
    names = [column.name for column in schema.inputs]
    return find_copies(schema.inputs, [table[name] for name in names], search)  # type: ignore[arg-type]


def test_rounded_rows_are_found() -> None:
    columns = houses()
    for digits, number in ((2, 30), (1, 0), (5, 10)):
        frame = pl.DataFrame(columns)
        again = frame.head(number).with_columns(pl.selectors.numeric().round(digits))
        copies = copies_of({c.name: c for c in pl.concat([frame, again])})
        assert copies.near == number
        assert copies.exact == 0
        assert all(how == "rows, with numbers rounded" for how in copies.edges.how)
    single = (
        pl.DataFrame(columns)
        .head(20)
        .with_columns(pl.selectors.numeric().cast(pl.Float32).cast(pl.Float64))
    )
    copies = copies_of({c.name: c for c in pl.concat([pl.DataFrame(columns), single])})
    assert (copies.groups[400:] == np.arange(20)).all()


def test_rows_equal_but_for_a_moment_or_a_number_are_found() -> None:
    frame = pl.concat([pl.DataFrame(houses()), pl.DataFrame(houses()).head(25)])
    moments = pl.datetime_range(pl.datetime(2024, 1, 1), pl.datetime(2024, 3, 1), "1h", eager=True)
    for name, extra in (("seen", moments.head(425)), ("line", pl.Series(range(425)))):
        columns = {c.name: c for c in frame.with_columns(extra.alias(name))}
        table = Table(columns)
        schema = infer_schema(table)
        if name == "line":
            schema = schema.set_role(["line"], "input", "")
        found = find_copies(schema.inputs, [table[c.name] for c in schema.inputs])
        assert (found.exact, found.near) == (0, 25)
        assert set(found.edges.how) == {f'rows, equal but for "{name}"'}


def test_few_columns_are_not_enough_to_call_rows_copies() -> None:
    rng = np.random.default_rng(0)
    moments = pl.datetime_range(pl.datetime(2024, 1, 1), pl.datetime(2024, 3, 1), "1h", eager=True)
    columns = {"seen": moments.head(400), "degrees": pl.Series(rng.normal(20, 5, 400).round(1))}
    assert copies_of(columns).near == 0


def test_large_crowds_are_given_up_and_said_so() -> None:
    rng = np.random.default_rng(0)
    start = [f"fixed{index}" for index in range(50)]
    alike = [" ".join([*start, str(number)]) for number in range(LARGEST_GROUP + 10)]
    others = [" ".join(words) for words in texts(200)]
    table = Table({"report": pl.Series(alike + others), "y": pl.Series(rng.normal(size=230))})
    schema = infer_schema(table, targets=["y"])
    splits = split(table, schema, seed=0)
    assert splits.copies.near == 0
    assert splits.copies.given_up == LARGEST_GROUP + 10
    assert "30 rows are alike in large crowds" in " ".join(splits.notes)


@pytest.mark.parametrize("method", ["random", "stratified", "group"])
def test_changed_copies_stay_on_one_side(method: str) -> None:
    one = pictures(120)
    both = np.concatenate([one, one[:40, :, ::-1]])
    labels = np.arange(160) % 2
    columns = {
        "picture": both,
        "owner": pl.Series([f"o{row % 40}" for row in range(120)] + ["new"] * 40),
        "y": pl.Series([["cat", "dog"][label] for label in labels]),
    }
    from deepwell.data.settings import DataSettings

    options = {"group": "owner"} if method == "group" else {"ignore": ("owner",)}
    table = Table(columns)
    schema = infer_schema(table, targets=["y"], settings=DataSettings(**options))
    if method == "group":
        table = table.with_column("owner", pl.Series([f"o{row % 120}" for row in range(160)]))
    for seed in range(3):
        splits = split(table, schema, SplitSettings(method=method), seed=seed, stratify=labels)
        sides = np.empty(160, dtype=int)
        for index, rows in enumerate(splits.sides.values()):
            sides[rows] = index
        assert (sides[:40] == sides[120:]).all()
        assert splits.copies.near == 40
    only_equal = split(table, schema, SplitSettings(copies="exact"), seed=0, stratify=labels)
    assert only_equal.copies.near == 0


def test_changed_copies_of_given_test_rows_leave_training() -> None:
    one = pictures(60)
    test = Table({"picture": np.concatenate([one[:5, :, ::-1], one[10:12], pictures(5, 1)])})
    train = Table({"picture": one})
    schema = infer_schema(train)
    left, dropped, near, _ = without_leaks(train, test, schema)
    assert (dropped, near) == (7, 5)
    assert left.ids.tolist() == [row for row in range(60) if row not in (0, 1, 2, 3, 4, 10, 11)]
    assert without_leaks(train, test, schema, "exact")[1:] == (2, 0, 0)
    assert without_leaks(train, test, schema, "none")[1:] == (0, 0, 0)
