from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pytest
import torch
from PIL import Image

from deepwell.artifact import Predictor
from deepwell.data.table import Table
from deepwell.errors import ColumnError, ConfigError, DataError, ModelError

Assemble = Callable[..., Predictor]


def test_outputs_do_not_depend_on_batch_size_or_other_rows(
    predictor: Predictor, houses: Table
) -> None:
    whole = predictor.outputs(houses)
    assert whole.shape == (len(houses), 1)
    assert whole.dtype == np.float32
    for size in (1, 7, 1000):
        answers = predictor.outputs(houses, batch_size=size)
        # the rounding of float32 is relative to the terms of a sum, not to a sum near zero
        np.testing.assert_allclose(answers, whole, rtol=1e-5, atol=1e-7)
    alone = predictor.outputs(houses.take([17]))
    np.testing.assert_allclose(alone, whole[[17]], rtol=1e-5)


def test_training_mode_of_each_module_comes_back(predictor: Predictor, houses: Table) -> None:
    predictor.model.train()
    frozen = next(m for m in predictor.model.modules() if isinstance(m, torch.nn.Dropout))
    frozen.eval()
    first = predictor.outputs(houses)
    assert predictor.model.training
    assert not frozen.training
    np.testing.assert_array_equal(predictor.outputs(houses), first)  # no dropout meanwhile


def test_training_mode_comes_back_after_an_error(predictor: Predictor, houses: Table) -> None:
    predictor.model.train()
    with pytest.raises(ColumnError):
        predictor.outputs(houses.without(["rooms"]))
    assert predictor.model.training


def test_frame_keeps_its_columns_and_gains_the_answer(predictor: Predictor, houses: Table) -> None:
    frame = houses.frame().with_columns(extra=pl.lit([1, 2]))  # a list: no kind of ours
    answers = predictor.predict(frame)
    assert answers.columns == [*frame.columns, "prediction"]
    assert answers.drop("prediction").equals(frame)
    expected = predictor.predict_table(houses).values[:, 0]
    np.testing.assert_allclose(answers["prediction"].to_numpy(), expected)


def test_pandas_comes_back_as_pandas_with_its_index(predictor: Predictor, houses: Table) -> None:
    frame = houses.frame().drop("built").to_pandas()
    frame["built"] = houses.series("built").to_list()
    frame.index = pd.Index([f"row {i}" for i in range(len(frame))])
    before = frame.copy()
    answers = predictor.predict(frame)
    assert isinstance(answers, pd.DataFrame)
    assert answers.index.equals(frame.index)
    pd.testing.assert_frame_equal(frame, before)
    expected = predictor.predict(houses.frame())["prediction"].to_numpy()
    np.testing.assert_allclose(answers["prediction"].to_numpy(), expected, rtol=1e-5)


def test_all_shapes_of_the_same_rows_give_the_same_answers(
    predictor: Predictor, houses: Table, tmp_path: Path
) -> None:
    frame = houses.frame().head(4)
    frame.write_csv(tmp_path / "new.csv")
    frame.write_parquet(tmp_path / "new.parquet")
    expected = predictor.predict(frame)["prediction"].to_list()
    for data in (
        tmp_path / "new.csv",
        str(tmp_path / "new.parquet"),
        frame.lazy(),
        frame.to_dicts(),
        frame.to_dict(as_series=False),
        Table.from_frame(frame),
    ):
        assert predictor.predict(data)["prediction"].to_list() == pytest.approx(expected)
    one = predictor.predict(frame.row(2, named=True))
    assert one["prediction"].to_list() == pytest.approx(expected[2:3])


def test_missing_columns_are_all_named(predictor: Predictor, houses: Table) -> None:
    frame = houses.frame().drop("rooms", "town").rename({"size": "sise"})
    with pytest.raises(ColumnError, match=r'"size", "rooms", "town"'):
        predictor.predict(frame)


def test_target_and_unused_columns_may_hold_anything(predictor: Predictor, houses: Table) -> None:
    frame = houses.frame().with_columns(
        price=pl.lit(float("inf")), sold=pl.Series(["1"] * 59 + ["?!"])
    )
    assert predictor.predict(frame)["prediction"].is_finite().all()
    assert predictor.predict(frame.drop("price", "rent", "sold", "style")).height == len(houses)


def test_unknown_category_and_gaps_are_answered(predictor: Predictor, houses: Table) -> None:
    row = houses.frame().row(0, named=True)
    answers = predictor.predict([{**row, "town": "Paris"}, {**row, "town": None, "size": None}])
    assert answers["prediction"].is_finite().all()


def test_value_that_does_not_fit_names_its_row_in_the_whole_table(
    predictor: Predictor, houses: Table
) -> None:
    values = [str(value) for value in range(len(houses))]
    values[51] = "many"
    frame = houses.frame().with_columns(rooms=pl.Series(values))
    with pytest.raises(ColumnError, match=r'rooms.*row 52.*"many"'):
        predictor.predict(frame, batch_size=10)


def test_column_with_the_name_of_an_answer_is_refused(predictor: Predictor, houses: Table) -> None:
    once = predictor.predict(houses.frame())
    with pytest.raises(ColumnError, match="already have a column prediction"):
        predictor.predict(once)


