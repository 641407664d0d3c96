"""Networks for tables: perceptrons, ensembles, transformers, sums of parts, towers."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from deepwell.models.tabular.deepfm import DeepFM
    from deepwell.models.tabular.denoising_autoencoder import DenoisingMLP
    from deepwell.models.tabular.ft_transformer import FTTransformer
    from deepwell.models.tabular.neural_additive import NeuralAdditive
    from deepwell.models.tabular.realmlp import RealMLP
    from deepwell.models.tabular.residual_mlp import ResidualMLP
    from deepwell.models.tabular.tab_transformer import TabTransformer
    from deepwell.models.tabular.tabm import TabM
    from deepwell.models.tabular.tabm_mini import TabMMini
    from deepwell.models.tabular.two_tower import TwoTower
    from deepwell.models.tabular.wide_deep import WideDeep

__all__ = [
    "DeepFM",
    "DenoisingMLP",
    "FTTransformer",
    "NeuralAdditive",
    "RealMLP",
    "ResidualMLP",
    "TabM",
    "TabMMini",
    "TabTransformer",
    "TwoTower",
    "WideDeep",
]

_HOMES = {
    "TabMMini": "deepwell.models.tabular.tabm_mini",
    "TabM": "deepwell.models.tabular.tabm",
    "ResidualMLP": "deepwell.models.tabular.residual_mlp",
    "RealMLP": "deepwell.models.tabular.realmlp",
    "DeepFM": "deepwell.models.tabular.deepfm",
    "DenoisingMLP": "deepwell.models.tabular.denoising_autoencoder",
    "FTTransformer": "deepwell.models.tabular.ft_transformer",
    "NeuralAdditive": "deepwell.models.tabular.neural_additive",
    "TabTransformer": "deepwell.models.tabular.tab_transformer",
    "TwoTower": "deepwell.models.tabular.two_tower",
    "WideDeep": "deepwell.models.tabular.wide_deep",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f'module "{__name__}" has no attribute "{name}"')
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return __all__
