"""The list of architectures. Imports no torch, so that it can be printed at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Any, cast

from deepwell.catalog import Catalog
from deepwell.config import Settings
from deepwell.errors import ConfigError, ModelError, did_you_mean, listing
from deepwell.models.ensembles.entries import ENSEMBLES
from deepwell.models.entry import ModelEntry
from deepwell.models.tabular.entries import COLUMN_MODELS
from deepwell.models.tabular.perceptron_entries import PERCEPTRON_MODELS
from deepwell.types import InputSpec

if TYPE_CHECKING:
    from torch import nn


MODELS: Catalog[ModelEntry] = Catalog("model", error=ModelError)
"""Name to entry."""

_ANY = ("numbers", "categories", "images")
_TABLE = InputSpec(num_numbers=10, cardinalities=(5, 12))
_IMAGENET = InputSpec(image_shape=(3, 224, 224))

_BASIC = (
    ModelEntry(
        name="perceptron",
        family="basic",
        title="Perceptron",
        summary="Rosenblatt's unit with its own learning rule: the oldest network that learns. "
        "For teaching, and for classes that a plane separates.",
        paper="Rosenblatt: The Perceptron, Psychological Review 65 (1958)",
        inputs=_ANY,
        module="deepwell.models.basic.perceptron",
        settings_name="PerceptronSettings",
        example=_TABLE,
        example_head_size=1,
        recommended={
            "engine": {
                "optimizer": "sgd",
                "learning_rate": 1.0,
                "batch_size": 1,
                "weight_decay": 0.0,
                "schedule": "constant",
                "precision": "fp32",
            },
            "task": {"loss": "perceptron"},
        },
    ),
    ModelEntry(
        name="linear",
        family="basic",
        title="Linear model",
        summary="A weighted sum: linear, logistic or softmax regression, depending on the task. "
        "The network to beat.",
        paper="Cox: The Regression Analysis of Binary Sequences, JRSS B 20 (1958)",
        inputs=_ANY,
        module="deepwell.models.basic.linear",
        settings_name="LinearSettings",
        example=_TABLE,
        example_head_size=1,
    ),
    ModelEntry(
        name="mlp",
        family="basic",
        title="Multi-layer perceptron",
        summary="Fully connected layers of any number and width, with learned vectors for "
        "categories. The first choice for tables.",
        paper="Rumelhart, Hinton, Williams: Learning representations by back-propagating errors, "
        "Nature 323 (1986)",
        inputs=_ANY,
        module="deepwell.models.basic.mlp",
        settings_name="MLPSettings",
        example=_TABLE,
        example_head_size=1,
        presets={
            "lecture": {
                "hidden_sizes": (128,),
                "activation": "relu",
                "dropout": 0.0,
                "mean": (0.0,),
                "std": (1.0,),
            },
            "small": {"hidden_sizes": (64, 64)},
            "wide": {"hidden_sizes": (512, 512, 512), "dropout": 0.3},
            "periodic": {"number_embedding": "periodic"},
            "self-normalizing": {"activation": "selu", "normalization": "none", "dropout": 0.0},
        },
    ),
)

_CNN = ModelEntry(
    name="cnn",
    family="vision",
    title="Basic convolutional network",
    summary="Three blocks of two convolutions and a pooling, then a classifier. Quick and good "
    "for small pictures.",
    paper="LeCun, Bottou, Bengio, Haffner: Gradient-based learning applied to document "
    "recognition, Proc. IEEE 86 (1998); blocks as in Simonyan, Zisserman: Very Deep "
    "Convolutional Networks (2014)",
    inputs=("images",),
    module="deepwell.models.vision.cnn",
    settings_name="CNNSettings",
    example=InputSpec(image_shape=(3, 32, 32)),
    example_head_size=10,
    presets={
        "small": {"channels": (16, 32, 64)},
        "wide": {"channels": (64, 128, 256), "dropout": 0.2},
        "dense-head": {"head": "flatten", "hidden_size": 128},
    },
)


def _resnet(depth: int, summary: str) -> ModelEntry:
    return ModelEntry(
        name=f"resnet{depth}",
        family="vision",
        title=f"ResNet-{depth}",
        summary=summary,
        paper="He, Zhang, Ren, Sun: Deep Residual Learning for Image Recognition, CVPR (2016)",
        inputs=("images",),
        module="deepwell.models.vision.resnet",
        settings_name=f"ResNet{depth}Settings",
        example=_IMAGENET,
        example_head_size=1000,
        presets={"small-images": {"stem": "small"}, "photos": {"stem": "imagenet"}},
    )


_RESNETS = (
    _resnet(18, "Residual network of 18 layers: the usual start for photographs."),
    _resnet(34, "Residual network of 34 layers, twice as deep as resnet18 at the same width."),
    _resnet(50, "Residual network of 50 layers in bottleneck blocks: the field's yardstick."),
    _resnet(101, "Residual network of 101 layers in bottleneck blocks."),
    _resnet(152, "Residual network of 152 layers in bottleneck blocks: the paper's winner."),
)

_ALL = (*_BASIC, *PERCEPTRON_MODELS, *COLUMN_MODELS, *ENSEMBLES, _CNN, *_RESNETS)
for _entry in _ALL:
    MODELS.add(_entry.name, _entry)


def settings_class(name: str) -> type[Settings]:
    """Return the class of settings of an architecture. Imports torch.

    Raises:
        ModelError: There is no such architecture.
    """
    entry = MODELS[name]
    return cast("type[Settings]", getattr(import_module(entry.module), entry.settings_name))


def resolve(
    name: str, settings: Mapping[str, Any] | Settings | None = None, *, group: str = ""
) -> Settings:
    """Return the complete settings: defaults, over them the preset, over that the user's.

    Args:
        name: A name in `MODELS`.
        settings: The user's settings. The additional key ``preset`` names a group of settings
            of the entry, over which the others are laid.
        group: What stands before the name of a setting in an error, such as "model".

    Raises:
        ModelError: There is no such architecture.
        ConfigError: An unknown preset or setting, or a wrong value.

    Example:
        >>> resolve("mlp", {"preset": "lecture", "dropout": 0.5}).hidden_sizes
        (128,)
    """
    entry = MODELS[name]
    if isinstance(settings, Settings):
        settings = settings.model_dump(exclude_unset=True)
    given = dict(settings or {})
    preset = _preset(entry, given.pop("preset", None))
    return settings_class(name).model_validate({**preset, **given}, group=group)


def place_columns(
    name: str,
    settings: Settings,
    codes: Mapping[str, int],
    features: Mapping[str, Sequence[int]],
) -> Settings:
    """Replace names of columns in the settings by places, where an architecture allows names.

    Such an architecture's module has a function `placed` with the same arguments but the first.

    Args:
        name: A name in `MODELS`.
        settings: Complete.
        codes: Category column → its place in the block of categories.
        features: Column → places of its features in the block of numbers.

    Raises:
        ConfigError: A name that no input column has.
    """
    placed = getattr(import_module(MODELS[name].module), "placed", None)
    return settings if placed is None else cast("Settings", placed(settings, codes, features))


def _preset(entry: ModelEntry, preset: str | None) -> Mapping[str, Any]:
    if preset is None:
        return {}
    if preset not in entry.presets:
        known = listing(entry.presets) if entry.presets else "none"
        hint = did_you_mean(preset, entry.presets)
        raise ConfigError(f'{entry.name} has no preset "{preset}".{hint} Known: {known}.')
    return entry.presets[preset]


def check_inputs(name: str, spec: InputSpec) -> None:
    """Check that an architecture can read the data.

    Raises:
        ModelError: There is no such architecture, the data has no inputs, lacks what the
            architecture reads, or has blocks that it cannot read.

    Example:
        >>> check_inputs("resnet18", InputSpec(num_numbers=3))
        Traceback (most recent call last):
            ...
        deepwell.errors.ModelError: resnet18 reads images, but this data has numbers only: ...
    """
    entry = MODELS[name]
    blocks = spec.blocks
    if not blocks:
        raise ModelError("The data has no input columns: there is nothing to predict from.")
    reads = " and ".join(entry.inputs)
    others = [n for n, other in MODELS.items() if set(blocks) <= set(other.inputs)]
    if not set(blocks) & set(entry.inputs):
        raise ModelError(
            f"{name} reads {reads}, but this data has {' and '.join(blocks)} only: "
            f"use {' or '.join(others)}."
        )
    strange = [block for block in blocks if block not in entry.inputs]
    if strange:
        raise ModelError(
            f"{name} reads {reads} only, but this data also has {' and '.join(strange)}: "
            f"ignore these columns, or use {' or '.join(others)}."
        )


def build(
    name: str,
    spec: InputSpec,
    head_size: int,
    settings: Mapping[str, Any] | Settings | None = None,
) -> nn.Module:
    """Make a network that fits the data and the task. Imports torch.

    Args:
        name: A name in `MODELS`.
        spec: What the network is fed.
        head_size: How many numbers it returns for each row.
        settings: See `resolve`.

    Returns:
        A module, called with one tensor a block of `spec.blocks`; it returns
        (batch, head_size).

    Raises:
        ModelError: An unknown architecture, or one that does not fit the data.
        ConfigError: A wrong setting.

    Example:
        >>> import torch
        >>> network = build("mlp", InputSpec(num_numbers=3), 2, {"hidden_sizes": (8,)})
        >>> network(torch.zeros(5, 3)).shape
        torch.Size([5, 2])
    """
    check_inputs(name, spec)
    complete = resolve(name, settings)
    module = import_module(MODELS[name].module)
    return cast("nn.Module", module.build(spec, head_size, complete))
