"""The chapter on the models that competed, and the rows of its table, also for the terminal."""

from __future__ import annotations

from dataclasses import dataclass

from deepwell.evaluation.numerals import duration, fixed, metric_texts, percent, plural
from deepwell.evaluation.record import Json, Record
from deepwell.evaluation.story import Chapter


@dataclass(frozen=True, slots=True)
class Competitor:
    """A model of the race, in texts.

    Args:
        name: What it is.
        score: The metric that decides on held-out rows, "" if it was not finished.
        loss: What ranks them, on the same rows, "" where that is the metric itself.
        seconds: Time that it took.
        share: Of the answers of the model that is kept.
        reason: Why it was left out or ended early.
        is_kept: Whether it answers.
    """

    name: str
    score: str
    loss: str
    seconds: str
    share: str
    reason: str
    is_kept: bool


def competitors(race: Json) -> list[Competitor]:
    """Return the rows of the table: the best first, those that were left out last."""
    done = [model for model in race["models"] if model["loss"] is not None]
    left_out = [model for model in race["models"] if model["loss"] is None]
    return [
        Competitor(
            name=model["name"],
            score=_score(race, model["score"]),
            loss=_loss(race, model["loss"]),
            seconds=duration(model["seconds"]) if model["seconds"] else "",
            share=percent(model["weight"], 0) if model["weight"] else "",
            reason=model["reason"],
            is_kept=model["weight"] > 0,
        )
        for model in [*sorted(done, key=lambda model: model["loss"]), *left_out]
    ]


def _loss(race: Json, loss: float | None) -> str:
    return fixed(loss, 4) if ranks_by_loss(race) and loss is not None else ""


def ranks_by_loss(race: Json) -> bool:
    """Say whether the loss, which ranks the models, is another number than the metric."""
    return race["metric"] != "rmse" and len(race["models"]) > 1


def how_ranked(race: Json) -> str:
    """Say what ranks and mixes the models, "" where it is the metric itself."""
    if not ranks_by_loss(race):
        return ""
    return "The loss ranks and mixes them: unlike a count of right answers, it sees small gains."


def blend_loss(race: Json) -> str:
    """Return the loss of the model that is kept, "" where it is not shown."""
    return _loss(race, race.get("loss"))


def where(race: Json) -> str:
    """Say on which rows they were compared."""
    rows = plural(race["rows"], "row")
    if race["folds"] == 1:
        return f"{rows} that none of them learned from"
    return f"{rows}, each held out from training once ({race['folds']} folds)"


def is_blend(race: Json) -> bool:
    """Say whether several models answer together."""
    return sum(model["weight"] > 0 for model in race["models"]) > 1


def blend_score(race: Json) -> str:
    """Return the score of the model that is kept."""
    return _score(race, race["score"])


def race_chapter(record: Record) -> Chapter | None:
    """Return the models that competed, if several did."""
    race = record.race
    if not race:
        return None
    view = {
        "verdict": race["verdict"],
        "where": where(race),
        "metric": race["title"],
        "models": competitors(race),
        "ranking": how_ranked(race),
        "blend_loss": blend_loss(race),
        "blend": blend_score(race) if is_blend(race) else "",
        "has_reasons": any(model["reason"] for model in race["models"]),
    }
    return Chapter("race", "Models that competed", view)


def _score(race: Json, score: float | None) -> str:
    return "" if score is None else metric_texts(race["metric"], {"value": score})[0]
