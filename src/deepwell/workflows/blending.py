"""Blending: from answers for rows that nobody learned from, which models answer together."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from deepwell.artifact import Predictor
from deepwell.data import Encoders, Schema, Table
from deepwell.models.ensembles.blend import Blend, BlendSettings, MemberSettings
from deepwell.nn.ensemble import average_members
from deepwell.tasks import Task
from deepwell.workflows.decide import row_weight

Outputs = NDArray[np.float32]
ROUNDS = 40
"""Members that the blend is made of, some of them several times."""
LEAST_GAIN = 0.002
"""Share of the loss that a blend must save over the best single model to be worth its size."""


def choose_weights(
    outputs: Sequence[Outputs], rows: Table, *, task: Task, schema: Schema
) -> list[float]:
    """Return the share of each model in the blend; all in one where no blend is worth its size.

    Members are added one by one, each time the one that helps most; the counts are the shares.

    Args:
        outputs: What each model says of the rows, (rows, head_size).
        rows: Rows that none of the models has learned from, with their targets.
        task: The question.
        schema: Of the data.

    Reference:
        Caruana et al.: Ensemble Selection from Libraries of Models (2004), with replacement.
    """
    singles = [loss_of(task, one, rows, schema) for one in outputs]
    counts = [0] * len(outputs)
    reached: list[tuple[float, list[int]]] = []
    for _ in range(ROUNDS):
        losses: list[float] = []
        for index in range(len(outputs)):
            tried = [n + (place == index) for place, n in enumerate(counts)]
            losses.append(loss_of(task, mix(outputs, tried, task), rows, schema))
        counts[int(np.argmin(losses))] += 1
        reached.append((min(losses), list(counts)))
    loss, counts = min(reached, key=lambda pair: pair[0])
    if loss < min(singles) * (1 - LEAST_GAIN):
        return [n / sum(counts) for n in counts]
    best = int(np.argmin(singles))
    return [float(place == best) for place in range(len(outputs))]


def mix(outputs: Sequence[Outputs], shares: Sequence[float], task: Task) -> Outputs:
    """Return outputs that stand for the weighted mean of the models' answers."""
    kept = [(one, share) for one, share in zip(outputs, shares, strict=True) if share > 0]
    stacked = torch.stack([torch.from_numpy(one) for one, _ in kept], dim=1)
    weights = torch.tensor([float(share) for _, share in kept])
    return average_members(stacked, task.link, weights / weights.sum()).numpy()


def loss_of(task: Task, outputs: Outputs, rows: Table, schema: Schema) -> float:
    """Return the mean loss; for numbers in units of the data, relative to their variance."""
    weight = row_weight(schema, rows)
    if task.name == "regression" and task.primary_metric == "rmse":
        truth = np.asarray(task.truth(rows), dtype=np.float64)
        errors = (np.asarray(task.decode(outputs).values) - truth) ** 2
        scale = np.average((truth - truth.mean(axis=0)) ** 2, axis=0, weights=weight)
        return float((np.average(errors, axis=0, weights=weight) / scale).mean())
    targets = torch.from_numpy(task.encode(rows))
    given = None if weight is None else torch.from_numpy(weight).float()
    loss = task.loss(torch.from_numpy(outputs), targets, given)
    return float(loss.sum / loss.weight)


def blend(members: Sequence[tuple[Predictor, float]], *, task: Task, schema: Schema) -> Predictor:
    """Put trained models together; a single one is returned as it is.

    Args:
        members: Models of the same question, and their weights.
        task: The question.
        schema: Of the data.
    """
    if len(members) == 1:
        single = members[0][0]
        single.task = task
        return single
    plans: list[MemberSettings] = []
    numbers = categories = 0
    for predictor, weight in members:
        spec = predictor.encoders.spec
        plans.append(
            MemberSettings(
                name=predictor.recipe.name,
                settings=predictor.recipe.settings,
                weight=weight,
                numbers=(numbers, numbers + spec.num_numbers),
                categories=(categories, categories + len(spec.cardinalities)),
            )
        )
        numbers += spec.num_numbers
        categories += len(spec.cardinalities)
    encoders = Encoders.join([predictor.encoders for predictor, _ in members])
    settings = BlendSettings(members=tuple(plans), link=task.link)
    network = Blend(encoders.spec, task.head_size, settings)
    for place, (predictor, _) in enumerate(members):
        network.members[place] = predictor.model
    return Predictor(
        network,
        task=task,
        encoders=encoders,
        schema=schema,
        architecture={"name": "blend", "settings": settings.model_dump()},
        device=members[0][0].device,
    )
