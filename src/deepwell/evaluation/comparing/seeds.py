"""Several seeds of one configuration, put together: mean and spread, and pairs of these."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any

import numpy as np

from deepwell.errors import RunError
from deepwell.evaluation.comparing.pairs import Draws, judge
from deepwell.evaluation.comparing.refusal import rows_differ
from deepwell.evaluation.comparing.result import ComparedRuns, Contender
from deepwell.evaluation.comparing.rows import best_first, minus, model_of, row_draws, unit_of
from deepwell.evaluation.comparing.words import verdict
from deepwell.evaluation.intervals import Interval, around
from deepwell.evaluation.means import Floats
from deepwell.evaluation.metrics import Metric, values_of
from deepwell.evaluation.stored import Answers
from deepwell.files import read_json

Members = Mapping[str, Answers]


def compare_seeds(
    answers: Members,
    decisive: Metric,
    common: Sequence[Metric],
    resamples: int,
    confidence: float,
) -> ComparedRuns:
    """Compare configurations, each by the mean over its seeds.

    Where all runs share their test rows, rows and seeds are drawn together. Where each seed has
    drawn its own, runs of one seed are subtracted from each other, and the interval is that of
    Student's t, widened because the training rows of the seeds overlap.

    Raises:
        RunError: The configurations have neither test rows nor seeds in common.

    Reference:
        Nadeau and Bengio (2003), Inference for the generalization error.
    """
    groups = configurations(answers)
    first = next(iter(answers.values()))
    values = {name: values_of(common, one.scored, one.weight) for name, one in answers.items()}
    is_shared = all(not rows_differ(first, other) for other in list(answers.values())[1:])
    unit, notes = unit_of(first)
    if is_shared:
        draws = row_draws(answers, common, resamples)
        mixed = {name: _mixed_draws(members, values, draws) for name, members in groups.items()}
    else:
        mixed, unit = {}, "seed"
        notes = (
            "Each seed has drawn test rows of its own: the spread over the seeds holds the chance "
            "of the rows too. With split.seed set, all seeds share their test rows.",
        )
    contenders = [
        _contender(name, members, values, mixed.get(name), decisive=decisive, confidence=confidence)
        for name, members in groups.items()
    ]
    contenders = best_first(contenders, decisive)
    pairs = judge(
        [
            _pair(a, b, groups, values, mixed, decisive, confidence)
            for a, b in combinations(contenders, 2)
        ],
        decisive,
        confidence,
    )
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
        notes=(*notes, *_lonely(groups)),
    )


def configurations(answers: Members) -> dict[str, dict[str, Answers]]:
    """Put runs together that differ by nothing but the seed, under a name for each group."""
    by_config: dict[str, dict[str, Answers]] = {}
    for name, one in answers.items():
        by_config.setdefault(_key(one), {})[name] = one
    groups: dict[str, dict[str, Answers]] = {}
    for members in by_config.values():
        name = _common_name(list(members))
        number = sum(known == name or known.startswith(f"{name} (") for known in groups)
        groups[name if not number else f"{name} ({number + 1})"] = members
    return groups


def _key(one: Answers) -> str:
    settings = {k: v for k, v in one.config.items() if k not in ("seed", "evaluation")}
    return json.dumps([settings, one.digest], sort_keys=True, default=str)


def _common_name(names: Sequence[str]) -> str:
    """Return what the names of runs have in common.

    Example:
        >>> _common_name(["wide-seed0", "wide-seed1"]), _common_name(["a", "b"])
        ('wide', 'a …')
    """
    if len(names) == 1:
        return names[0]
    first, last = min(names), max(names)  # what these two share, all between them share
    same = next(
        (i for i, pair in enumerate(zip(first, last, strict=False)) if len(set(pair)) > 1), None
    )
    start = first[:same].rstrip("0123456789-_. =")
    start = start.removesuffix("seed").removesuffix("s").rstrip("-_. ") or ""
    return start or f"{names[0]} …"


def _mixed_draws(
    members: Members,
    values: Mapping[str, Mapping[str, float | None]],
    draws: Mapping[str, Mapping[str, Floats]],
) -> dict[str, Floats]:
    """Return the mean over the seeds in each draw of rows and of seeds."""
    names = list(members)
    size = len(names)
    picked = np.random.default_rng(1).integers(0, size, (size, len(_any(draws[names[0]]))))
    mixed: dict[str, Floats] = {}
    for metric in draws[names[0]]:
        by_rows = np.mean([draws[name][metric] for name in names], axis=0)
        found = [values[name][metric] for name in names]
        whole = np.array([np.nan if value is None else value for value in found])
        # a few seeds drawn from themselves vary too little, by (size - 1) / size
        wider = (size / (size - 1)) ** 0.5 if size > 1 else 0.0
        mixed[metric] = by_rows + wider * (whole[picked].mean(axis=0) - whole.mean())
    return mixed


def _any(draws: Mapping[str, Floats]) -> Floats:
    return next(iter(draws.values()))


def _contender(
    name: str,
    members: Members,
    values: Mapping[str, Mapping[str, float | None]],
    draws: Mapping[str, Floats] | None,
    *,
    decisive: Metric,
    confidence: float,
) -> Contender:
    metrics = list(values[next(iter(members))])
    found = {m: [values[run][m] for run in members] for m in metrics}
    ratio = _test_share(members) if draws is None else 0.0
    scores = {
        metric: student(series, confidence, ratio)
        if draws is None
        else around(_mean(series), draws[metric], confidence)
        for metric, series in found.items()
    }
    is_several = len(members) > 1
    return Contender(
        name=name,
        runs=tuple(str(one.folder) for one in members.values()),
        model=model_of(next(iter(members.values()))),
        seeds=tuple(one.seed for one in members.values()),
        scores=scores,
        spread={m: _spread(series) for m, series in found.items()} if is_several else None,
        values=tuple(values[run][decisive.name] for run in members),
    )


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if len(known) == len(values) else None


def _spread(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return float(np.std(known, ddof=1)) if len(known) == len(values) > 1 else None


def _test_share(members: Members) -> float:
    """Return test rows / training rows, which says how much the trainings of seeds overlap."""
    one = next(iter(members.values()))
    rows: Any = read_json(one.folder / "result.json").get("rows") or {}
    train = int(rows.get("train") or 0)
    return len(one.ids) / train if train else 0.0


def student(values: Sequence[float | None], confidence: float, ratio: float = 0.0) -> Interval:
    """Return the mean of values over seeds with Student's interval.

    Args:
        values: One a seed.
        confidence: Share inside the interval.
        ratio: Test rows / training rows, where each seed has divided the rows anew.

    Example:
        >>> found = student([1.0, 2.0, 3.0], 0.95)
        >>> found.value, round(found.low, 2), round(found.high, 2)
        (2.0, -0.48, 4.48)
    """
    mean, spread = _mean(values), _spread(values)
    if mean is None or spread is None:
        return Interval(mean, None, None)
    from scipy.stats import t

    reach = float(t.ppf((1 + confidence) / 2, len(values) - 1))
    half = reach * spread * (1 / len(values) + ratio) ** 0.5
    return Interval(mean, mean - half, mean + half)


def _pair(
    a: Contender,
    b: Contender,
    groups: Mapping[str, Members],
    values: Mapping[str, Mapping[str, float | None]],
    mixed: Mapping[str, Mapping[str, Floats]],
    decisive: Metric,
    confidence: float,
) -> Draws:
    name = decisive.name
    if mixed:
        return Draws(
            first=a.name,
            second=b.name,
            difference=minus(a.scores[name].value, b.scores[name].value),
            draws=mixed[a.name][name] - mixed[b.name][name],
        )
    apart = [
        minus(values[x][name], values[y][name]) for x, y in _by_seed(groups[a.name], groups[b.name])
    ]
    ratio = _test_share(groups[a.name])
    found = student(apart, confidence, ratio)
    p = _student_p(apart, ratio)
    return Draws(
        first=a.name, second=b.name, difference=found.value, known=(found.low, found.high, p)
    )


def _by_seed(first: Members, second: Members) -> list[tuple[str, str]]:
    """Pair the runs of two configurations that share seed and test rows.

    Raises:
        RunError: There are fewer than two such pairs, or a run without a partner.
    """
    matched = [
        (a, b)
        for a, one in first.items()
        for b, other in second.items()
        if one.seed == other.seed and not rows_differ(one, other)
    ]
    if len(matched) < 2 or not len(matched) == len(first) == len(second):
        names = f"{_common_name(list(first))} and {_common_name(list(second))}"
        raise RunError(
            f"The configurations {names} cannot be compared: their runs share neither the test "
            "rows nor two seeds or more. Train both with the same seeds, or all with one "
            "--set split.seed."
        )
    return matched


def _student_p(values: Sequence[float | None], ratio: float) -> float | None:
    mean, spread = _mean(values), _spread(values)
    if mean is None or spread is None:
        return None
    from scipy.stats import t

    error = spread * (1 / len(values) + ratio) ** 0.5
    if error == 0:
        return 1.0 if mean == 0 else 0.0
    return float(2 * t.sf(abs(mean) / error, len(values) - 1))


def _lonely(groups: Mapping[str, Members]) -> tuple[str, ...]:
    alone = [name for name, members in groups.items() if len(members) == 1]
    if not alone or len(alone) == len(groups) == 1:
        return ()
    return (
        f"Of {', '.join(alone)} there is one seed only: how much another seed would change is "
        "not known there.",
    )
