import polars as pl
import pytest

from deepwell.data import DataSettings, Table, infer_schema
from deepwell.errors import ConfigError, TaskError
from deepwell.tasks import Formulation, TaskSettings, formulate

ROWS = 60
COLUMNS = {
    "x": pl.Series([0.5 * i for i in range(ROWS)]),
    "price": pl.Series([100.0 + 1.5 * i for i in range(ROWS)]),
    "area": pl.Series([50.0 - 0.5 * i for i in range(ROWS)]),
    "stars": pl.Series([i % 5 for i in range(ROWS)]),
    "town": pl.Series([["Ulm", "Bonn", "Köln"][i % 3] for i in range(ROWS)]),
    "sold": pl.Series([i % 2 == 0 for i in range(ROWS)]),
    "new": pl.Series([["no", "yes"][i % 4 == 0] for i in range(ROWS)]),
    "when": pl.date_range(pl.date(2024, 1, 1), pl.date(2024, 2, 29), eager=True),
}


def ask(*targets: str, kind: str = "auto") -> Formulation:
    table = Table(COLUMNS)
    schema = infer_schema(table, targets=targets, settings=DataSettings())
    return formulate(schema, table, TaskSettings.model_validate({"kind": kind}))


@pytest.mark.parametrize(
    ("targets", "name"),
    [
        (("price",), "regression"),
        (("price", "area"), "regression"),
        (("stars",), "multiclass"),
        (("town",), "multiclass"),
        (("sold",), "binary"),
        (("new",), "binary"),
        (("sold", "new"), "multilabel"),
    ],
)
def test_the_kind_of_the_target_decides(targets: tuple[str, ...], name: str) -> None:
    formulation = ask(*targets)
    assert formulation.name == name
    assert formulation.targets == targets
    assert formulation.reason.endswith(".")


def test_the_user_overrides() -> None:
    assert ask("stars", kind="regression").name == "regression"
    assert "as asked" in ask("stars", kind="regression").reason
    assert ask("stars", kind="classification").name == "multiclass"


def test_whole_numbers_as_classes_say_how_to_override() -> None:
    assert "--task regression" in ask("stars").reason


@pytest.mark.parametrize(
    ("targets", "kind", "message"),
    [
        (("town",), "regression", 'needs a number, but "town" is of kind category'),
        (("when",), "auto", "of kind date"),
        (("price", "town"), "auto", "all numbers, or all columns of two values"),
        (("sold",), "multilabel", "need several targets"),
        ((), "auto", "Name the column to predict"),
    ],
)
def test_questions_that_do_not_fit(targets: tuple[str, ...], kind: str, message: str) -> None:
    with pytest.raises(TaskError, match=message):
        ask(*targets, kind=kind)


def test_an_unknown_task_names_the_known_ones() -> None:
    with pytest.raises(ConfigError, match="regression"):
        ask("price", kind="ranking")


def test_strata_are_there_for_classes_only() -> None:
    table = Table(COLUMNS)
    strata = ask("town").strata(table)
    assert strata is not None
    assert len(set(strata.tolist())) == 3
    assert ask("price").strata(table) is None
    assert ask("sold", "new").strata(table) is None
