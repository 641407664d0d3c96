"""What to say about boosted trees, where the advice for networks would not fit."""

from __future__ import annotations

from typing import Any

from deepwell.evaluation.diagnosis.symptoms import Symptoms
from deepwell.evaluation.numerals import is_number, plural

SCIKIT_LEARN: dict[str, Any] = {
    "model__learning_rate": 0.1,
    "model__iterations": 100,
    "model__max_leaves": 31,
    "model__min_leaf_rows": 20,
}
"""How scikit-learn grows its trees by default, in our names."""


def sizes(symptoms: Symptoms) -> str:
    """Say how many trees there are, how large, and how many rows taught them."""
    trees = (symptoms.record.result.get("training") or {}).get("steps")
    grown = plural(trees, "tree") if is_number(trees) and trees else "trees"
    leaves, rows = _setting(symptoms, "max_leaves", 31), symptoms.rows("train")
    if _is_symmetric(symptoms):
        leaves = 2 ** _setting(symptoms, "depth", 6)
    learned = f", {plural(rows, 'training row')}" if rows else ""
    return f"{grown} of up to {plural(leaves, 'leaf', 'leaves')}{learned}"


def smaller(symptoms: Symptoms) -> str:
    """Return the command that grows trees which follow their rows less closely."""
    if _is_symmetric(symptoms):
        return symptoms.retrain(
            model__depth=max(2, _setting(symptoms, "depth", 6) - 2),
            model__l2=3.0 * float(symptoms.setting("model", "l2", 3.0)),
        )
    return symptoms.retrain(
        model__max_leaves=max(4, _setting(symptoms, "max_leaves", 31) // 2),
        model__min_leaf_rows=2 * _setting(symptoms, "min_leaf_rows", 20),
        model__learning_rate=max(0.01, _rate(symptoms) / 2),
    )


def larger(symptoms: Symptoms) -> str:
    """Return the command that grows more and larger trees."""
    if _is_symmetric(symptoms):
        return symptoms.retrain(
            model__depth=min(10, _setting(symptoms, "depth", 6) + 2),
            model__iterations=2 * _setting(symptoms, "iterations", 1500),
        )
    return symptoms.retrain(
        model__max_leaves=2 * _setting(symptoms, "max_leaves", 31),
        model__min_leaf_rows=max(1, _setting(symptoms, "min_leaf_rows", 20) // 2),
        model__iterations=2 * _setting(symptoms, "iterations", 1000),
    )


def as_by_default(symptoms: Symptoms) -> str:
    """Return the command that grows them as scikit-learn does by default."""
    if _is_symmetric(symptoms):
        return symptoms.fresh("boosted_trees")
    return symptoms.retrain(**SCIKIT_LEARN)


def _is_symmetric(symptoms: Symptoms) -> bool:
    return symptoms.model == "symmetric_trees"


def _setting(symptoms: Symptoms, name: str, otherwise: int) -> int:
    return int(symptoms.setting("model", name, otherwise))


def _rate(symptoms: Symptoms) -> float:
    return float(symptoms.setting("model", "learning_rate", 0.05))
