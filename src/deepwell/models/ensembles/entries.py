"""The entries of ensembles in the catalog. Imports no torch."""

from deepwell.models.entry import ModelEntry
from deepwell.types import InputSpec

_EXAMPLE = InputSpec(num_numbers=10, cardinalities=(5, 12))
_LINEAR = {"name": "linear", "numbers": (0, 10), "categories": (0, 2)}

ENSEMBLES = (
    ModelEntry(
        name="boosted_trees",
        family="ensembles",
        title="Gradient-boosted trees",
        summary="No network, but what a network for tables has to beat: trees that correct each "
        "other, grown by scikit-learn and stored as tensors.",
        paper="Friedman: Greedy Function Approximation, A Gradient Boosting Machine, Annals of "
        "Statistics 29 (2001)",
        inputs=("numbers", "categories"),
        module="deepwell.models.ensembles.boosted_trees",
        settings_name="BoostedTreesSettings",
        example=_EXAMPLE,
        example_head_size=1,
        recommended={"encode": {"numbers": "raw", "categories": "codes", "min_frequency": 1}},
        presets={"small": {"max_leaves": 8, "learning_rate": 0.1}},
        learner="trees",
    ),
    ModelEntry(
        name="symmetric_trees",
        family="ensembles",
        title="Symmetric boosted trees",
        summary="No network: boosted trees that ask one question on each level, as CatBoost does. "
        "A good partner for boosted_trees and networks, which err elsewhere.",
        paper="Prokhorenkova et al.: CatBoost, Unbiased Boosting with Categorical Features, "
        "NeurIPS (2018)",
        inputs=("numbers", "categories"),
        module="deepwell.models.ensembles.symmetric_trees",
        settings_name="SymmetricTreesSettings",
        example=_EXAMPLE,
        example_head_size=1,
        recommended={"encode": {"numbers": "raw", "categories": "codes", "min_frequency": 1}},
        presets={"small": {"depth": 4, "learning_rate": 0.1}},
        learner="trees",
    ),
    ModelEntry(
        name="blend",
        family="ensembles",
        title="Blend",
        summary="Trained models that answer together, with weights. Made by --model auto, --folds "
        "and --ensemble.",
        paper="Lakshminarayanan, Pritzel, Blundell: Simple and Scalable Predictive Uncertainty "
        "Estimation using Deep Ensembles, NeurIPS (2017)",
        inputs=("numbers", "categories", "images"),
        module="deepwell.models.ensembles.blend",
        settings_name="BlendSettings",
        example=_EXAMPLE,
        example_head_size=1,
        presets={"two-linear": {"members": (_LINEAR, _LINEAR)}},
        learner="blend",
    ),
)
