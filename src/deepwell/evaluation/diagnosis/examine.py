"""Examining a run: all rules, the most serious finding first."""

from __future__ import annotations

from collections.abc import Callable

from deepwell.evaluation.diagnosis import answer_rules as answers
from deepwell.evaluation.diagnosis import fit_rules as fits
from deepwell.evaluation.diagnosis import flow_rules as flows
from deepwell.evaluation.diagnosis import pace_rules as pace
from deepwell.evaluation.diagnosis.finding import SEVERITIES, Finding
from deepwell.evaluation.diagnosis.growth import more_data
from deepwell.evaluation.diagnosis.labels import label_noise
from deepwell.evaluation.diagnosis.resampling import bias_and_variance
from deepwell.evaluation.diagnosis.symptoms import Symptoms

Rule = Callable[[Symptoms], Finding | None]
RULES: tuple[Rule, ...] = (
    flows.alike_units,
    pace.rate_too_high,
    flows.exploding,
    flows.vanishing,
    flows.dead_units,
    flows.saturated_units,
    pace.rate_too_low,
    answers.leak,
    answers.later_rows_differ,
    answers.noise_floor,
    fits.underfitting,
    fits.overfitting,
    fits.unconverged,
    fits.impatient,
    label_noise,
    answers.forgotten_class,
    more_data,
    bias_and_variance,
    answers.thin_test,
    answers.few_rows,
)
"""Rules in the order in which their findings of one severity are told: causes before effects."""
_OF_ONE_NETWORK: tuple[Rule, ...] = (
    *(flows.alike_units, flows.exploding, flows.vanishing, flows.dead_units, flows.saturated_units),
    *(pace.rate_too_high, pace.rate_too_low, fits.unconverged, fits.impatient, fits.overfitting),
)
"""Rules about one training, whose curves say nothing about models that were put together."""
_SICK = (
    *("alike_units", "rate_too_high", "exploding", "vanishing_gradients", "dead_units"),
    *("saturated_units", "rate_too_low", "underfitting"),
)
"""A network with one of these has not learned: what it does on other rows tells of the disease."""
_EXPLAINED_BY = {
    "underfitting": (
        *("rate_too_low", "rate_too_high", "vanishing_gradients", "exploding"),
        *("dead_units", "saturated_units", "alike_units", "leak"),
    ),
    "unconverged": ("rate_too_low", "rate_too_high"),
    "overfitting": ("noise_floor", "later_rows_differ"),
    "boosting_is_better": ("underfitting", "leak", "noise_floor"),
    "linear_is_better": ("underfitting", "leak", "noise_floor"),
    "saturated_units": ("exploding",),
    "dead_units": ("rate_too_high",),
    "rate_too_low": ("dead_units", "vanishing_gradients", "exploding", "alike_units"),
    **dict.fromkeys(("bias", "variance", "more_data", "more_data_unsure", "enough_data"), _SICK),
    "label_noise": ("rate_too_low", "vanishing_gradients", "exploding", "alike_units"),
}
"""A finding → findings that are its cause, which alone are told then (if not mere notes)."""


def examine(symptoms: Symptoms) -> tuple[Finding, ...]:
    """Return what is found in a run, the most serious first; () if all is well."""
    is_race = bool(symptoms.record.race)
    rules = [rule for rule in RULES if not (is_race and rule in _OF_ONE_NETWORK)]
    found = [finding for rule in rules if (finding := rule(symptoms)) is not None]
    found += answers.simpler_is_better(symptoms)
    grave = {finding.name for finding in found if finding.severity != "note"}
    told = [one for one in found if not grave.intersection(_EXPLAINED_BY.get(one.name, ()))]
    return tuple(sorted(told, key=lambda one: SEVERITIES.index(one.severity)))
