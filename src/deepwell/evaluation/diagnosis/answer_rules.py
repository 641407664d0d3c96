"""What the answers themselves show: noise, leaks, simpler models that do better, thin tests."""

from __future__ import annotations

from typing import Any

from deepwell.errors import listing
from deepwell.evaluation.diagnosis import tree_advice as trees
from deepwell.evaluation.diagnosis.finding import Finding
from deepwell.evaluation.diagnosis.symptoms import Symptoms
from deepwell.evaluation.numerals import is_number, percent, plural, shortened

FEW_ROWS = 1000
"""Fewer training rows than this, and more of them are the surest gain."""
PERFECT = 0.9999
DRIFT = 1.25
"""How much larger the error on later rows must be, and how far simple models may be from it."""
ALIKE = 0.03
"""Difference of errors that is no difference here."""
RARE, FORGOTTEN = 0.2, 0.1
"""Share of the rows of a rare class, and recall below which it is forgotten."""


def noise_floor(symptoms: Symptoms) -> Finding | None:
    """Find that nothing can be answered better, because the rest of the target is noise."""
    constant = symptoms.error("constant")
    others = [symptoms.error(name) for name in ("boosting", "linear")]
    known = [error.value for error in others if error is not None]
    if constant is not None and known and symptoms.outcome("constant") != "better":
        if min(known) > (1 - ALIKE) * constant.value and not _is_ranked(symptoms):
            return _all_noise(symptoms, min(known))
        return None
    return _by_repeats(symptoms) or _by_agreement(symptoms)


def _is_ranked(symptoms: Symptoms) -> bool:
    """Say whether a model puts classes in an order that is no chance, though few answers show it.

    Where one class is rare, or test rows are few, the share of right answers may be that of the
    guess, and the inputs tell a lot all the same.
    """
    evaluation = symptoms.record.evaluation
    every = [evaluation.get("metrics") or {}, *(evaluation.get("baselines") or {}).values()]
    lows = [(scores.get("roc_auc") or {}).get("low") for scores in every]
    return any(is_number(low) and low > 0.5 for low in lows)


def _all_noise(symptoms: Symptoms, best: float) -> Finding:
    new, constant = symptoms.error("test"), symptoms.error("constant")
    return Finding(
        name="noise_floor",
        title="Nothing in these inputs tells the answer.",
        severity="warning",
        evidence=f"The {symptoms.metric_title} of the constant guess is "
        f"{symptoms.told(constant.value if constant else 0)}, of the {symptoms.noun} "
        f"{symptoms.told(new.value if new else 0)}, of the best simple model "
        f"{symptoms.told(best)}: no model beats the guess.",
        cause="The target is noise as far as these columns go, or the columns that it depends on "
        "are missing, ignored or read as the wrong kind.",
        action=symptoms.inspect(),
    )


def _by_repeats(symptoms: Symptoms) -> Finding | None:
    """Compare the error with the one that equal inputs with different answers leave to anyone."""
    repeats, new = symptoms.measured.get("repeats") or {}, symptoms.error("test")
    floor = repeats.get("floor")
    if new is None or not is_number(floor) or floor <= 0 or new.low > 1.1 * floor:
        return None
    return Finding(
        name="noise_floor",
        title="The noise floor is reached.",
        severity="note",
        evidence=f"{plural(repeats['rows'], 'training row')} repeat the inputs of another one; "
        f"their answers differ so much that no model can do better than "
        f"{symptoms.told(floor)} {symptoms.metric_title}. The {symptoms.noun} has "
        f"{symptoms.told(new.value)}.",
        cause="The rest of the target does not depend on these inputs.",
        action="",
    )


def _by_agreement(symptoms: Symptoms) -> Finding | None:
    train, new = symptoms.error("train"), symptoms.error("test")
    others = [symptoms.error(name) for name in ("boosting", "linear")]
    if train is None or new is None or any(other is None for other in others):
        return None
    errors = [new.value, *(other.value for other in others if other is not None)]
    gap = abs(new.value - train.value) / max(new.value, 1e-30)
    if max(errors) > (1 + ALIKE) * min(errors) or gap > 2 * ALIKE or min(errors) <= 0:
        return None
    told = ", ".join(symptoms.told(error) for error in errors)
    return Finding(
        name="noise_floor",
        title="The noise floor is probably reached.",
        severity="note",
        evidence=f"{symptoms.noun.capitalize()}, gradient boosting and linear model reach the same "
        f"{symptoms.metric_title} ({told}), and the {symptoms.noun} has "
        f"{symptoms.told(train.value)} on its own training rows.",
        cause="Models so different seldom agree by chance: what is left is noise. New columns "
        f"help, a larger {symptoms.noun} does not.",
        action=symptoms.diagnose(),
    )