def test_model_trained_on_such_a_column_answers_beside_it(
    assembled: Assemble, houses: Table
) -> None:
    table = Table({"prediction": houses.series("size"), "price": houses.series("price")})
    answers = assembled(table, "price").predict(table.frame())
    assert answers.columns == ["prediction", "price", "prediction_2"]


def test_several_targets_have_a_column_each(assembled: Assemble, houses: Table) -> None:
    predictor = assembled(houses, "price", "rent", ignore=("sold", "style"))
    answers = predictor.predict(houses)
    assert answers.columns[-2:] == ["prediction_price", "prediction_rent"]


def test_classes_have_probabilities(assembled: Assemble, houses: Table) -> None:
    predictor = assembled(houses, "style", ignore=("price", "rent", "sold"))
    answers = predictor.predict(houses)
    names = ["probability_flat", "probability_house", "probability_hut"]
    assert answers.columns[-4:] == ["prediction", *names]
    assert answers.select(pl.sum_horizontal(names)).to_series().to_list() == pytest.approx([1] * 60)
    best = answers.select(names).to_numpy().argmax(axis=1)
    assert answers["prediction"].to_list() == [["flat", "house", "hut"][i] for i in best]


def test_no_rows_give_no_answers(predictor: Predictor, houses: Table) -> None:
    empty = houses.take([])
    assert predictor.outputs(empty).shape == (0, 1)
    assert predictor.predict(empty)["prediction"].len() == 0
    with pytest.raises(DataError, match="no rows"):
        predictor.predict(empty.frame())


@pytest.fixture
def picture_folder(tmp_path: Path) -> Path:
    """Pictures of other sizes and modes than those of the training."""
    rng = np.random.default_rng(1)
    folder = tmp_path / "new"
    folder.mkdir()
    for name, shape in (("a.png", (30, 30, 3)), ("b.jpg", (12, 40, 3)), ("c.png", (9, 9))):
        Image.fromarray(rng.integers(0, 256, shape, dtype=np.uint8)).save(folder / name)
    return folder


def test_pictures_are_brought_to_the_size_of_the_training(
    assembled: Assemble, pictures: Table, picture_folder: Path
) -> None:
    predictor = assembled(pictures, "label")
    answers = predictor.predict(picture_folder)
    assert answers["file"].to_list() == ["a.png", "b.jpg", "c.png"]
    assert answers.columns == ["file", "prediction", "probability_cat", "probability_dog"]
    single = predictor.predict(picture_folder / "b.jpg")
    assert single["probability_cat"][0] == pytest.approx(answers["probability_cat"][1])


def test_column_of_picture_paths_keeps_its_name(
    assembled: Assemble, pictures: Table, picture_folder: Path
) -> None:
    table = Table({"photo": pictures["image"], "label": pictures["label"]})
    predictor = assembled(table, "label")
    names = ["c.png", "a.png"]
    path = picture_folder / "list.csv"
    pl.DataFrame({"id": [7, 8], "photo": names, "who": ["x", "y"]}).write_csv(path)
    answers = predictor.predict(path)
    assert answers.columns[:4] == ["id", "photo", "who", "prediction"]
    assert answers["photo"].to_list() == names
    path.unlink()
    # a folder has no column name of its own: its pictures are taken for the only picture column
    of_folder = predictor.predict(picture_folder)["probability_cat"].to_list()
    assert answers["probability_cat"].to_list() == pytest.approx([of_folder[2], of_folder[0]])


def test_arrays_of_pictures(assembled: Assemble, pictures: Table) -> None:
    answers = assembled(pictures, "label").predict({"image": np.asarray(pictures["image"])})
    assert answers.height == 12
    assert answers.columns[0] == "prediction"


def test_wrong_shape_of_the_network_is_explained(predictor: Predictor, houses: Table) -> None:
    predictor.model = torch.nn.Flatten(0)
    predictor.encoders = type(predictor.encoders)(predictor.encoders.columns[:1])
    with pytest.raises(ModelError, match=r"shape \(60, 1\)"):
        predictor.outputs(houses)


def test_wrong_numbers_are_explained(predictor: Predictor, houses: Table) -> None:
    with pytest.raises(ConfigError, match="batch_size must be at least 1"):
        predictor.outputs(houses, batch_size=0)
    with pytest.raises(ConfigError, match='device "gpu" cannot be used'):
        predictor.to("gpu")
    assert predictor.device == "cpu"


class Compiled(torch.nn.Module):
    """What torch.compile returns, as far as we use it; the real one takes seconds to import."""

    def __init__(self, module: torch.nn.Module) -> None:
        super().__init__()
        self._orig_mod = module


def test_compiled_network_is_taken_as_it_is_inside(predictor: Predictor, houses: Table) -> None:
    again = Predictor(
        Compiled(predictor.model),
        task=predictor.task,
        encoders=predictor.encoders,
        schema=predictor.schema,
        architecture=predictor.architecture,
    )
    assert again.model is predictor.model
    np.testing.assert_array_equal(again.outputs(houses), predictor.outputs(houses))
