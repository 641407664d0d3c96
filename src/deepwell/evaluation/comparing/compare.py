"""Comparing two or more runs: each by itself, or the seeds of one configuration together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations
from pathlib import Path

from deepwell.errors import ConfigError, did_you_mean
from deepwell.evaluation.comparing.pairs import Draws, Pair, judge, mcnemar
from deepwell.evaluation.comparing.refusal import check_questions, check_rows, shared_metrics
from deepwell.evaluation.comparing.result import ComparedRuns, Contender
from deepwell.evaluation.comparing.rows import best_first, minus, model_of, row_draws, unit_of
from deepwell.evaluation.comparing.seeds import compare_seeds
from deepwell.evaluation.comparing.words import verdict
from deepwell.evaluation.intervals import around
from deepwell.evaluation.means import Floats
from deepwell.evaluation.metrics import Metric, values_of
from deepwell.evaluation.stored import Answers, read_answers

BY = ("run", "config")
RESAMPLES = 2000
ROWS_ONLY = (
    "The intervals hold the chance of the test rows, not that of training: to hold it too, train "
    "several seeds and compare by config."
)


def compare(
    runs: Sequence[str | Path],
    *,
    by: str = "run",
    metric: str | None = None,
    resamples: int = RESAMPLES,
    confidence: float = 0.95,
) -> ComparedRuns:
    """Compare runs that were scored on the same test rows, in pairs.

    The difference of two runs is taken in each resample of the rows (of whole groups, where the
    rows have groups), so that what is hard for both cancels out. Classes are also compared by
    McNemar's exact test. With more than two contenders the p-values are corrected by Holm.

    Args:
        runs: Run folders, two at least.
        by: "run", or "config": runs that differ by nothing but the seed are put together.
        metric: Name of the metric that decides; None takes that of the runs.
        resamples: Draws of the bootstrap; very large tests use fewer (200 at least).
        confidence: Share of the draws inside an interval.

    Raises:
        RunError: A run cannot be read, or rows, task, target or metric of two runs differ.
        ConfigError: `by`, `resamples` or `confidence` has a value that makes no sense.
    """
    _check(runs, by, resamples, confidence)
    answers = _named([read_answers(run) for run in runs], runs)
    check_questions(list(answers.values()))
    decisive, common = shared_metrics(list(answers.values()), metric)
    if by == "config":
        return compare_seeds(answers, decisive, common, resamples, confidence)
    check_rows(list(answers.values()))
    return _compare_runs(answers, decisive, common, resamples, confidence)


def _check(runs: Sequence[str | Path], by: str, resamples: int, confidence: float) -> None:
    if isinstance(runs, (str, Path)) or len(runs) < 2:
        raise ConfigError("Give two run folders or more, as in: deepwell compare runs/a runs/b.")
    places = [Path(run).resolve() for run in runs]
    doubled = [str(run) for run, place in zip(runs, places, strict=True) if places.count(place) > 1]
    if doubled:
        raise ConfigError(f"{doubled[0]} is given twice: a run cannot be compared with itself.")
    if by not in BY:
        hint = did_you_mean(by, BY)
        raise ConfigError(f'Runs are compared by "run" or by "config". Got: "{by}".{hint}')
    if resamples < 200:
        raise ConfigError(f"resamples must be 200 or more. Got: {resamples}.")
    if not 0.5 < confidence < 1:
        raise ConfigError(f"confidence must lie between 0.5 and 1. Got: {confidence}.")


def _named(answers: Sequence[Answers], runs: Sequence[str | Path]) -> dict[str, Answers]:
    """Give each run its name; runs of equal names keep their paths."""
    names = [one.name for one in answers]
    return {
        one.name if names.count(one.name) == 1 else str(run): one
        for one, run in zip(answers, runs, strict=True)
    }


def _compare_runs(
    answers: Mapping[str, Answers],
    decisive: Metric,
    common: Sequence[Metric],
    resamples: int,
    confidence: float,
) -> ComparedRuns:
    first = next(iter(answers.values()))
    draws = row_draws(answers, common, resamples)
    values = {name: values_of(common, one.scored, one.weight) for name, one in answers.items()}
    contenders = [
        Contender(
            name=name,
            runs=(str(one.folder),),
            model=model_of(one),
            seeds=(one.seed,),
            scores={
                metric: around(value, draws[name][metric], confidence)
                for metric, value in values[name].items()
            },
            spread=None,
            values=(values[name][decisive.name],),
        )
        for name, one in answers.items()
    ]
    contenders = best_first(contenders, decisive)
    pairs = _pairs(contenders, answers, draws, decisive, confidence)
    unit, notes = unit_of(first)
    return ComparedRuns(
        task=first.task.name,
        targets=first.task.targets,
        rows=len(first.ids),
        metric=decisive,
        metrics=tuple(common),
        confidence=confidence,
        contenders=tuple(contenders),
        pairs=pairs,
        unit=unit,
        verdict=verdict(decisive, contenders, pairs, confidence),
        notes=(*notes, ROWS_ONLY),
    )


def _pairs(
    contenders: Sequence[Contender],
    answers: Mapping[str, Answers],
    draws: Mapping[str, Mapping[str, Floats]],
    decisive: Metric,
    confidence: float,
) -> tuple[Pair, ...]:
    return judge(
        [
            Draws(
                first=a.name,
                second=b.name,
                difference=minus(a.values[0], b.values[0]),
                draws=draws[a.name][decisive.name] - draws[b.name][decisive.name],
                mcnemar=mcnemar(answers[a.name].scored, answers[b.name].scored),
            )
            for a, b in combinations(contenders, 2)
        ],
        decisive,
        confidence,
    )