def leak(symptoms: Symptoms) -> Finding | None:
    """Find columns that give the answer away, or a score that is too good to be true."""
    leaks = symptoms.record.data.get("leaks") or ()
    grave = [one for one in leaks if one.get("severity") == "leak" and one.get("column")]
    return _named_leak(symptoms, grave) if grave else _perfect_score(symptoms)


def _named_leak(symptoms: Symptoms, grave: list[dict[str, Any]]) -> Finding:
    columns = list(dict.fromkeys(str(one["column"]) for one in grave))
    many = len(columns) > 1
    is_column = all(one.get("kind") not in ("picture", "file name") for one in grave)
    action = ""
    if is_column:
        ignored = [*(symptoms.setting("data", "ignore") or ()), *columns]
        action = symptoms.retrain(data__ignore=ignored)
    return Finding(
        name="leak",
        title=f"{len(columns)} columns give the answer away."
        if many
        else "Something gives the answer away.",
        severity="problem",
        evidence=shortened(str(grave[0].get("sentence") or ""), 400)
        + (f" The others: {listing(columns[1:], 5)}." if many else ""),
        cause="The score holds only where this is known before the answer is. If it is not, the "
        f"{symptoms.noun} will fail on new rows.",
        action=action,
    )


def _perfect_score(symptoms: Symptoms) -> Finding | None:
    metrics = symptoms.record.evaluation.get("metrics") or {}
    name = "r2" if "r2" in metrics else "accuracy"
    value = (metrics.get(name) or {}).get("value")
    if not is_number(value) or value < PERFECT or symptoms.rows("test") < 50:
        return None
    return Finding(
        name="leak",
        title="The score is nearly perfect.",
        severity="warning",
        evidence=f"{'R²' if name == 'r2' else 'Accuracy'} on {plural(symptoms.rows('test'), 'row')}"
        f": {percent(value, 2)}.",
        cause="Make sure that no column gives the answer away.",
        action=symptoms.inspect(),
    )


def later_rows_differ(symptoms: Symptoms) -> Finding | None:
    """Find a gap between training and later test rows that simple models have as well."""
    audit = symptoms.record.data.get("audit") or {}
    train, new = symptoms.error("train"), symptoms.error("test")
    if audit.get("method") != "time" or train is None or new is None:
        return None
    others = {name: symptoms.error(name) for name in ("boosting", "linear")}
    known = {name: one.value for name, one in others.items() if one is not None}
    if not known or new.low < DRIFT * train.high or min(known.values()) < new.value / DRIFT:
        return None
    best = min(known, key=known.__getitem__)
    noun = {"boosting": "gradient boosting", "linear": "a linear model"}[best]
    return Finding(
        name="later_rows_differ",
        title="The later rows are different.",
        severity="warning",
        evidence=f"The {symptoms.metric_title} is {symptoms.told(train.value)} on training rows "
        f"and {symptoms.told(new.value)} on the later test rows; {noun} has "
        f"{symptoms.told(known[best])} there, so it is not this {symptoms.noun} alone.",
        cause="What the answer depends on changes with time, and the time itself is no input. "
        "Columns that go along with it help (a trend, prices of the day), and so does training on "
        "newer rows, again and again.",
        action=symptoms.inspect(),
    )


def simpler_is_better(symptoms: Symptoms) -> list[Finding]:
    """Find baselines that answer these rows better than the network, beyond the noise.

    Where a threshold or costs chose the answers, the accuracy of both is not compared: the simple
    models answer the likelier class.
    """
    if symptoms.answers_are_chosen:
        return []
    found: list[Finding] = []
    new = symptoms.error("test")
    for name, noun in (("boosting", "Gradient-boosted trees"), ("linear", "A linear model")):
        other = symptoms.error(name)
        if symptoms.outcome(name) != "worse" or new is None or other is None:
            continue
        verb = "answer" if name == "boosting" else "answers"
        cause, action = _why_simpler(symptoms, name)
        found.append(
            Finding(
                name=f"{name}_is_better",
                title=f"{noun} {verb} these rows better.",
                severity="warning",
                evidence=f"The {symptoms.metric_title} is {symptoms.told(other.value)} against "
                f"{symptoms.told(new.value)} of the {symptoms.noun}, beyond the interval.",
                cause=cause,
                action=action,
            )
        )
    return found


