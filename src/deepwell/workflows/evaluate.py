"""Evaluating: score a stored model on rows whose answers are known."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from deepwell.artifact import load
from deepwell.evaluation import EvaluationSettings, check_success
from deepwell.evaluation import evaluate as judge
from deepwell.evaluation.asked import Asked
from deepwell.evaluation.decided import judge_decision
from deepwell.files import write_json
from deepwell.tasks.decisions import Decision, DecisionSettings
from deepwell.workflows.decide import row_weight
from deepwell.workflows.predict import check_output
from deepwell.workflows.seen_rows import count_seen_rows, note_look
from deepwell.workflows.uncertain import judge_stored

LOOK = "deepwell evaluate"


def evaluate(
    model: str | Path,
    data: Any,
    *,
    success: str | None = None,
    output: str | Path | None = None,
    settings: EvaluationSettings | None = None,
) -> dict[str, Any]:
    """Score a stored model on a table that holds the target.

    Args:
        model: A model folder, or a run folder that holds one.
        data: Path of a file or folder, a frame, or a dict of columns.
        success: A threshold such as "rmse < 25000".
        output: JSON file for the scores; None writes nothing.
        settings: Number of resamples and the like.

    Returns:
        `task`, `targets`, `rows`, `metrics` (name → value, low, high), `success`; `calibration`:
        expected calibration error and bins of the probabilities, or None; `seen`: how many
        of the rows the model has learned from (None if that cannot be known); `looks`: how often
        the run's own test rows were scored (None if none of them is among the rows); `decision`
        and `uncertainty`: what they do to these rows, as in evaluation.json.

    Raises:
        ArtifactError: The model folder is damaged, unsafe or too new.
        DataError: The data cannot be read, or lack a column.
        TaskError: A target value that training never saw.
        OutputError: The output cannot be written.
    """
    target = None if output is None else check_output(Path(output), (".json",))
    asked = settings or EvaluationSettings()
    predictor = load(model)
    task = predictor.task
    decide = _decide(predictor.decision)
    if success is not None:
        has_prices = decide is not None and decide.cost is not None
        check_success(success, task.name, has_prices=has_prices)
        asked = asked.model_copy(update={"success": success})
    table = predictor.read(data)
    undecided = predictor.undecided(table)
    evaluation = judge(
        task,
        predictor.schema,
        test=table,
        predictions=predictor.decided(undecided),
        baselines={},
        settings=Asked(asked, decide),
    ).to_json()
    names = ("task", "targets", "metrics", "success", "calibration")
    scores = {name: evaluation[name] for name in names}
    scores["rows"] = len(table)
    scores["decision"] = judge_decision(
        predictor.decision,
        task,
        task.truth(table),
        undecided,
        weight=row_weight(predictor.schema, table),
        settings=asked,
    )
    scores["uncertainty"] = judge_stored(predictor, table, undecided, asked)
    scores["seen"] = count_seen_rows(Path(model), table, predictor.schema)
    scores["looks"] = note_look(Path(model), data, table, predictor.schema, LOOK)
    if target is not None:
        write_json(target, scores)
    return scores


def _decide(decision: Decision | None) -> DecisionSettings | None:
    """Return the costs by which a stored model answers, which are shown then."""
    return (
        None if decision is None or decision.cost is None else DecisionSettings(cost=decision.cost)
    )
