"""All results as one page: a table a goal set, the gathered sets, and the ranks over them."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.machine import in_words
from benchmarks.quality.sets import MOST_ROWS, SETS, Role, Set
from benchmarks.quality.standings import CONTENDERS, Standing, mean_scores, standings
from deepwell.files import read_json

PUBLISHED = {
    "ames": "AutoGluon 1.6 with 120 s reached 21,341 on split 0 by its ensemble",
    "diamonds": "AutoGluon 1.6 with 120 s reached 523.6 on split 0 by its ensemble",
}
TITLES = {"deepwell": "Deepwell", "boosting": "scikit-learn's boosting"} | {
    "lightgbm": "LightGBM",
    "xgboost": "XGBoost",
    "catboost": "CatBoost",
}
GROUPS: Mapping[str, tuple[Role, ...]] = {
    "held out": ("held out",),
    "development": ("development",),
    "all gathered": ("held out", "development"),
}


def merged(folder: Path) -> dict[str, Any]:
    """Return the newest result with the scores of all: of a division, the last one measured."""
    result: dict[str, Any] = {}
    scores: dict[tuple[str, int], dict[str, Any]] = {}
    for path in sorted(folder.glob("quality-*.json")):
        result = read_json(path)
        day = path.stem.removeprefix("quality-")
        scores |= {(s["set"], s["split"]): {**s, "day": day} for s in result["scores"]}
    return {**result, "scores": list(scores.values())}


def page(result: dict[str, Any]) -> str:
    """Return all results as Markdown.

    Args:
        result: As `merged` returns it.
    """
    lines = [
        "# Quality on tables",
        "",
        "`python -m benchmarks.quality`. Each set is divided by "
        "`numpy.random.default_rng(split).permutation`, the first fifth for testing. Deepwell is "
        "given nothing but data and target; the others run with their default settings.",
        "",
    ]
    for name, one in SETS.items():
        rows = [row for row in result["scores"] if row["set"] == name]
        if rows and one.role == "goal":
            lines += [*_goal(one, sorted(rows, key=lambda row: row["split"])), ""]
    gathered = [row for row in result["scores"] if SETS[row["set"]].role != "goal"]
    if gathered:
        lines += [*_ranks(gathered), *_gathered(gathered), ""]
    days = sorted({row["day"] for row in result["scores"] if "day" in row})
    if days:
        lines += [f"Measured on {' and '.join(dict.fromkeys((days[0], days[-1])))}. "]
    lines += [in_words(result), *_commits(result["scores"])]
    return "\n".join(lines) + "\n"


def _commits(rows: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Say which divisions were measured at which commit, where there are several."""
    found: dict[str, list[str]] = {}
    for row in rows:
        if "commit" in row:
            found.setdefault(row["commit"], []).append(f"{row['set']} {row['split']}")
    if len(found) > 1:
        yield ""
        yield "Set and split by commit:"
        yield ""
        yield from (f"- {commit}: {', '.join(done)}" for commit, done in found.items())


def _goal(one: Set, rows: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    names = list(dict.fromkeys(contender for row in rows for contender in row["scores"]))
    direction = "higher is better" if one.is_higher_better else "lower is better"
    yield from (f"## {one.name}: {one.metric.upper()}, {direction}", "")
    yield _line(["split", *names])
    yield "| --- |" + " --: |" * len(names)
    for row in rows:
        yield _line(
            [row["split"], *(_number(row["scores"].get(n, {}).get("score")) for n in names)]
        )
    kept = [row for row in rows if row["split"] > 0]
    if len(kept) > 1:
        title = f"mean ± spread of splits {kept[0]['split']} to {kept[-1]['split']}"
        yield _line([title, *(_spread([r["scores"].get(n, {}) for r in kept]) for n in names)])
    seconds = [row["scores"]["deepwell"]["seconds"] for row in rows]
    yield from ("", f"`deepwell train` took {min(seconds):.0f} to {max(seconds):.0f} s in all.")
    if one.name in PUBLISHED:
        yield f"{PUBLISHED[one.name]}."


def _ranks(rows: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    yield from (
        "## Mean rank over the gathered sets",
        "",
        "Rank 1 is the best of the five on a set. The relative score is the score as a share of "
        "the best one (or, of an error, the best one as a share of it). Defaults may have been "
        "chosen on the sets for development, never on those held out.",
        "",
        "| sets | contender | mean rank | relative score | best on |",
        "| --- | --- | --: | --: | --: |",
    )
    for title, roles in GROUPS.items():
        table, names = standings(rows, [n for n, one in SETS.items() if one.role in roles])
        for standing in table:
            yield _line([f"{title} ({len(names)})", *_standing(standing)])
    yield ""


def _standing(standing: Standing) -> list[str]:
    return [
        TITLES[standing.contender],
        f"{standing.rank:.2f}",
        f"{standing.share:.3f}",
        str(standing.firsts),
    ]


def _gathered(rows: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    yield from (
        "## The gathered sets",
        "",
        f"Of sets with more than {MOST_ROWS:,} rows, {MOST_ROWS:,} drawn with seed 0. Several "
        "splits are averaged. AUC shall be high, RMSE and log loss low; – failed or was not run.",
        "",
        _line(["set", "role", "metric", "splits", *(TITLES[name] for name in CONTENDERS)]),
        "| --- | --- | --- | --: |" + " --: |" * len(CONTENDERS),
    )
    for name, one in SETS.items():
        own = [row for row in rows if row["set"] == name]
        if own:
            means = mean_scores(own)
            scores = [_number(means.get(contender)) for contender in CONTENDERS]
            metric = one.metric.upper().replace("_", " ")
            yield _line([name, one.role, metric, len(own), *scores])


def _line(cells: Sequence[object]) -> str:
    return f"| {' | '.join(map(str, cells))} |"


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:,.1f}" if value > 100 else f"{value:.4f}"


def _spread(found: Sequence[Mapping[str, Any]]) -> str:
    known = [one["score"] for one in found if one.get("score") is not None]
    if len(known) < 2:
        return "–"
    return f"{_number(statistics.mean(known))} ± {_number(statistics.stdev(known))}"
