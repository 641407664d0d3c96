"""Overfitting, underfitting, and trainings that end too early."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from deepwell.evaluation.diagnosis import tree_advice as trees
from deepwell.evaluation.diagnosis.finding import Finding
from deepwell.evaluation.diagnosis.symptoms import Score, Symptoms
from deepwell.evaluation.numerals import is_number, number, percent, plural

LARGE_GAP, SOME_GAP = 0.15, 0.1
"""Error on new rows − error on training rows, as a share of the error of the constant guess."""
HALF, MOST = 0.5, 0.8
"""Error on training rows over error on new rows, below which the gap counts."""
RISE = 0.1
"""Rise of the validation loss behind its best epoch that counts."""
STILL_FALLING, FALLING_A_LITTLE = 0.1, 0.05
"""Share of the whole improvement that comes in the last fifth of the epochs."""


def overfitting(symptoms: Symptoms) -> Finding | None:
    """Find a network that answers training rows far better than new ones.

    A gap alone is no disease, as long as new rows are answered better than by simple models: it is
    a note then.
    """
    rise = _rise(symptoms)
    train, new = symptoms.error("train"), symptoms.error("test") or symptoms.error("val")
    if train is None or new is None:
        return None if rise < 2.5 * RISE else _overfit(symptoms, _risen(rise), "warning")
    constant = symptoms.error("constant") or new
    share = (new.value - train.value) / max(constant.value, 1e-30)
    ratio = train.value / max(new.value, 1e-30)
    is_wide = ratio < HALF and share > LARGE_GAP
    is_rising = ratio < MOST and share > SOME_GAP and rise > RISE
    is_apart = train.high < new.low and (is_wide or is_rising)
    if not is_apart and rise < 2.5 * RISE:
        return None
    outcomes = [symptoms.outcome(name) for name in ("linear", "boosting")]
    wins = "better" in outcomes and "worse" not in outcomes
    severity = "note" if wins else "warning"
    if not is_apart:  # the weights of the best epoch were kept: these know nothing by heart yet
        return _overfit(symptoms, _risen_later(symptoms, rise), severity, later=True)
    evidence = (
        f"The {symptoms.metric_title} is {_interval(symptoms, train)} on training rows and "
        f"{_interval(symptoms, new)} on new ones.{_risen(rise) if rise > RISE else ''}"
    )
    return _overfit(symptoms, evidence.strip(), severity)


def _risen_later(symptoms: Symptoms, rise: float) -> str:
    best = (symptoms.record.result.get("training") or {}).get("best_epoch")
    kept = f" The weights of epoch {best} of {len(symptoms.epochs)} were kept."
    return (
        f"The validation loss rose by {percent(rise, 0)} while the training loss went on falling."
        + (kept if is_number(best) else "")
    )


def _overfit(symptoms: Symptoms, evidence: str, severity: Any, *, later: bool = False) -> Finding:
    if symptoms.is_trees:
        return _overfit_trees(symptoms, evidence)
    rows, weights = symptoms.rows("train"), symptoms.record.layers.get("parameters")
    sizes = f"{plural(rows, 'training row')}"
    if is_number(weights) and symptoms.noun != "model":
        sizes = f"{plural(weights, 'weight')} and {sizes}"
    changes: dict[str, Any] = {}
    dropout = symptoms.setting("model", "dropout")
    if is_number(dropout):
        changes["model__dropout"] = min(0.6, max(0.3, 2 * dropout))
    decay = symptoms.setting("engine", "weight_decay")
    changes["engine__weight_decay"] = min(0.5, max(0.1, 3 * (decay if is_number(decay) else 0)))
    return Finding(
        name="overfitting",
        title=f"Behind its best epoch the {symptoms.noun} learns its training rows by heart."
        if later
        else f"The {symptoms.noun} knows its training rows by heart.",
        severity=severity,
        evidence=evidence,
        cause=f"It is large for what it can learn from: {sizes}. More rows, more regularisation "
        f"or a smaller {symptoms.noun} close the gap.",
        action=symptoms.more_time() if symptoms.competed else symptoms.retrain(**changes),
    )


def _overfit_trees(symptoms: Symptoms, evidence: str) -> Finding:
    """Tell the gap of trees. It is usual for them, so it is grave only where simpler models win."""
    outcomes = [symptoms.outcome(name) for name in ("linear", "boosting", "constant")]
    return Finding(
        name="overfitting",
        title="The trees know their training rows by heart.",
        severity="warning" if "worse" in outcomes else "note",
        evidence=evidence,
        cause=f"They are fine for what they can learn from: {trees.sizes(symptoms)}. Boosted trees "
        "always answer their own rows better; fewer leaves, more rows in each or a lower learning "
        "rate make the gap smaller, and sometimes the error on new rows too.",
        action=trees.smaller(symptoms),
    )


def _rise(symptoms: Symptoms) -> float:
    """Return how far the validation loss rose while the training loss fell, as a share."""
    train, val = symptoms.losses("train"), symptoms.losses("val")
    if len(val) < 4 or len(train) != len(val):
        return 0.0
    best = min(range(len(val)), key=val.__getitem__)
    if train[-1] >= train[best] or val[best] <= 0:
        return 0.0
    return min(val[-2:]) / val[best] - 1


def _risen(rise: float) -> str:
    return (
        f" Behind its best epoch the validation loss rose by {percent(rise, 0)} while the "
        "training loss went on falling."
    )


def _interval(symptoms: Symptoms, score: Score) -> str:
    value = symptoms.told(score.value)
    if score.low == score.high:
        return value
    ends = (symptoms.told(score.low), symptoms.told(score.high))
    if symptoms.metric is not None and symptoms.metric.better == "higher":
        ends = (ends[1], ends[0])
    return f"{value} ({ends[0]} to {ends[1]})"


def underfitting(symptoms: Symptoms) -> Finding | None:
    """Find a network that answers its own rows worse than others answer new ones."""
    train, constant = symptoms.error("train"), symptoms.error("constant")
    if symptoms.answers_are_chosen or _rise(symptoms) >= 2.5 * RISE:
        return None  # who goes on to learn its rows by heart is not too weak
    if train is None or constant is None or _falling_share(symptoms) >= STILL_FALLING:
        return None
    others = {name: symptoms.error(name) for name in ("boosting", "linear")}
    found = {name: error for name, error in others.items() if error is not None}
    if not found:
        return None
    best = min(found, key=lambda name: found[name].value)
    if symptoms.model == best == "linear":
        return None  # the same model solved exactly: it is not too weak, but not trained to its end
    is_blind = train.value > 0.9 * constant.value and found[best].value < 0.8 * constant.value
    is_behind = symptoms.outcome(best) == "worse" and train.value > 1.1 * found[best].value
    if not (is_blind or is_behind):
        return None
    noun = {"boosting": "gradient boosting", "linear": "a linear model"}[best]
    return Finding(
        name="underfitting",
        title=f"The {symptoms.noun} is too weak for this question, or held back.",
        severity="problem" if is_blind else "warning",
        evidence=f"Even on its own training rows its {symptoms.metric_title} is only "
        f"{symptoms.told(train.value)}; {noun} reaches {symptoms.told(found[best].value)} on rows "
        "that it has never seen.",
        cause=_why_weak(symptoms),
        action=_stronger(symptoms),
    )


def _why_weak(symptoms: Symptoms) -> str:
    if symptoms.is_trees:
        return f"Too few or too small trees: {trees.sizes(symptoms)}."
    if symptoms.competed:
        return "Too little time for the models that competed, or too small ones."
    if symptoms.model in ("linear", "perceptron"):
        return "A linear model cannot bend: what the answer depends on is not a weighted sum."
    return "Too few units or layers, too strong regularisation, or too few steps."


def _stronger(symptoms: Symptoms) -> str:
    if symptoms.is_trees:
        return trees.larger(symptoms)
    if symptoms.competed:
        return symptoms.more_time()
    if symptoms.model in ("linear", "perceptron"):
        return symptoms.fresh("cnn" if symptoms.has_images else "mlp")
    if symptoms.has_images and not symptoms.model.startswith("resnet"):
        return symptoms.fresh("resnet18")
    changes: dict[str, Any] = {}
    if is_number(symptoms.setting("model", "dropout")):
        changes["model__dropout"] = 0
    sizes = symptoms.setting("model", "hidden_sizes")
    if isinstance(sizes, list) and sizes:
        changes["model__hidden_sizes"] = [2 * max(size, 64) for size in sizes]
    epochs = symptoms.setting("engine", "epochs", len(symptoms.epochs))
    return symptoms.retrain(**changes, engine__epochs=2 * int(epochs))


def unconverged(symptoms: Symptoms) -> Finding | None:
    """Find a training that ended while the loss was still falling."""
    share, losses = _falling_share(symptoms), symptoms.losses("val") or symptoms.losses("train")
    if share < FALLING_A_LITTLE:
        return None
    rows = "validation" if symptoms.losses("val") else "training"
    last = _last_fifth(losses)
    epochs = max(len(losses), int(symptoms.setting("engine", "epochs", 0)))
    changes: dict[str, Any] = {"engine__epochs": 2 * epochs}
    if symptoms.setting("engine", "max_steps") is not None:
        changes["engine__max_steps"] = 2 * int(symptoms.setting("engine", "max_steps"))
    return Finding(
        name="unconverged",
        title="The training ended while the network was still getting better.",
        severity="warning" if share >= STILL_FALLING else "note",
        evidence=_late_fall(losses, last, rows),
        cause="Too few epochs.",
        action=symptoms.retrain(**changes),
    )


def _late_fall(losses: list[float], last: int, rows: str) -> str:
    """Say how much of the fall of the loss came at the end."""
    when = "The last epoch" if last == 1 else f"The last {last} epochs"
    first, before, end = (number(loss) for loss in (losses[0], losses[-1 - last], losses[-1]))
    share = (losses[-1 - last] - losses[-1]) / (losses[0] - losses[-1])
    if share > 1:
        return (
            f"{when} of {len(losses)} brought the {rows} loss from {before} to {end}; before, it "
            f"was higher than after the first epoch ({first})."
        )
    return (
        f"{when} of {len(losses)} brought {percent(share, 0)} of the whole fall of the {rows} "
        f"loss (from {first} to {end})."
    )


def _last_fifth(losses: list[float]) -> int:
    return max(1, len(losses) // 5)


def _falling_share(symptoms: Symptoms) -> float:
    """Return which share of the whole fall of the loss came in the last fifth of the epochs."""
    losses = symptoms.losses("val") or symptoms.losses("train")
    if len(losses) < 3:
        return 0.0
    last = _last_fifth(losses)
    best = min(range(len(losses)), key=losses.__getitem__)
    before, whole = losses[-1 - last], losses[0] - losses[-1]
    fall = before - losses[-1]
    # less than two percent of the loss itself is noise, not progress
    if best < len(losses) - last or whole <= 0 or fall < 0.02 * abs(before):
        return 0.0
    return fall / whole


def impatient(symptoms: Symptoms) -> Finding | None:
    """Find a training that was stopped by a wobble of the validation loss."""
    stopped = str((symptoms.record.result.get("training") or {}).get("stopped") or "")
    patience = symptoms.setting("engine", "patience")
    train, val = symptoms.losses("train"), symptoms.losses("val")
    if "has not improved for" not in stopped or not is_number(patience) or len(val) < 3:
        return None
    best = min(range(len(val)), key=val.__getitem__)
    steps = sorted(abs(after - before) for before, after in pairwise(val))
    is_wobble = val[-1] - val[best] <= 2 * steps[len(steps) // 2]
    if patience > 5 or not is_wobble or train[-1] >= 0.98 * train[best]:
        return None
    return Finding(
        name="impatient",
        title="The training may have been stopped by chance.",
        severity="warning" if patience <= 3 else "note",
        evidence=f"It ended after {plural(patience, 'epoch')} without a better validation loss, "
        f"but the loss is only {number(val[-1] - val[best], 2)} above its best, no more than it "
        "moves between any two epochs, and the training loss was still falling.",
        cause="engine.patience is short for a validation loss that wobbles like this.",
        action=symptoms.retrain(engine__patience=max(10, 4 * int(patience))),
    )
