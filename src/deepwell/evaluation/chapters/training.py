"""The chapter that tells how the network learned: curves, and what they say."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from deepwell.evaluation.figures import Line, curve
from deepwell.evaluation.metrics import METRICS
from deepwell.evaluation.numerals import count, duration, is_number, number
from deepwell.evaluation.rate_figure import range_test_figure
from deepwell.evaluation.record import Json, Record
from deepwell.evaluation.story import PARTS, Chapter

MOST_NOTES = 40


def training_chapter(record: Record) -> Chapter | None:
    """Return the learning curves and what they say."""
    epochs = record.epochs
    if not epochs:
        return _started_chapter(record)
    best = _best_epoch(epochs)
    figures = [_loss_figure(record, epochs, best)]
    figures.extend(_score_figure(epochs, name, best) for name in _score_names(epochs)[:2])
    rate = _points(epochs, None, "learning_rate")
    if len(rate[0]) > 1:
        figures.append(curve([Line("", *rate, "plain")], title="learning rate", may_be_log=False))
    figures.append(range_test_figure(record.range_test))
    view = {
        "figures": [figure for figure in figures if figure],
        "facts": _training_facts(record, epochs, best),
        "reading": " ".join(filter(None, [_whose(record), _reading(epochs, best)])),
        "notes": record.notes[:MOST_NOTES],
    }
    return Chapter("training", "How it learned", view)


def _whose(record: Record) -> str:
    """Say which of several trainings is shown, "" if there was one."""
    count_of_folds = record.race.get("folds") or record.folds.get("count") or 1
    ensemble = record.setting("ensemble")
    where = f" on the first of {count_of_folds} folds" if count_of_folds > 1 else ""
    name = record.race.get("shown")
    if name:
        return f"This is the training of {name}{where}."
    if where:
        return f"This is the training{where}."
    if is_number(ensemble) and ensemble > 1:
        return f"This is the first of {count(ensemble)} trainings."
    return ""


def _started_chapter(record: Record) -> Chapter | None:
    steps = record.steps
    xs, ys = _points(steps, None, "loss", x_key="step")
    if not xs:
        return None
    figure = curve([Line("training", xs, ys, "plain")], title="loss", x_title="step")
    facts = [("Steps logged", count(len(steps)))]
    view = {"figures": [figure], "facts": facts, "reading": "", "notes": record.notes[:MOST_NOTES]}
    return Chapter("training", "How it learned", view)


def _points(
    lines: Sequence[Json], part: str | None, key: str, *, x_key: str = "epoch"
) -> tuple[list[float], list[float]]:
    """Return the places and the values of one quantity, where it was recorded."""
    pairs: list[tuple[float, float]] = []
    for line in lines:
        values = line if part is None else line.get(part) or {}
        value, x = values.get(key), line.get(x_key)
        if is_number(value) and is_number(x):
            pairs.append((x, value))
    return [x for x, _ in pairs], [value for _, value in pairs]


def _best_epoch(epochs: Sequence[Json]) -> float | None:
    marked = [line["epoch"] for line in epochs if line.get("best")]
    return marked[-1] if marked else None


def _score_names(epochs: Sequence[Json]) -> list[str]:
    last = epochs[-1]
    names = {**(last.get("train") or {}), **(last.get("val") or {})}
    return [name for name in names if name != "loss"]


def _loss_figure(record: Record, epochs: Sequence[Json], best: float | None) -> Markup | None:
    lines = [
        Line("training", *_points(epochs, "train", "loss"), "plain"),
        Line("validation", *_points(epochs, "val", "loss"), "net"),
    ]
    lines = [line for line in lines if line.xs]
    if lines and len(epochs) <= 10:
        lines.insert(0, _batch_line(record.steps, epochs))
    return curve([line for line in lines if line.xs], title="loss", best=best) if lines else None


def _batch_line(steps: Sequence[Json], epochs: Sequence[Json]) -> Line:
    """Place the loss of single steps on the axis of epochs: useful when there are few epochs."""
    last = epochs[-1]
    if not (is_number(last.get("step")) and last["step"]):
        return Line("", [], [], "faint")
    xs, ys = _points(steps, None, "loss", x_key="step")
    return Line("", [x * last["epoch"] / last["step"] for x in xs], ys, "faint")


def _score_figure(epochs: Sequence[Json], name: str, best: float | None) -> Markup | None:
    lines = [
        Line("training", *_points(epochs, "train", name), "plain"),
        Line("validation", *_points(epochs, "val", name), "net"),
    ]
    lines = [line for line in lines if line.xs]
    title = score_title(name)
    return curve(lines, title=title, best=best) if lines else None


def score_title(name: str) -> str:
    """Return the title of a metric in the middle of a sentence.

    Example:
        >>> score_title("mae"), score_title("own_score"), score_title("rmse")
        ('mean absolute error', 'own score', 'RMSE')
    """
    if name not in METRICS:
        return name.replace("_", " ")
    title = METRICS[name].title
    return title if title[1:2].isupper() else title[:1].lower() + title[1:]


def _training_facts(
    record: Record, epochs: Sequence[Json], best: float | None
) -> list[tuple[str, str]]:
    planned = record.setting("engine", "epochs")
    done = count(len(epochs))
    facts = [("Epochs", f"{done} of {count(planned)}" if is_number(planned) else done)]
    if best is not None:
        at_best = next(line for line in epochs if line["epoch"] == best)
        facts.append(("Best epoch", count(best)))
        for part in ("train", "val"):
            loss = (at_best.get(part) or {}).get("loss")
            if is_number(loss):
                facts.append((f"{PARTS[part].capitalize()} loss there", number(loss)))
    seconds = [line["seconds"] for line in epochs if is_number(line.get("seconds"))]
    if seconds:
        facts.append(("Time per epoch", duration(sum(seconds) / len(seconds))))
    return facts


def _reading(epochs: Sequence[Json], best: float | None) -> str:
    """Say in words what the curves show."""
    xs, val = _points(epochs, "val", "loss")
    train = dict(zip(*_points(epochs, "train", "loss"), strict=True))
    if best is None or best not in xs or len(xs) < 3:
        return ""
    at_best, last = val[xs.index(best)], xs[-1]
    if best == last:
        return (
            "The best epoch is the last one: the network was still getting better, "
            "so more epochs may help."
        )
    is_fitting = train.get(last, 0.0) < train.get(best, 0.0)
    if val[-1] > 1.02 * at_best and is_fitting:
        return (
            f"After epoch {best:g} the training loss kept falling while the validation loss rose: "
            "the network began to learn the training rows by heart. The weights of the best epoch "
            "were kept."
        )
    return f"After epoch {best:g} the validation score no longer got better; its weights were kept."
