"""What a profile means: the largest part of a step, and what to do about it."""

from __future__ import annotations

from collections.abc import Mapping

from deepwell.engine.precision import Precision, processor_has_bfloat16
from deepwell.engine.settings import EngineSettings


def next_action(
    shares: Mapping[str, float],
    *,
    share_of_limit: float,
    settings: EngineSettings,
    precision: Precision,
) -> str:
    """Say in words where the time goes and what would help.

    Args:
        shares: Share of data, forward, backward, optimizer and engine, in all 1.
        share_of_limit: Rate of forward and backward over that of a large matrix product.
        settings: Of the training.
        precision: What it computes with.
    """
    larger = f"--batch-size {2 * settings.batch_size}"
    if shares["data"] > 0.3:
        return (
            f"{shares['data']:.0%} of a step goes into the data: leave out changes to the rows "
            "(augment, regularisation) one after the other and see which one costs so much."
        )
    if shares["optimizer"] > 0.35:
        return (
            f"{shares['optimizer']:.0%} of a step goes into the optimizer, whose work is the same "
            f"for a few rows and for many: try {larger}"
            + (", or an optimizer with less to compute." if _is_costly(settings) else ".")
        )
    if shares["engine"] > 0.25:
        return (
            f"{shares['engine']:.0%} of a step goes into counting and scores, because a step is "
            f"so short: try {larger}."
        )
    computing = f"{shares['forward'] + shares['backward']:.0%} of a step is forward and backward"
    if share_of_limit >= 0.5:
        return (
            f"{computing}, at {share_of_limit:.0%} of the machine's limit: only a smaller network, "
            "fewer rows or a faster machine make it faster."
        )
    remedies = [larger]
    if precision.autocast_type is None and _has_bfloat16(precision):
        remedies.append("--set engine.precision=bf16")
    if settings.compile == "off":
        remedies.append("--set engine.compile=auto")
    return (
        f"{computing}, at {share_of_limit:.0%} of the machine's limit: small or simple operations "
        f"do not fill the machine. Try {' or '.join(remedies)}."
    )


def _is_costly(settings: EngineSettings) -> bool:
    return settings.optimizer in ("muon", "lbfgs") or settings.sharpness is not None


def _has_bfloat16(precision: Precision) -> bool:
    return precision.device_type == "cuda" or (
        precision.device_type == "cpu" and processor_has_bfloat16()
    )
