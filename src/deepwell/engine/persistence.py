"""Persistence: the whole state of a training, to a checkpoint and back, bit for bit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from deepwell.engine.averaging import WeightAverage
from deepwell.engine.best import BestEpoch, copy_weights, weights_of
from deepwell.engine.checkpoint import Checkpoint, Checkpoints
from deepwell.engine.ledger import Ledger
from deepwell.engine.means import RunningMeans
from deepwell.engine.processes import ALONE, Processes
from deepwell.engine.settings import EngineSettings
from deepwell.engine.sharding import whole
from deepwell.engine.snapshot import check_fit, prefixed, random_state, set_random_state, under
from deepwell.engine.update import Update
from deepwell.errors import RunError

_MAY_DIFFER = {
    "device",
    "devices",
    "strategy",
    "log_every",
    "checkpoint_every",
    "health",
    "loggers",
}
"""Settings that may be changed in a resumed training: they do not change what is learned."""


def identity_of(
    settings: EngineSettings, *, seed: int, num_batches: int, has_val: bool
) -> dict[str, Any]:
    """Return what must be the same for a resume to be exact."""
    known = settings.model_dump(mode="json")
    kept = {name: value for name, value in known.items() if name not in _MAY_DIFFER}
    return {
        **kept,
        "seed": seed,
        "number of batches": num_batches,
        "validation rows": has_val,
    }


@dataclass(slots=True, kw_only=True)
class State:
    """Everything that a training changes.

    Args:
        model: The network, on its device.
        update: Optimizer and schedule.
        ledger: Counters and history.
        means: Running sums of the epoch.
        best: The best epoch so far.
        average: Mean weights, or None.
        device: Where the network is.
        generators: Of the user's own loaders.
        is_compiled: Whether the steps are compiled; None before that is decided.
        threads: With how many the processor computes; None before that is decided.
        processes: Those that train together.
        epoch_random: Random state at the start of the running epoch.
    """

    model: nn.Module
    update: Update
    ledger: Ledger
    means: RunningMeans
    best: BestEpoch
    average: WeightAverage | None
    device: torch.device
    generators: tuple[torch.Generator, ...] = ()
    is_compiled: bool | None = None
    threads: int | None = None
    processes: Processes = ALONE
    epoch_random: dict[str, Tensor] = field(init=False)

    def __post_init__(self) -> None:
        self.epoch_random = self.random()

    def random(self) -> dict[str, Tensor]:
        """Return the state of all random numbers that are drawn from."""
        own = {f"loader_{i}": one.get_state() for i, one in enumerate(self.generators)}
        return {**random_state(self.device), **own}

    def set_random(self, state: Mapping[str, Tensor]) -> None:
        """Put back what `random` returned."""
        set_random_state(state, self.device)
        for index, generator in enumerate(self.generators):
            if f"loader_{index}" in state:
                generator.set_state(state[f"loader_{index}"])

    def save(
        self, checkpoints: Checkpoints, identity: Mapping[str, Any], *, keeps_best: bool
    ) -> Path:
        """Copy the state for a checkpoint, which a thread then writes.

        Args:
            checkpoints: Where to.
            identity: See `identity_of`.
            keeps_best: Whether the weights of the best epoch are wanted at the end.

        Raises:
            OutputError: The one before could not be written; earlier ones stay.
        """
        has_best = keeps_best and self.best.epoch is not None
        is_current = self.best.epoch == self.ledger.epoch and self.ledger.position == 0
        tensors = {
            **prefixed("model", weights_of(self.model)),
            **prefixed("update", self.update.tensors()),
            **prefixed("random", self.random()),
            **prefixed("epoch_random", self.epoch_random),
        }
        if has_best and (self.average is not None or not is_current):
            tensors |= prefixed("best", self.best.weights or {})
        if self.average is not None:
            tensors |= prefixed("average", self.average.weights)
        if not self.processes.is_alone:
            # what is divided is put together, what each has for itself is gathered
            tensors = {**whole(tensors), **self._random_of_others()}
        means = self.processes.gather(torch.tensor(self.means.sums(), dtype=torch.float64))
        state = {
            "identity": identity,
            "ledger": self.ledger.to_json(),
            "means": self.means.totals(),
            "means_of": [sums.tolist() for sums in means],
            "best": {"epoch": self.best.epoch, "value": self.best.value, "is_kept": has_best},
            "update": self.update.to_json(),
            "average": None if self.average is None else self.average.to_json(),
            "is_compiled": self.is_compiled,
            "threads": self.threads,
        }
        return checkpoints.begin(
            self.ledger.step, tensors, state, is_writer=self.processes.is_first
        )

    def _random_of_others(self) -> dict[str, Tensor]:
        gathered = {n: self.processes.gather(t) for n, t in self.random().items()}
        return {
            f"random_of.{rank}.{name}": states[rank]
            for name, states in gathered.items()
            for rank in range(1, self.processes.size)
        }

    def resume(
        self, checkpoints: Checkpoints, identity: Mapping[str, Any]
    ) -> dict[str, Tensor] | None:
        """Go on from the latest checkpoint, if there is one.

        Returns:
            The random state in the middle of an epoch, or None at the start of one.

        Raises:
            RunError: It belongs to another training, or is not to be resumed.
        """
        # the first process may still be writing the last checkpoint of a training before this one
        self.processes.wait()
        if not checkpoints.resume and checkpoints.paths():
            raise RunError(
                f"{checkpoints.folder} holds checkpoints already: go on from them with "
                "Checkpoints(folder, resume=True), or choose another folder."
            )
        current = weights_of(self.model)

        def fits(checkpoint: Checkpoint) -> None:
            _check_identity(checkpoint.state.get("identity", {}), identity)
            check_fit(under("model", checkpoint.tensors), current)

        checkpoint = checkpoints.latest(fits, tells=self.processes.is_first)
        return None if checkpoint is None else self._load(checkpoint)

    def _load(self, checkpoint: Checkpoint) -> dict[str, Tensor] | None:
        tensors, state = checkpoint.tensors, checkpoint.state
        copy_weights(weights_of(self.model), under("model", tensors))
        self.update.load(under("update", tensors), state["update"])
        self.ledger.load(state["ledger"])
        rank, size = self.processes.rank, self.processes.size
        means = state.get("means_of", [state["means"]])
        rest = state["means"] if self.processes.is_first else [0.0] * len(state["means"])
        self.means.load(means[rank] if len(means) == size else rest)
        self._load_best(state["best"], under("best", tensors))
        if self.average is not None:
            self.average.load(under("average", tensors), state["average"])
        self.is_compiled = state.get("is_compiled")
        self.threads = state.get("threads")
        random = under("random" if rank == 0 else f"random_of.{rank}", tensors)
        if not random:  # one process more than before goes on with the numbers it has drawn
            random = self.random()
        self.set_random(random)
        if not self.ledger.position:
            return None
        self.epoch_random = under("epoch_random", tensors)
        return random

    def _load_best(self, state: Mapping[str, Any], weights: dict[str, Tensor]) -> None:
        if state["epoch"] is None:
            return
        self.best.note(state["value"], state["epoch"])
        if state["is_kept"]:
            self.best.keep(self.model)
            if weights:
                copy_weights(self.best.weights or {}, weights)


def _check_identity(saved: Mapping[str, Any], now: Mapping[str, Any]) -> None:
    # what an older version did not know was as it is by default now
    known = {**EngineSettings().model_dump(mode="json"), **saved}
    for name, value in now.items():
        if known.get(name) != value:
            raise RunError(
                f"The checkpoint was made with {name} = {known.get(name)}, and {value} is "
                "asked for now: resume with the settings of the first run, or start anew."
            )
