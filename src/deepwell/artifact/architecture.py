"""Which network a model folder holds, and how it is built again from its name and weights."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, cast

from deepwell.artifact.folder import ARCHITECTURE
from deepwell.errors import ArtifactError, DeepwellError, listing
from deepwell.types import InputSpec
from deepwell.version import __version__

if TYPE_CHECKING:
    from torch import Tensor, nn

CUSTOM = "custom"


@dataclass(frozen=True, slots=True, kw_only=True)
class Architecture:
    """The recipe of a network, as plain values.

    Args:
        name: A name of the catalog of models, or "custom" for a module of the user's own.
        input_spec: The blocks of input that the network receives.
        head_size: How many numbers it returns for each row.
        settings: The settings of the network, all of them.
        class_name: For "custom": where the class is, such as "shop.nets:PriceNet". It is shown to
            people and never imported.

    Example:
        >>> recipe = Architecture(name="linear", input_spec=InputSpec(num_numbers=2), head_size=1)
        >>> Architecture.from_json(recipe.to_json()) == recipe
        True
    """

    name: str
    input_spec: InputSpec
    head_size: int
    settings: dict[str, Any] = field(default_factory=dict[str, Any])
    class_name: str = ""

    @classmethod
    def of(
        cls,
        given: Mapping[str, Any] | None,
        model: nn.Module,
        *,
        input_spec: InputSpec,
        head_size: int,
    ) -> Self:
        """Complete what is known of a network: "name", "settings" and "class", or nothing.

        Args:
            given: Without it, or without a name, the network is a module of the user's own.
            model: The network.
            input_spec: What it receives.
            head_size: What it returns.
        """
        given = given or {}
        kind = type(model)
        name = str(given.get("name", CUSTOM))
        place = str(given.get("class", f"{kind.__module__}:{kind.__qualname__}"))
        return cls(
            name=name,
            input_spec=input_spec,
            head_size=head_size,
            settings=dict(given.get("settings", {})),
            class_name=place if name == CUSTOM else "",
        )

    @property
    def is_custom(self) -> bool:
        """Whether the network is a module of the user's own."""
        return self.name == CUSTOM

    def to_json(self) -> dict[str, Any]:
        """Return a plain dictionary that `from_json` reads."""
        return {
            "name": self.name,
            **({"class": self.class_name} if self.is_custom else {}),
            "settings": self.settings,
            "input_spec": self.input_spec.to_json(),
            "head_size": self.head_size,
        }

    @classmethod
    def from_json(cls, state: Mapping[str, Any]) -> Self:
        """Rebuild the recipe from `to_json`."""
        return cls(
            name=str(state["name"]),
            class_name=str(state.get("class", "")),
            settings=dict(state["settings"]),
            input_spec=InputSpec.from_json(state["input_spec"]),
            head_size=int(state["head_size"]),
        )


def unwrapped(model: nn.Module) -> nn.Module:
    """Return the module inside a compiled one, whose weights have plain names."""
    return cast("nn.Module", getattr(model, "_orig_mod", model))


def weights_of(model: nn.Module) -> dict[str, Tensor]:
    """Return the state of a network as it is stored: on the CPU, half precision as float32."""
    import torch

    halves = (torch.float16, torch.bfloat16)
    return {
        # copies, because safetensors refuses tensors that share their memory
        name: tensor.detach().to(
            device="cpu",
            dtype=torch.float32 if tensor.dtype in halves else tensor.dtype,
            copy=True,
            memory_format=torch.contiguous_format,
        )
        for name, tensor in unwrapped(model).state_dict().items()
    }


