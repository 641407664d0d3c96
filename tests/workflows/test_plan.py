import polars as pl

from deepwell.data import Table, infer_schema
from deepwell.workflows.plan import resolve

TABLE = Table({"x": pl.Series([0.5 * i for i in range(50)]), "y": pl.Series(range(50))})
SCHEMA = infer_schema(TABLE, targets=["y"])


def test_the_users_choice_lies_over_the_models_over_the_defaults() -> None:
    plain = resolve({}, SCHEMA, 2_000)
    assert plain.model.name == "mlp"
    assert resolve({"engine": {"epochs": 3}}, SCHEMA, 2_000).engine.epochs == 3
    perceptron = resolve({"model": {"name": "perceptron"}}, SCHEMA, 2_000)
    assert perceptron.engine.optimizer == "sgd"
    assert perceptron.engine.batch_size == 1


def test_an_optimizer_of_the_users_keeps_its_own_rate() -> None:
    chosen = resolve({"engine": {"optimizer": "sgd"}}, SCHEMA, 2_000).engine
    assert chosen.learning_rate is None
    assert chosen.weight_decay is None
    both = resolve({"engine": {"optimizer": "sgd", "learning_rate": 0.5}}, SCHEMA, 2_000).engine
    assert both.learning_rate == 0.5


def test_larger_tables_get_larger_batches() -> None:
    sizes = [resolve({}, SCHEMA, rows).engine.batch_size for rows in (500, 5_000, 50_000)]
    assert sizes == sorted(set(sizes))


def test_all_settings_of_the_model_are_remembered() -> None:
    options = resolve({"model": {"name": "mlp", "dropout": 0.3}}, SCHEMA, 2_000).model.options
    assert options["dropout"] == 0.3
    assert options["hidden_sizes"] == [256, 256, 256]
    assert "mean" not in options
    lecture = resolve({"model": {"name": "mlp", "preset": "lecture"}}, SCHEMA, 2_000).model.options
    assert lecture["hidden_sizes"] == [128]
    assert lecture["mean"] == [0.0]
    again = resolve({"model": {"name": "mlp", **lecture}}, SCHEMA, 2_000).model.options
    assert again == lecture


def test_recommendations_may_depend_on_the_question() -> None:
    chosen = {"model": {"name": "realmlp"}}
    numbers = resolve(chosen, SCHEMA, 2_000, question="regression")
    classes = resolve(chosen, SCHEMA, 2_000, question="binary")
    assert numbers.engine.betas == classes.engine.betas == (0.9, 0.95)
    assert numbers.encode.categories == "codes"
    assert (numbers.model.options["activation"], numbers.task.label_smoothing) == ("mish", 0.0)
    assert (classes.model.options["activation"], classes.task.label_smoothing) == ("selu", 0.1)
    assert numbers.engine.learning_rate != classes.engine.learning_rate
    own = {"model": {"name": "realmlp", "activation": "relu"}, "engine": {"learning_rate": 0.5}}
    asked = resolve(own, SCHEMA, 2_000, question="binary")
    assert (asked.model.options["activation"], asked.engine.learning_rate) == ("relu", 0.5)


def test_the_link_is_left_to_the_question() -> None:
    assert "link" not in resolve({"model": {"name": "tabm"}}, SCHEMA, 2_000).model.options
    asked = resolve({"model": {"name": "tabm", "link": "exp"}}, SCHEMA, 2_000)
    assert asked.model.options["link"] == "exp"
