"""Finishing: score the test rows once, save the model, write the answer."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from deepwell.artifact import Predictor
from deepwell.data import Schema, Table
from deepwell.evaluation import Evaluation, evaluate, fit_baselines
from deepwell.evaluation import report as report_page
from deepwell.evaluation.asked import Asked
from deepwell.evaluation.decided import judge_decision
from deepwell.evaluation.decided_words import answers_remark
from deepwell.evaluation.diagnosis.storing import renew
from deepwell.evaluation.looks import count_siblings
from deepwell.evaluation.stored import write_answers
from deepwell.evaluation.uncertainty_words import uncertainty_sentence
from deepwell.files import write_json
from deepwell.runs import RunFolder
from deepwell.runs.looks import record_look
from deepwell.workflows.check_up import check_up
from deepwell.workflows.learn import Learned
from deepwell.workflows.parts import judge_parts
from deepwell.workflows.prepare import Prepared
from deepwell.workflows.uncertain import judge


@dataclass(frozen=True, slots=True)
class TrainResult:
    """What a training leaves.

    Args:
        folder: The run folder.
        summary: The contents of result.json.
        predictor: The trained model; `predict` answers questions about new rows.
    """

    folder: RunFolder
    summary: dict[str, Any]
    predictor: Predictor

    @property
    def metrics(self) -> dict[str, dict[str, float | None]]:
        """Metric → value on the test rows with its interval (low, high)."""
        return self.summary["metrics"]

    @property
    def verdict(self) -> str:
        """The answer in words."""
        return self.summary["verdict"]

    @property
    def report(self) -> Path:
        """The report for people."""
        return self.folder / "report.html"

    def predict(self, data: Any) -> Any:
        """Predict new rows; see `Predictor.predict`."""
        return self.predictor.predict(data)


def finish(run: RunFolder, prepared: Prepared, learned: Learned) -> TrainResult:
    """Evaluate on the test rows, and write model, result and report into the run folder."""
    started = time.perf_counter()
    task, schema, settings = prepared.task, prepared.schema, prepared.settings
    undecided = learned.predictor.undecided(prepared.test)
    predictions = learned.predictor.decided(undecided)
    baselines = fit_baselines(
        task,
        schema,
        prepared.train,
        prepared.test,
        settings=settings.evaluation,
        seed=settings.seed,
        weight=_weight(prepared.train, schema),
    )
    evaluation = evaluate(
        task,
        schema,
        test=prepared.test,
        predictions=predictions,
        baselines=baselines,
        settings=Asked(settings.evaluation, settings.decide),
        seed=settings.seed,
        model=learned.predictor.recipe.name,
    )
    evaluation = replace(evaluation, rows=prepared.num_rows)
    if learned.remark:
        evaluation = replace(evaluation, verdict=f"{evaluation.verdict} {learned.remark}")
    decision = judge_decision(
        learned.predictor.decision,
        task,
        task.truth(prepared.test),
        undecided,
        weight=_weight(prepared.test, schema),
        settings=settings.evaluation,
    )
    remark = answers_remark(decision, evaluation.primary)
    if remark:
        evaluation = replace(evaluation, verdict=f"{evaluation.verdict} {remark}")
    scores = evaluation.to_json()
    scores["decision"] = decision
    scores["uncertainty"] = judge(prepared, learned.predictor, undecided)
    scores |= judge_parts(prepared, predictions)
    columns = learned.predictor.answer_columns(predictions)
    write_answers(run / "predictions.parquet", prepared.test, task, schema, columns)
    record_look(run, "end of the training", rows=len(prepared.test))
    save_model(run, prepared, learned.predictor, evaluation)
    scores["siblings"] = count_siblings(run.path)
    write_json(run / "evaluation.json", scores)
    summary = summarize_result(run, prepared, learned, evaluation, time.perf_counter() - started)
    if scores["uncertainty"] is not None:
        summary["uncertainty"] = uncertainty_sentence(scores["uncertainty"])
    write_json(run / "result.json", summary)
    renew(run.path, check_up(prepared, learned.predictor, evaluation.primary, predictions))
    report_page.write(run.path)
    return TrainResult(run, summary, learned.predictor)


def save_model(
    run: RunFolder, prepared: Prepared, predictor: Predictor, evaluation: Evaluation | None = None
) -> None:
    """Write the portable model into the run folder, with its scores if there are any."""
    facts: dict[str, Any] = {
        "data": {
            "name": prepared.source.name,
            "digest": prepared.source.digest,
            "rows": prepared.num_rows["train"],
        },
    }
    if evaluation is not None:
        scores = evaluation.to_json()
        facts |= {
            "metrics": scores["metrics"],
            "metric_titles": scores["titles"],
            "confidence": prepared.settings.evaluation.confidence,
            "verdict": scores["verdict"],
        }
    predictor.save(run.model, golden=prepared.train, card=facts)


def _weight(table: Table, schema: Schema) -> NDArray[np.float64] | None:
    name = schema.name_of("weight")
    return None if name is None else table.series(name).cast(pl.Float64).to_numpy()


def summarize_result(
    run: RunFolder, prepared: Prepared, learned: Learned, evaluation: Evaluation, scoring: float
) -> dict[str, Any]:
    """Return the answer in short: the contents of result.json."""
    fit, scores = learned.fit, evaluation.to_json()
    return {
        "task": prepared.task.name,
        "targets": list(prepared.task.targets),
        "model": learned.predictor.architecture["name"],
        "metrics": scores["metrics"],
        "baselines": scores["baselines"],
        "verdict": scores["verdict"],
        "success": scores["success"],
        "rows": prepared.num_rows,
        "seconds": {"training": round(fit.seconds, 2), "evaluation": round(scoring, 2)},
        "training": {
            "epochs": len(fit.history),
            "best_epoch": fit.best_epoch,
            "steps": fit.steps,
            "stopped": fit.stopped,
            "skipped": fit.skipped,
            "precision": fit.precision,
            "device": fit.device,
        },
        "seed": prepared.settings.seed,
        "run": str(run.path),
    }
