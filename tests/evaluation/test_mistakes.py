from __future__ import annotations

import base64
import io

import numpy as np
import polars as pl
from PIL import Image

from deepwell.data.schema import ColumnSpec, Schema
from deepwell.data.table import Table
from deepwell.evaluation.mistakes import picture_uri, worst_mistakes
from deepwell.evaluation.relevance import by_relevance
from deepwell.evaluation.scored import Scored
from deepwell.tasks import Binary, Multilabel, Regression
from deepwell.types import Predictions


def schema(targets: tuple[str, ...], **kinds: str) -> Schema:
    columns = [
        ColumnSpec(name=n, kind=k, role="target" if n in targets else "input", reason="")
        for n, k in kinds.items()
    ]
    return Schema(tuple(columns), 0)


def test_largest_errors_first_with_ids_and_values() -> None:
    table = Table(
        {
            "town": pl.Series(["York", None, "x" * 200]),
            "rooms": pl.Series([3, 4, 1999]),
            "price": pl.Series([100.0, 0.0, 300.0]),
        },
        ids=np.array([7, 8, 9]),
    )
    task = Regression(targets=("price",))
    scored = Scored("regression", task.truth(table), Predictions(np.array([[101.0], [9.0], [250]])))
    kinds = schema(("price",), town="category", rooms="number", price="number")
    found = worst_mistakes(task, kinds, table, scored)
    assert [one.id for one in found] == [9, 8, 7]
    assert (found[0].actual, found[0].predicted) == ("300", "250")
    assert found[0].detail == "50 too low (17\u202f%)"
    assert found[1].detail == "9 too high"
    assert len(found[0].values["town"]) <= 80
    assert found[1].values["town"] == "–"
    assert found[0].values["rooms"] == "1999"
    assert worst_mistakes(task, kinds, table, scored, limit=1) == found[:1]


def test_a_right_answer_is_no_mistake_and_sure_ones_come_first() -> None:
    table = Table({"a": pl.Series([1, 2, 3]), "y": pl.Series(["no", "no", "yes"])})
    task = Binary(targets=("y",), classes=["no", "yes"])
    chances = np.array([[0.4, 0.6], [0.00001, 0.99999], [0.1, 0.9]])
    scored = Scored("binary", task.truth(table), Predictions(chances.argmax(axis=1), chances))
    found = worst_mistakes(task, schema(("y",), a="number", y="category"), table, scored)
    assert [(one.id, one.actual, one.predicted) for one in found] == [
        (1, "no", "yes"),
        (0, "no", "yes"),
    ]
    assert found[0].detail == "over 99.9\u202f% sure; gave the truth under 0.1\u202f%"
    assert found[1].detail == "60.0\u202f% sure; gave the truth 40.0\u202f%"


def test_several_targets_are_compared_by_their_spread() -> None:
    table = Table(
        {
            "a": pl.Series([1.0, 2, 3]),
            "small": pl.Series([0.0, 1, 2]),
            "large": pl.Series([0.0, 1e6, 2e6]),
        }
    )
    task = Regression(targets=("small", "large"))
    guess = np.array([[2.0, 0], [1, 1.1e6], [2, 2e6]])
    scored = Scored("regression", task.truth(table), Predictions(guess))
    kinds = schema(("small", "large"), a="number", small="number", large="number")
    found = worst_mistakes(task, kinds, table, scored)
    assert [one.id for one in found] == [0, 1]
    assert found[0].detail == "small: 2 too high"
    assert found[1].predicted == "small 1, large 1.1 million"


def test_labels_are_told_as_missed_and_added() -> None:
    table = Table({"x": pl.Series([1.0, 2.0])})
    task = Multilabel(targets=("a", "b", "c"))
    truth = np.array([[1, 1, 0], [0, 0, 0]])
    chances = np.array([[0.9, 0.2, 0.7], [0.1, 0.1, 0.1]])
    scored = Scored("multilabel", truth, Predictions((chances > 0.5).astype(np.int64), chances))
    found = worst_mistakes(task, schema((), x="number"), table, scored)
    assert len(found) == 1
    assert (found[0].actual, found[0].predicted) == ("a, b", "a, c")
    assert found[0].detail == "missed b; added c"


def test_pictures_are_small_png_data() -> None:
    generator = np.random.default_rng(0)
    for shape, mode, size in (((300, 150, 3), "RGB", (64, 128)), ((28, 28, 1), "L", (28, 28))):
        pixels = generator.integers(0, 256, shape, dtype=np.uint8)
        head, _, data = picture_uri(pixels).partition(",")
        assert head == "data:image/png;base64"
        picture = Image.open(io.BytesIO(base64.b64decode(data)))
        assert (picture.format, picture.mode, picture.size) == ("PNG", mode, size)
    np.testing.assert_array_equal(np.asarray(picture), pixels[:, :, 0])


def test_a_picture_column_gives_the_picture_of_the_row() -> None:
    images = np.zeros((2, 8, 8, 1), dtype=np.uint8)
    images[1] = 200
    table = Table({"image": images, "y": pl.Series(["a", "b"])})
    task = Binary(targets=("y",), classes=["a", "b"])
    chances = np.array([[0.9, 0.1], [0.8, 0.2]])
    scored = Scored("binary", task.truth(table), Predictions(chances.argmax(axis=1), chances))
    found = worst_mistakes(task, schema(("y",), image="image", y="category"), table, scored)
    assert [one.id for one in found] == [1]
    assert found[0].picture == picture_uri(images[1])
    assert found[0].values == {}


def test_telling_columns_come_first_and_ids_last() -> None:
    generator = np.random.default_rng(0)
    truth = generator.integers(0, 2, 200)
    noise = generator.random(200)
    table = Table(
        {
            "code": pl.Series([f"id{i}" for i in range(200)]),
            "noise": pl.Series(noise),
            "gap": pl.Series([None] * 200, dtype=pl.Float64),
            "flag": pl.Series(np.where(noise < 0.1, 1 - truth, truth) == 1),
            "size": pl.Series(truth + 2 * noise),
        }
    )
    scored = Scored("binary", truth, Predictions(truth))
    kinds = schema((), code="category", noise="number", gap="number", flag="boolean", size="number")
    order = by_relevance(kinds, table, scored)
    assert order[:2] == ["flag", "size"]
    assert set(order[2:]) == {"code", "noise", "gap"}