def _why_simpler(symptoms: Symptoms, baseline: str) -> tuple[str, str]:
    """Return why a baseline is better, and what to type."""
    if baseline == "linear" and symptoms.model == "linear":
        epochs = symptoms.setting("engine", "epochs", len(symptoms.epochs))
        cause = "It is the same model, solved exactly: the training has not come to its end."
        return cause, symptoms.retrain(engine__epochs=2 * int(epochs))
    if baseline == "linear":
        cause = f"It is simpler as well: there is no reason to keep the {symptoms.noun}."
        return cause, symptoms.fresh("linear")
    if symptoms.is_trees:
        cause = "They are grown with scikit-learn's default settings, which suit these rows better."
        return cause, trees.as_by_default(symptoms)
    return (
        "Use scikit-learn's HistGradientBoosting for this question, unless you need a network; "
        f"the command measures what holds the {symptoms.noun} back.",
        symptoms.diagnose(),
    )


def forgotten_class(symptoms: Symptoms) -> Finding | None:
    """Find a rare class that the network never answers, because it does not pay."""
    confusion = symptoms.record.evaluation.get("confusion") or {}
    labels, matrix = confusion.get("labels") or (), confusion.get("matrix") or ()
    if symptoms.setting("task", "class_weight", "none") == "balanced" or len(labels) < 2:
        return None
    total = sum(sum(row) for row in matrix)
    worst: tuple[float, str, int, int] | None = None
    for index, (label, row) in enumerate(zip(labels, matrix, strict=True)):
        size, hits = sum(row), row[index]
        usual = min(RARE, 0.5 / len(labels) if len(labels) > 2 else RARE)
        is_lost = size >= 10 and size < usual * total and hits < FORGOTTEN * size
        if is_lost and (worst is None or hits / size < worst[0]):
            worst = (hits / size, str(label), hits, size)
    if worst is None:
        return None
    _, label, hits, size = worst
    return Finding(
        name="class_imbalance",
        title=f'The rare class "{label}" is hardly ever found.',
        severity="warning",
        evidence=f"Of {plural(size, 'test row')} of this class ({percent(size / total)} of all) "
        f"the {symptoms.noun} finds {hits}.",
        cause="With so few rows it pays to answer another class each time.",
        action=symptoms.retrain(task__class_weight="balanced"),
    )


def thin_test(symptoms: Symptoms) -> Finding | None:
    """Find an interval so wide that the score says little."""
    new, metric = symptoms.error("test"), symptoms.metric
    if new is None or metric is None:
        return None
    limit = 0.1 if metric.unit == "share" else 0.3 * abs(new.value)
    if new.high - new.low <= limit or symptoms.rows("test") == 0:
        return None
    changes: dict[str, Any] = {}
    if symptoms.setting("data", "test") is None:
        changes["split__test"] = 0.3
    ends = [symptoms.told(new.low), symptoms.told(new.high)]
    if metric.better == "higher":
        ends.reverse()
    return Finding(
        name="thin_test",
        title="The score is not sure.",
        severity="note",
        evidence=f"Its interval goes from {ends[0]} to {ends[1]}: "
        f"{plural(symptoms.rows('test'), 'test row')}.",
        cause="There are few test rows.",
        action=symptoms.retrain(**changes) if changes else "",
    )


def few_rows(symptoms: Symptoms) -> Finding | None:
    """Say that there are few rows to learn from; how much more would help is not known here."""
    rows = symptoms.rows("train")
    if not 0 < rows < FEW_ROWS or symptoms.measured.get("curve"):
        return None
    return Finding(
        name="few_rows",
        title="There are few rows to learn from.",
        severity="note",
        evidence=f"{plural(rows, 'training row')}.",
        cause="The command measures what more rows would bring."
        if symptoms.is_trees
        else "Networks are hungry; the command measures what more rows would bring.",
        action=symptoms.diagnose(),
    )
