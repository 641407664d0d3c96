"""The search: every column by itself against the target, on a sample of the training rows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from deepwell.data.schema import Schema
from deepwell.data.table import Table
from deepwell.evaluation.intervals import Interval
from deepwell.evaluation.leakage import words
from deepwell.evaluation.leakage.alone import (
    Feature,
    answers_alone,
    answers_together,
    closest,
    coded,
    feature,
    folds,
    numbered,
)
from deepwell.evaluation.leakage.dependence import duplicates, summands, tie, told_by_gaps
from deepwell.evaluation.leakage.disguise import neighbours, share_a_word
from deepwell.evaluation.leakage.finding import SEVERITIES, Leak, Severity
from deepwell.evaluation.leakage.question import Question, questions
from deepwell.evaluation.means import Floats
from deepwell.tasks.base import Task

MOST_ROWS = 5000
FEWEST_SAMPLED = 1000
MOST_CELLS = 250_000
"""Rows × columns that are looked at: wide tables are judged by fewer rows."""
MOST_MODELS = 100
"""Of a wider table, the columns that look closest to the target get a model of their own."""
MOST_COMPARISONS = 3
"""How often the other columns are put together to be compared with one."""

STRONG, NAMED, CERTAIN = 0.8, 0.85, 0.97
"""Skill of a column alone: 0 = chance, 1 = perfect. See `_verdict`."""
NEAR_PERFECT, NEAR_PERFECT_NUMBER = 0.96, 0.985
"""From here on a column has hardly any error of its own; columns of numbers that predict a number
are measured more finely, and honest ones come closer."""
FAR, FARTHER = 2.0, 3.0
"""How many times the error of all others must be larger."""
REPEATED = 0.5
"""A number whose neighbours tell the target in so many rows to a hundredth of its spread is the
target in disguise; measurements, however good, spread their errors wider."""
PERFECT = 0.998
"""So good alone is never ordinary, whatever the others reach."""
SORTED, GAPS, TOLD = 0.5, 0.85, 0.9
"""Skill from which numbers of rows and properties of files, and gaps, are suspect; and from which
all of them are a leak."""


def find_leaks(
    task: Task,
    schema: Schema,
    train: Table,
    *,
    pictures: Sequence[Path] | None = None,
    seed: int = 0,
) -> tuple[Leak, ...]:
    """Find columns that give the target away, on training rows only.

    Each input column is tested for an exact tie with the target, and scored by a small
    cross-validated model of its own on at most 5,000 rows (R² for numbers, ROC AUC for two
    classes, balanced accuracy for several). A good score alone is no leak, nor is it one that
    the others do not reach: a strong column is often the honest heart of a question. It is called
    a leak if its score is nearly perfect, or if it repeats the target in most rows, and if the
    errors of all others together are three times as large; suspect if only one of both holds, or
    if it is twice as good as all others and named after the target. The rest is a note.

    Limits: wide tables are judged by fewer rows, 1,000 at the least; of more than 100 columns,
    the 100 that look closest to the target are scored, the others only tested for a tie; of more
    than five targets the first five are looked at.

    Args:
        task: The question.
        schema: Roles and kinds of the columns.
        train: Rows to learn from; their ids tell the order in the file.
        pictures: The file of each row's picture, where there are such files.
        seed: For the sample and the folds.

    Returns:
        The worst first; one finding a column.

    Example:
        >>> import polars as pl
        >>> from deepwell.data.infer import infer_schema
        >>> from deepwell.tasks import TaskSettings, formulate
        >>> noise = np.random.default_rng(0).normal(size=(2, 200))
        >>> price = 100 + noise[0]
        >>> table = Table({"rooms": pl.Series(noise[0] + noise[1]), "tax": pl.Series(price * 0.2),
        ...                "price": pl.Series(price)})
        >>> schema = infer_schema(table, targets=["price"])
        >>> asked = TaskSettings()
        >>> task = formulate(schema, table, asked).fit(table, asked)
        >>> [(leak.column, leak.kind, leak.severity) for leak in find_leaks(task, schema, table)]
        [('tax', 'function', 'leak')]
    """
    inputs = schema.inputs
    rows = _sample(len(train), len(inputs), seed)
    sample = train if len(rows) == len(train) else train.take(rows)
    files = None if pictures is None else [pictures[row] for row in rows]
    columns = [(spec, feature(spec, sample[spec.name])) for spec in inputs]
    features = [one for _, one in columns if one is not None and one.values.shape[1]]
    dates = {spec.name for spec in inputs if spec.kind == "date"}
    has_pictures = any(spec.kind == "image" for spec in inputs)
    found: list[Leak] = []
    for question in questions(task, sample):
        search = _Search(question, features, dates, seed, num_rows=schema.num_rows)
        found += search.run()
        found += search.of_files(files) if has_pictures else search.of_order(sample.ids)
    found += [words.duplicate(names) for names in duplicates(features)]
    return _worst_first(found)


def _sample(num_rows: int, num_columns: int, seed: int) -> NDArray[np.int64]:
    limit = int(np.clip(MOST_CELLS // max(1, num_columns), FEWEST_SAMPLED, MOST_ROWS))
    if num_rows <= limit:
        return np.arange(num_rows)
    return np.sort(np.random.default_rng(seed).choice(num_rows, limit, replace=False))


def _worst_first(found: Sequence[Leak]) -> tuple[Leak, ...]:
    """Keep the worst finding of each column; notes on pairs and order stand by themselves."""
    kept: dict[tuple[str, str], Leak] = {}
    for leak in sorted(found, key=lambda one: SEVERITIES.index(one.severity)):
        about = leak.kind if leak.severity == "note" else ""
        kept.setdefault((leak.column, about), leak)
    return tuple(kept.values())


class _Search:
    """The search for one target.

    Args:
        question: The target.
        features: The input columns, of the same rows.
        dates: Names of those that are dates.
        seed: For the folds and intervals.
        num_rows: Rows of the whole table.
    """

    def __init__(
        self,
        question: Question,
        features: Sequence[Feature],
        dates: set[str],
        seed: int,
        *,
        num_rows: int,
    ) -> None:
        self._question = question
        self._features = {one.name: one for one in features}
        self._dates = dates
        self._seed = seed
        self._num_rows = num_rows
        self._fold = folds(len(question.truth), seed)

    def run(self) -> list[Leak]:
        """Return what the columns give away."""
        question = self._question
        chosen = closest(list(self._features.values()), question, MOST_MODELS)
        answers = {one.name: self._alone(one) for one in chosen}
        skills = {n: question.skill(question.score(a)) for n, a in answers.items()}
        found: dict[str, Leak] = {}
        for name, one in self._features.items():
            leak = self._exact(one) or self._gaps(one)
            if leak is None and name in answers:
                leak = self._counter(one, answers[name], skills[name])
            if leak is not None:
                found[name] = leak
        names, is_plain = summands(list(self._features.values()), question)
        if names and not found.keys() & set(names):
            found[names[0]] = words.summed(names, question, is_plain=is_plain)
        others = {n: s for n, s in skills.items() if n not in found}
        return [*found.values(), *self._far_ahead(others, answers)]

    def of_order(self, ids: NDArray[np.int64]) -> Iterator[Leak]:
        """Yield a note if the place of a row predicts the target."""
        answers = self._alone(numbered("", ids))
        if self._question.skill(self._question.score(answers)) >= SORTED:
            yield words.order(self._question, self._interval(answers))

    def of_files(self, files: Sequence[Path] | None) -> Iterator[Leak]:
        """Yield what size, format or name of picture files tell about the class."""
        if files is None or not self._question.labels:
            return
        from deepwell.data.picture_facts import picture_facts

        facts = picture_facts(files)
        sizes = np.stack([facts[n].fill_null(0).to_numpy() for n in ("width", "height")], axis=1)
        clues = {
            "size": Feature("size", sizes.astype(np.float64)),
            "format": coded("format", facts["format"]),
            "file name": coded("file name", facts["name"]),
        }
        for name, clue in clues.items():
            answers = self._alone(clue)
            skill = self._question.skill(self._question.score(answers))
            if skill >= SORTED:
                severity: Severity = "leak" if skill >= TOLD else "suspect"
                severity = "note" if name == "file name" else severity
                yield words.picture(name, self._question, self._interval(answers), severity)

    def _alone(self, one: Feature) -> Floats:
        return answers_alone(one, self._question, self._fold)

    def _interval(self, answers: Floats) -> Interval:
        return self._question.interval(answers, self._seed)

    def _exact(self, one: Feature) -> Leak | None:
        kind = tie(one, self._question)
        if kind is None:
            return None
        score = self._interval(self._alone(one))
        levels = len(np.unique(self._question.truth[~one.is_missing]))
        is_coarse = one.distinct < levels
        return words.tied(kind, one.name, self._question, score, is_coarse=is_coarse)

    def _gaps(self, one: Feature) -> Leak | None:
        told = told_by_gaps(one, self._question)
        if told.skill < GAPS:
            return None
        severity: Severity = "leak" if told.skill >= TOLD else "suspect"
        is_missing = Feature(one.name, one.is_missing[:, None].astype(np.float64), is_code=True)
        score = self._interval(self._alone(is_missing))
        return words.gaps(one.name, self._question, told, severity, score)

    def _counter(self, one: Feature, answers: Floats, skill: float) -> Leak | None:
        if skill < SORTED or not self._numbers_rows(one):
            return None
        is_date = one.name in self._dates
        severity: Severity = "leak" if skill >= TOLD and not is_date else "suspect"
        score = self._interval(answers)
        return words.counter(one.name, self._question, score, severity, is_date=is_date)

    def _numbers_rows(self, one: Feature) -> bool:
        """Say whether all values are different, and are whole numbers close together or dates."""
        if one.raw is None or one.is_missing.any() or one.distinct < len(one.raw):
            return False
        if one.name in self._dates:
            return True
        is_dense = np.ptp(one.raw) <= 4 * self._num_rows
        return bool(is_dense and (one.raw == np.round(one.raw)).all())

    def _far_ahead(
        self, skills: Mapping[str, float], answers: Mapping[str, Floats]
    ) -> Iterator[Leak]:
        """Yield columns far ahead of all others; those that are only strong share a note."""
        order = sorted((n for n in skills if skills[n] >= STRONG), key=lambda n: -skills[n])
        certain = [name for name in order if skills[name] >= CERTAIN]
        compared: dict[str, float | None] = {}
        honest: list[str] = []
        for name in order:
            left_out = set(certain) | {name}
            key = "" if name in certain else name
            if key not in compared and (honest or len(compared) >= MOST_COMPARISONS):
                honest.append(name)  # the best of its kind is honest, so are the lesser ones
                continue
            if key not in compared:
                compared[key] = self._together([n for n in skills if n not in left_out])
            others = compared[key]
            behind = self._behind(skills[name], others)
            severity = self._verdict(name, skills[name], behind)
            if severity is None and behind < FAR:
                honest.append(name)
                continue
            score = self._interval(answers[name])
            if severity is None:
                yield words.ahead(name, self._question, score, others=others)
            else:
                yield words.alone(name, self._question, score, severity, others=others)
        if honest:
            yield words.strong(honest, self._question, self._interval(answers[honest[0]]))

    def _together(self, names: Sequence[str]) -> float | None:
        if not names:
            return None
        chosen = [self._features[name] for name in names]
        answers, rows = answers_together(chosen, self._question, self._fold)
        return self._question.score(answers, rows)

    def _behind(self, skill: float, others: float | None) -> float:
        """Return how many times the error of all others is larger; without others it is not."""
        if others is None:
            return 1.0
        return (1 - self._question.skill(others)) / max(1 - skill, 1e-6)

    def _verdict(self, name: str, skill: float, behind: float) -> Severity | None:
        """Judge a column by its skill alone, by how it errs, and by how far the others are."""
        nearest = neighbours(self._features[name], self._question)
        skill = max(skill, nearest.skill)
        is_repeated = nearest.hits >= REPEATED
        is_near_perfect = skill >= (NEAR_PERFECT_NUMBER if nearest.is_known else NEAR_PERFECT)
        if behind >= FARTHER and (is_near_perfect or is_repeated):
            return "leak"
        if skill >= PERFECT or is_repeated:
            return "suspect"
        is_namesake = share_a_word(name, self._question.target)
        return "suspect" if is_namesake and skill >= NAMED and behind >= FAR else None
