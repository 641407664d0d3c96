"""Perceptrons for tables in the list of architectures. Imports no torch."""

from __future__ import annotations

from typing import Any

from deepwell.models.entry import ModelEntry
from deepwell.types import InputSpec

_TABLE = InputSpec(num_numbers=10, cardinalities=(5, 12))
_INPUTS = ("numbers", "categories")
_TABM_PAPER = (
    "Gorishniy, Kotelnikov, Babenko: TabM, Advancing Tabular Deep Learning with "
    "Parameter-Efficient Ensembling, ICLR (2025)"
)
_TABM_ENGINE: dict[str, Any] = {
    "learning_rate": 3e-3,
    "weight_decay": 3e-4,
    "epochs": 24,
    "patience": None,
}
_TABM_PRESETS: dict[str, dict[str, Any]] = {
    "paper": {"num_members": 32, "hidden_size": 512},
    "plain": {"number_embedding": "none", "num_blocks": 3},
}
_REALMLP_ENGINE: dict[str, Any] = {
    "optimizer": "adamw",
    "betas": (0.9, 0.95),
    "weight_decay": 0.02,
    "weight_decay_schedule": "flat_cosine",
    "schedule": "coslog",
    "warmup": 0.0,
    "epochs": 64,
    "patience": None,
}

PERCEPTRON_MODELS = (
    ModelEntry(
        name="residual_mlp",
        family="tabular",
        title="Residual MLP",
        summary="Residual blocks of linear layers and batch normalisation: the ResNet for tables.",
        paper="Gorishniy, Rubachev, Khrulkov, Babenko: Revisiting Deep Learning Models for "
        "Tabular Data, NeurIPS (2021)",
        inputs=_INPUTS,
        module="deepwell.models.tabular.residual_mlp",
        settings_name="ResidualMLPSettings",
        example=_TABLE,
        example_head_size=1,
        recommended={"encode": {"categories": "codes"}},
        presets={"deep": {"num_blocks": 6}, "piecewise": {"number_embedding": "piecewise"}},
    ),
    ModelEntry(
        name="realmlp",
        family="tabular",
        title="RealMLP",
        summary="A perceptron with embedded numbers, learned scales and its own recipe of "
        "training: strong without tuning.",
        paper="Holzmüller, Grinsztajn, Steinwart: Better by Default, Strong Pre-Tuned MLPs and "
        "Boosted Trees on Tabular Data, NeurIPS (2024)",
        inputs=_INPUTS,
        module="deepwell.models.tabular.realmlp",
        settings_name="RealMLPSettings",
        example=_TABLE,
        example_head_size=1,
        recommended={"encode": {"categories": "codes"}, "engine": _REALMLP_ENGINE},
        recommended_for={
            "numbers": {"engine": {"learning_rate": 0.2}},
            "classes": {
                "engine": {"learning_rate": 0.04},
                "task": {"label_smoothing": 0.1},
                "model": {"activation": "selu"},
            },
        },
        presets={"plain": {"number_embedding": "none"}},
    ),
    ModelEntry(
        name="tabm",
        family="tabular",
        title="TabM",
        summary="Many perceptrons in one that share their matrices and answer together: an "
        "ensemble at a fraction of its price.",
        paper=_TABM_PAPER,
        inputs=_INPUTS,
        module="deepwell.models.tabular.tabm",
        settings_name="TabMSettings",
        example=_TABLE,
        example_head_size=1,
        recommended={"encode": {"categories": "codes"}, "engine": _TABM_ENGINE},
        presets=_TABM_PRESETS,
    ),
    ModelEntry(
        name="tabm_mini",
        family="tabular",
        title="TabM-mini",
        summary="One perceptron that looks at the row through many learned scalings: TabM with "
        "still fewer weights.",
        paper=_TABM_PAPER,
        inputs=_INPUTS,
        module="deepwell.models.tabular.tabm_mini",
        settings_name="TabMMiniSettings",
        example=_TABLE,
        example_head_size=1,
        recommended={"encode": {"categories": "codes"}, "engine": _TABM_ENGINE},
        presets=_TABM_PRESETS,
    ),
)