def rebuild(architecture: Architecture, weights: Path, model: nn.Module | None) -> nn.Module:
    """Build the network on the CPU and fill in the stored weights.

    Args:
        architecture: The recipe.
        weights: A safetensors file.
        model: For a recipe "custom": a module with the right shapes, which is filled in place.

    Raises:
        ArtifactError: The recipe is unknown here, a custom module is needed, the file of weights
            is damaged, or the weights do not fit.
    """
    from safetensors.torch import load_file

    shapes = stored_shapes(weights)
    if architecture.is_custom and model is None:
        raise ArtifactError(
            f"{weights.parent} holds the weights of your own module {architecture.class_name}: "
            "build it and give it to load, for example "
            f'deepwell.load("{weights.parent}", model={_short(architecture.class_name)}(…)).'
        )
    if model is not None:
        network = _with_scaling(unwrapped(model), architecture)
    else:
        network = _build(architecture, weights.parent)
    _materialise(network, architecture)
    _check_fit(network, shapes, weights)
    network.load_state_dict(load_file(weights), strict=True)
    return network


def _materialise(network: nn.Module, architecture: Architecture) -> None:
    """Let lazy layers of a user's own module find their sizes, on two rows."""
    import torch
    from torch.nn.parameter import is_lazy

    from deepwell.models.summary import example_inputs

    if any(is_lazy(parameter) for parameter in network.parameters()):
        network.eval()
        with torch.no_grad():
            network(*example_inputs(architecture.input_spec))


def _with_scaling(model: nn.Module, architecture: Architecture) -> nn.Module:
    """Put the scaling of pictures before a module of the user's own, if training did so."""
    from deepwell.nn.image_input import ImageInput

    scale, shape = architecture.settings, architecture.input_spec.image_shape
    if not architecture.is_custom or "mean" not in scale or shape is None:
        return model
    if isinstance(model, ImageInput):
        return model
    return ImageInput(model, num_channels=shape[0], mean=scale["mean"], std=scale["std"])


def _short(class_name: str) -> str:
    return class_name.rpartition(":")[2].rpartition(".")[2] or "Net"


def _build(architecture: Architecture, folder: Path) -> nn.Module:
    """Build the network with empty weights; the state of the random numbers stays as it is."""
    import torch
    from torch.overrides import TorchFunctionMode

    from deepwell import models

    fills = (torch.Tensor.normal_, torch.Tensor.uniform_)

    class _WithoutFirstValues(TorchFunctionMode):
        """Random first values take most of the time, and the stored weights replace them."""

        def __torch_function__(
            self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
        ) -> Any:
            return args[0] if func in fills else func(*args, **(kwargs or {}))

    try:
        with torch.random.fork_rng(devices=[]), _WithoutFirstValues():
            return models.build(
                architecture.name,
                architecture.input_spec,
                architecture.head_size,
                architecture.settings,
            )
    except (DeepwellError, RuntimeError, MemoryError) as error:
        raise ArtifactError(
            f"The network of {folder} cannot be built by this Deepwell ({__version__}); "
            f"see {ARCHITECTURE}: {error}"
        ) from error


def stored_shapes(path: Path) -> dict[str, tuple[int, ...]]:
    """Return the shapes of the stored weights, from the header of the file alone.

    Raises:
        ArtifactError: It is not a sound safetensors file.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="pt") as stored:
            return {name: tuple(stored.get_slice(name).get_shape()) for name in stored.keys()}  # noqa: SIM118
    except (SafetensorError, OSError) as error:
        raise ArtifactError(
            f"{path} is not a sound safetensors file ({error}). Copy the whole folder again."
        ) from error


def _check_fit(network: nn.Module, stored: Mapping[str, tuple[int, ...]], path: Path) -> None:
    """Compare names and shapes before any weight is read."""
    built = {name: tuple(tensor.shape) for name, tensor in network.state_dict().items()}
    missing = [name for name in built if name not in stored]
    strange = [name for name in stored if name not in built]
    wrong = [
        f"{name} is {stored[name]} instead of {shape}"
        for name, shape in built.items()
        if name in stored and stored[name] != shape
    ]
    problems = [f"missing: {listing(missing, 3)}"] if missing else []
    problems += [f"unknown to the network: {listing(strange, 3)}"] if strange else []
    problems += [f"of another shape: {listing(wrong, 3)}"] if wrong else []
    if problems:
        raise ArtifactError(f"The weights in {path} do not fit the network: {'; '.join(problems)}.")
