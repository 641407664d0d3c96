"""What the catalog knows of an architecture. Imports no torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from deepwell.types import InputSpec


@dataclass(frozen=True, kw_only=True)
class ModelEntry:
    """One architecture, or one size of it.

    Args:
        name: What the user writes.
        family: The folder: "basic", "tabular" or "vision".
        title: The name that people say.
        summary: What it is and when to take it, in a sentence or two.
        paper: Citation.
        inputs: The blocks of an `InputSpec` that it can read.
        module: Where it lives; the module has a function `build(spec, head_size, settings)`.
        settings_name: The settings class in that module.
        presets: Named groups of settings.
        recommended: Changes to the settings of other rooms, such as
            ``{"engine": {"optimizer": "sgd"}}``, or of its own under "model".
        recommended_for: The same for one kind of question only, laid over `recommended`:
            "numbers" (regression) or "classes".
        example: Inputs for which shapes and the number of parameters are shown.
        example_head_size: Outputs in that example.
        learner: "gradient" for networks; "trees" is grown at once; "blend" is put together of
            trained models.
    """

    name: str
    family: str
    title: str
    summary: str
    paper: str
    inputs: tuple[str, ...]
    module: str
    settings_name: str
    example: InputSpec
    example_head_size: int
    learner: Literal["gradient", "trees", "blend"] = "gradient"
    presets: Mapping[str, Mapping[str, Any]] = field(default_factory=dict[str, Mapping[str, Any]])
    recommended: Mapping[str, Mapping[str, Any]] = field(
        default_factory=dict[str, Mapping[str, Any]]
    )
    recommended_for: Mapping[str, Mapping[str, Mapping[str, Any]]] = field(
        default_factory=dict[str, Mapping[str, Mapping[str, Any]]]
    )

    @property
    def reads(self) -> str:
        """What it reads, in words: "tables", "pictures" or both."""
        kinds = ["tables"] if set(self.inputs) - {"images"} else []
        return ", ".join([*kinds, *(["pictures"] if "images" in self.inputs else [])])
