"""Networks for tables: transformers over columns, sums of parts, towers for recommendation."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from deepwell.models.tabular.deepfm import DeepFM
    from deepwell.models.tabular.denoising_autoencoder import DenoisingMLP
    from deepwell.models.tabular.ft_transformer import FTTransformer
    from deepwell.models.tabular.neural_additive import NeuralAdditive
    from deepwell.models.tabular.tab_transformer import TabTransformer
    from deepwell.models.tabular.two_tower import TwoTower
    from deepwell.models.tabular.wide_deep import WideDeep

__all__ = [
    "DeepFM",
    "DenoisingMLP",
    "FTTransformer",
    "NeuralAdditive",
    "TabTransformer",
    "TwoTower",
    "WideDeep",
]

_HOMES = {
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
