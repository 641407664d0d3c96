"""Parts: everything that can be chosen by name or number in training, with what it does."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from deepwell.catalog import Catalog
from deepwell.engine.optimizers import OPTIMIZERS
from deepwell.engine.schedules import SCHEDULES
from deepwell.tasks.loss_catalog import LOSSES


@dataclass(frozen=True, slots=True)
class NamedPart:
    """One line of the list of parts.

    Args:
        name: What is written in the settings.
        summary: What it does.
        source: Who wrote it down.
    """

    name: str
    summary: str
    source: str


REGULARISERS: Catalog[str] = Catalog("regulariser")
"""Setting to the group of settings that it belongs to."""

for _name, _summary, _source in (
    (
        "engine.regularisation.l1",
        "Adds l1 · Σ|w| to the loss.",
        "Tibshirani: Regression Shrinkage and Selection via the Lasso (1996)",
    ),
    (
        "engine.regularisation.l2",
        "Adds ½ · l2 · Σw² to the loss; with l1: elastic net.",
        "Hoerl, Kennard: Ridge Regression (1970); Zou, Hastie: elastic net (2005)",
    ),
    (
        "engine.weight_decay",
        "Shrinks the weights, apart from the gradient in adamw, nadam, radam, lion, muon.",
        "Loshchilov, Hutter: Decoupled Weight Decay Regularization (2019)",
    ),
    (
        "engine.regularisation.max_norm",
        "Limits the length of the weights into each unit.",
        "Srivastava et al.: Dropout (2014), section 5.1",
    ),
    (
        "engine.regularisation.noise",
        "Adds noise to numbers.",
        "Bishop: Training with Noise is Equivalent to Tikhonov Regularization (1995)",
    ),
    ("engine.regularisation.picture_noise", "Adds noise to pictures.", "as above"),
    (
        "engine.regularisation.mixup",
        "Mixes each row and its target with another one.",
        "Zhang et al.: mixup, Beyond Empirical Risk Minimization (2018)",
    ),
    (
        "engine.regularisation.cutmix",
        "Puts a part of another picture into each one, and mixes the targets by area.",
        "Yun et al.: CutMix (2019)",
    ),
    (
        "engine.sharpness",
        "Sharpness-aware steps: low loss in a whole neighbourhood.",
        "Foret et al.: Sharpness-Aware Minimization (2021)",
    ),
    (
        "engine.clip_norm",
        "Limits the length of the gradient.",
        "Pascanu et al.: On the difficulty of training recurrent networks (2013)",
    ),
    (
        "engine.clip_value",
        "Limits each value in the gradient.",
        "Mikolov: Statistical Language Models Based on Neural Networks (2012)",
    ),
    (
        "engine.averaging.ema_decay",
        "Running mean of the weights, validated and kept.",
        "Polyak, Juditsky: Acceleration of Stochastic Approximation by Averaging (1992)",
    ),
    (
        "engine.averaging.last_epochs",
        "Mean of the weights of the last epochs, validated and kept.",
        "Izmailov et al.: Averaging Weights Leads to Wider Optima (2018)",
    ),
    (
        "engine.layer_decay",
        "Lower layers learn more slowly, for fine-tuning.",
        "Clark et al.: ELECTRA (2020), appendix B",
    ),
    (
        "engine.patience",
        "Stops early when validation no longer improves.",
        "Prechelt: Early Stopping, But When? (1998)",
    ),
    (
        "task.label_smoothing",
        "Spreads a share of the target over all classes.",
        "Szegedy et al.: Rethinking the Inception Architecture (2016)",
    ),
    (
        "model.dropout",
        "Sets a share of the units to zero (mlp, cnn, networks for tables).",
        "Srivastava et al.: Dropout (2014)",
    ),
    (
        "model.drop_path",
        "Leaves out the residual of some rows (resnet).",
        "Huang et al.: Deep Networks with Stochastic Depth (2016)",
    ),
):
    REGULARISERS.add(_name, _name.rpartition(".")[0], summary=_summary, source=_source)


def parts() -> Iterator[tuple[str, str, list[NamedPart]]]:
    """Yield the groups: title, the setting that takes the name, and the parts in it.

    Example:
        >>> [title for title, _, _ in parts()]
        ['Optimizers', 'Schedules', 'Losses', 'Activations', 'Initialisers', 'Regularisation']
    """
    from deepwell.nn.activation import ACTIVATIONS
    from deepwell.nn.initialise import INITIALISERS

    optimizers = [NamedPart(n, entry.summary, entry.source) for n, entry in OPTIMIZERS.items()]
    losses = [NamedPart(n, entry.summary, entry.source) for n, entry in LOSSES.items()]
    yield "Optimizers", "engine.optimizer", optimizers
    yield "Schedules", "engine.schedule", _described(SCHEDULES)
    yield "Losses", "task.loss", losses
    yield "Activations", "model.activation", _described(ACTIVATIONS)
    yield "Initialisers", "model.initialiser", _described(INITIALISERS)
    yield "Regularisation", "", _described(REGULARISERS)


def _described(catalog: Catalog[Any]) -> list[NamedPart]:
    described = ((name, catalog.describe(name)) for name in catalog)
    return [NamedPart(name, part.summary, part.source) for name, part in described]
