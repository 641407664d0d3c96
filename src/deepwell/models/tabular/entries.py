"""The entries of these networks in the catalog. Imports no torch."""

from deepwell.models.entry import ModelEntry
from deepwell.types import InputSpec

_EXAMPLE = InputSpec(num_numbers=10, cardinalities=(5, 12))
_COLUMNS = ("numbers", "categories")
_CODES = {"categories": "codes"}
_IDS = {"categories": "codes", "min_frequency": 1, "max_categories": 1_000_000}
_RATINGS = InputSpec(cardinalities=(1000, 500))

COLUMN_MODELS = (
    ModelEntry(
        name="ft_transformer",
        family="tabular",
        title="FT-Transformer",
        summary="A transformer whose tokens are the columns of a table. Slower than an mlp; good "
        "where columns act together.",
        paper="Gorishniy, Rubachev, Khrulkov, Babenko: Revisiting Deep Learning Models for Tabular "
        "Data, NeurIPS (2021)",
        inputs=_COLUMNS,
        module="deepwell.models.tabular.ft_transformer",
        settings_name="FTTransformerSettings",
        example=_EXAMPLE,
        example_head_size=1,
        presets={
            "paper": {
                "token_size": 192,
                "num_layers": 3,
                "attention_dropout": 0.2,
                "hidden_dropout": 0.1,
            },
            "small": {"token_size": 32, "num_layers": 1},
        },
        recommended={"encode": _CODES},
    ),
    ModelEntry(
        name="tab_transformer",
        family="tabular",
        title="TabTransformer",
        summary="A transformer over the category columns, whose answer joins the numbers. For "
        "tables with many categories.",
        paper="Huang, Khetan, Cvitkovic, Karnin: TabTransformer, arXiv 2012.06678 (2020)",
        inputs=_COLUMNS,
        module="deepwell.models.tabular.tab_transformer",
        settings_name="TabTransformerSettings",
        example=_EXAMPLE,
        example_head_size=1,
        presets={
            "paper": {"num_layers": 6, "number_normalization": "layer"},
            "small": {"token_size": 16, "num_layers": 1},
        },
        recommended={"encode": _CODES},
    ),
    ModelEntry(
        name="modern_nca",
        family="tabular",
        title="ModernNCA",
        summary="Learns how near rows are, and answers with what the nearest training rows were. "
        "Strong on numbers; keeps the training rows.",
        paper="Ye, Yin, Zhan: Revisiting Nearest Neighbor for Tabular Data, arXiv 2407.03257 "
        "(2024)",
        inputs=_COLUMNS,
        module="deepwell.models.tabular.modern_nca",
        settings_name="ModernNCASettings",
        example=_EXAMPLE,
        example_head_size=1,
        presets={"deep": {"num_blocks": 1}},
        recommended={
            "encode": _CODES,
            "engine": {
                "optimizer": "adamw",
                "learning_rate": 0.01,
                "weight_decay": 2e-4,
                "schedule": "constant",
                "batch_size": 256,
                "epochs": 100,
                "patience": 20,
            },
        },
    ),
    ModelEntry(
        name="wide_deep",
        family="tabular",
        title="Wide & Deep",
        summary="A linear model on category values and their pairs, which remembers, beside an "
        "mlp, which generalises.",
        paper="Cheng et al.: Wide & Deep Learning for Recommender Systems, DLRS (2016)",
        inputs=_COLUMNS,
        module="deepwell.models.tabular.wide_deep",
        settings_name="WideDeepSettings",
        example=_EXAMPLE,
        example_head_size=1,
        presets={"values-only": {"crosses": "none"}},
        recommended={"encode": _CODES, "engine": {"learning_rate": 3e-3}},
    ),
    ModelEntry(
        name="deepfm",
        family="tabular",
        title="DeepFM",
        summary="A factorisation machine, which learns how well any two columns go together, "
        "beside an mlp on the same vectors. For clicks and other tables of ids.",
        paper="Guo, Tang, Ye, Li, He: DeepFM, IJCAI (2017)",
        inputs=_COLUMNS,
        module="deepwell.models.tabular.deepfm",
        settings_name="DeepFMSettings",
        example=_EXAMPLE,
        example_head_size=1,
        presets={"paper": {"hidden_sizes": (400, 400, 400), "dropout": 0.5}},
        recommended={"encode": _CODES, "engine": {"learning_rate": 3e-3}},
    ),
    ModelEntry(
        name="two_tower",
        family="tabular",
        title="Two-tower network",
        summary="A vector for the user, a vector for the item, and how well they fit. For "
        "recommendation.",
        paper="Yi et al.: Sampling-Bias-Corrected Neural Modeling for Large Corpus Item "
        "Recommendations, RecSys (2019)",
        inputs=_COLUMNS,
        module="deepwell.models.tabular.two_tower",
        settings_name="TwoTowerSettings",
        example=_RATINGS,
        example_head_size=1,
        presets={"deep": {"hidden_sizes": (128, 64), "dropout": 0.1}},
        recommended={"encode": _IDS, "engine": {"learning_rate": 1e-2}},
    ),
    ModelEntry(
        name="nam",
        family="tabular",
        title="Neural additive model",
        summary="One small network a column, and the answer is their sum: a glass box, whose every "
        "column can be drawn.",
        paper="Agarwal et al.: Neural Additive Models, NeurIPS (2021)",
        inputs=_COLUMNS,
        module="deepwell.models.tabular.neural_additive",
        settings_name="NeuralAdditiveSettings",
        example=_EXAMPLE,
        example_head_size=1,
        presets={"jagged": {"units": "exu", "hidden_sizes": (256, 32)}},
        recommended={"encode": _CODES, "engine": {"learning_rate": 1e-2}},
    ),
    ModelEntry(
        name="dae_mlp",
        family="tabular",
        title="Perceptron after a denoising autoencoder",
        summary="An mlp whose layers first learn to repair damaged rows, for which no target is "
        "needed. To study pre-training: it seldom helps where all rows have a target.",
        paper="Vincent, Larochelle, Bengio, Manzagol: Extracting and Composing Robust Features "
        "with Denoising Autoencoders, ICML (2008)",
        inputs=_COLUMNS,
        module="deepwell.models.tabular.denoising_autoencoder",
        settings_name="DenoisingSettings",
        example=_EXAMPLE,
        example_head_size=1,
        presets={"plain": {"pretrain_epochs": 0}},
        recommended={"encode": _CODES},
    ),
)
"""Networks that read columns as tokens, fields, sides or parts of a sum, and an autoencoder."""
