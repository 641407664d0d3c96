"""Gradients that vanish, signals that explode, units that are dead, saturated or all alike."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from deepwell.evaluation.diagnosis.finding import Finding
from deepwell.evaluation.diagnosis.symptoms import Symptoms, median
from deepwell.evaluation.numerals import is_number, number, percent, plural
from deepwell.evaluation.record import Json

VANISHED = 1e-4
"""Gradient of the first layers over that of the last ones, a weight."""
EXPLODED = 1e3
"""Spread of what the last hidden layer gives out over that of the first one."""
STEEP = 1e3
"""Norm of a gradient over the norm of its weights."""
FEWEST_LAYERS = 4
DEAD, NEARLY_ALL = 0.5, 0.9
"""Share of the units of a layer."""


def vanishing(symptoms: Symptoms) -> Finding | None:
    """Find first layers that receive next to no gradient."""
    ratios = [ratio for look in later(symptoms.looks) if (ratio := _ratio(look)) is not None]
    if not ratios or median(ratios) >= VANISHED or dead_units(symptoms) is not None:
        return None
    ratio, depth = median(ratios), len(gradients(symptoms.looks[-1]))
    told = f"1 : {number(1 / ratio, 2)}" if ratio > 1e-30 else "0"
    kind = _activation_words(symptoms)
    return Finding(
        name="vanishing_gradients",
        title="The gradient vanishes on its way to the first layers.",
        severity="problem" if ratio < VANISHED**1.5 else "warning",
        evidence=f"Of {plural(depth, 'layer')}, the first ones receive, a weight, {told} of the "
        "gradient of the last ones (the middle of all looks).",
        cause=f"Each layer{kind} makes the gradient smaller; deep down nothing is left to learn "
        "from.",
        action=_better_flow(symptoms),
    )


def _activation_words(symptoms: Symptoms) -> str:
    kinds = {layer.get("kind") for look in symptoms.looks for layer in look["layers"]}
    names = [name for name in ("Sigmoid", "Tanh") if name in kinds]
    return f" with its {names[0].lower()}" if names else ""


def _better_flow(symptoms: Symptoms) -> str:
    options = symptoms.config.get("model", {})
    changes: dict[str, Any] = {}
    if "activation" in options:
        changes["model__activation"] = "relu"
    if options.get("normalization") == "none":
        changes["model__normalization"] = "layer"
    if options.get("initialiser", "auto") != "auto":
        changes["model__initialiser"] = "auto"
    if changes:
        return symptoms.retrain(**changes)
    return symptoms.fresh("resnet18" if symptoms.has_images else "mlp")


def exploding(symptoms: Symptoms) -> Finding | None:
    """Find signals that grow from layer to layer, and gradients far larger than their weights."""
    growths = [growth for look in symptoms.looks if (growth := _growth(look)) is not None]
    slopes = [slope for look in symptoms.looks if (slope := _slope(look)) is not None]
    first = growths[0] if growths else 0.0
    steep = max(slopes, default=0.0)
    if first < EXPLODED and steep < STEEP:
        return None
    has_healed = (growths[-1] if growths else 0.0) < EXPLODED and (
        not slopes or slopes[-1] < STEEP / 10
    )
    evidence = []
    if first >= EXPLODED:
        evidence.append(
            f"At the start, what the last hidden layer gives out is spread {number(first, 2)} "
            "times as far as what the first one gives out."
        )
    if steep >= STEEP:
        evidence.append(f"A gradient was {number(steep, 2)} times as large as its weights.")
    return Finding(
        name="exploding",
        title="Signals explode on their way through the network.",
        severity="warning" if has_healed else "problem",
        evidence=" ".join(evidence),
        cause="The first weights are too large: each layer makes the numbers larger.",
        action=_tamer(symptoms),
    )


def _tamer(symptoms: Symptoms) -> str:
    options = symptoms.config.get("model", {})
    changes: dict[str, Any] = {"engine__clip_norm": 1.0}
    if options.get("initialiser", "auto") != "auto":
        changes["model__initialiser"] = "auto"
    if options.get("normalization") == "none":
        changes["model__normalization"] = "layer"
    return symptoms.retrain(**changes)


def dead_units(symptoms: Symptoms) -> Finding | None:
    """Find layers most of whose units never answer."""
    return _idle(symptoms, "dead")


def saturated_units(symptoms: Symptoms) -> Finding | None:
    """Find layers most of whose units are stuck at the end of their range."""
    return _idle(symptoms, "saturated")


def _idle(symptoms: Symptoms, what: str) -> Finding | None:
    found = _shares(symptoms.looks, what)
    layers = {name: share for name, share in found.items() if share > DEAD}
    if not layers:
        return None
    worst = max(layers, key=layers.__getitem__)
    is_dead = what == "dead"
    return Finding(
        name=f"{what}_units",
        title="Many units are dead." if is_dead else "Many units are saturated.",
        severity="problem" if layers[worst] >= NEARLY_ALL else "warning",
        evidence=f'In layer "{worst}" {percent(layers[worst], 0)} of the units '
        + ("answered no row of a whole batch" if is_dead else "sit at the end of their range")
        + (f"; so it is in {plural(len(layers), 'layer')}." if len(layers) > 1 else "."),
        cause="Their inputs are always below zero, where ReLU has no slope: they cannot come back."
        " Large steps or a bias far below zero lead there."
        if is_dead
        else "Their inputs are far from zero, where the curve has no slope: they hardly learn.",
        action=_revive(symptoms, is_dead),
    )


def _revive(symptoms: Symptoms, is_dead: bool) -> str:
    options = symptoms.config.get("model", {})
    changes: dict[str, Any] = {}
    if "activation" in options:
        changes["model__activation"] = "silu" if is_dead else "relu"
    if options.get("initialiser", "auto") != "auto":
        changes["model__initialiser"] = "auto"
    if not changes:
        rate = symptoms.setting("engine", "learning_rate")
        changes["engine__learning_rate"] = (rate if is_number(rate) else 1e-3) / 3
    return symptoms.retrain(**changes)


def alike_units(symptoms: Symptoms) -> Finding | None:
    """Pass on that the units of a layer begin equal, which the engine saw before training."""
    notes = [note for note in symptoms.record.notes if "begin equal" in note]
    if not notes:
        return None
    return Finding(
        name="alike_units",
        title="Units of a layer are all alike.",
        severity="problem",
        evidence=notes[0].partition(": ")[0] + ".",
        cause="Equal units receive equal gradients for ever, so the layer learns one feature.",
        action=_better_flow(symptoms),
    )


def later(looks: Sequence[Json]) -> Sequence[Json]:
    """Return the looks behind the first one, if there are any: a start may be special."""
    return looks[1:] or looks


def gradients(look: Json) -> list[tuple[str, float]]:
    """Return name and gradient, a weight, of each layer, from the input to the output."""
    return [
        (layer["name"], layer["gradient"] / math.sqrt(layer["size"]))
        for layer in look["layers"]
        if is_number(layer.get("gradient")) and layer.get("size")
    ]


def spreads(look: Json) -> list[tuple[str, float]]:
    """Return name and spread of what each layer of weights gives out."""
    return [
        (layer["name"], layer["std"])
        for layer in look["layers"]
        if is_number(layer.get("std")) and "weight" in layer
    ]


def _ratio(look: Json) -> float | None:
    sizes = [size for _, size in gradients(look)]
    quarter = max(1, len(sizes) // 4)
    last = median(sizes[-quarter:]) if sizes else 0.0
    if len(sizes) < FEWEST_LAYERS or last <= 0:
        return None
    return median(sizes[:quarter]) / last


def _growth(look: Json) -> float | None:
    hidden = [spread for _, spread in spreads(look)][:-1]
    return hidden[-1] / hidden[0] if len(hidden) > 1 and hidden[0] > 0 else None


def _slope(look: Json) -> float | None:
    slopes = [
        layer["gradient"] / layer["weight"]
        for layer in look["layers"]
        if is_number(layer.get("gradient")) and is_number(layer.get("weight")) and layer["weight"]
    ]
    return median(slopes) if slopes else None


def _shares(looks: Sequence[Json], what: str) -> dict[str, float]:
    """Return the smaller share of the last two looks of each layer that has one."""
    found: dict[str, list[float]] = {}
    for look in looks[-2:]:
        for layer in look["layers"]:
            if is_number(layer.get(what)):
                found.setdefault(layer["name"], []).append(layer[what])
    return {name: min(shares) for name, shares in found.items()}
