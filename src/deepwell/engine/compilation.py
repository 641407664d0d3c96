"""Deciding whether to compile: by what was asked, by measuring, and by what was decided before."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import statistics
import time
from collections.abc import Callable, Iterator
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import torch

from deepwell.engine.agreement import WrongProgramError
from deepwell.engine.compiled import Program, compiled_step, untouched
from deepwell.engine.settings import EngineSettings
from deepwell.engine.whole import RULES, WholeStep, is_plain
from deepwell.errors import OutputError
from deepwell.files import read_json, write_json
from deepwell.types import Batch

if TYPE_CHECKING:
    from deepwell.engine.trainer import Trainer

Step = Callable[["Trainer", Iterator[Batch]], bool]
WARM_UP, WATCHED = 5, 20
"""Steps that are not measured at the start, and those that are measured behind them."""
SHORTEST = 180.0
"""Seconds that must be left: compiling takes 3 to 30 of them and saves a fifth of the rest."""
WORTH = 0.93
"""Share of the former time that a compiled step may take at most."""
_MOST_REMEMBERED = 500


class CompilingStep:
    """The step of a training that may be compiled.

    With "on" the first batch is compiled. With "auto" the first steps are measured as they are; if
    so much is left to do that compiling may pay, it is tried on the batch at hand, and kept if it
    is faster. What was decided is written down for this machine, so that the same training takes
    the same way again, bit for bit, and into each checkpoint.

    Args:
        choice: From the settings.
        otherwise: The step that is not compiled.
        memory: File of earlier decisions; None: `memory_path`.
    """

    def __init__(
        self, choice: Literal["auto", "on"], otherwise: Step, *, memory: Path | None = None
    ) -> None:
        self._choice = choice
        self._otherwise = otherwise
        self._memory = memory or memory_path()
        self._program: Program | None = None
        self._whole: WholeStep | None = None
        self._is_whole_tried = False
        self._is_decided = False
        self._began = 0.0
        self._seconds: list[float] = []

    def __call__(self, trainer: Trainer, rows: Iterator[Batch]) -> bool:
        """Do one optimizer step; return False if the epoch has no batch left."""
        if self._program is not None:
            if not self._is_whole_tried and trainer.ledger.step > 0:
                rows = self._join(self._program, trainer, rows)
            return compiled_step(self._program, self._whole, trainer, rows)
        if self._is_decided:
            return self._otherwise(trainer, rows)
        batch = next(rows, None)
        if batch is None:
            return False
        if self._is_time(trainer):
            self._is_decided = True
            self._decide(trainer, batch)
        return (
            self(trainer, chain([batch], rows))
            if self._is_decided
            else self._watch(trainer, chain([batch], rows))
        )

    def _is_time(self, trainer: Trainer) -> bool:
        is_known = self._choice == "on" or trainer.state.is_compiled is not None
        return is_known or len(self._seconds) == WARM_UP + WATCHED

    def _watch(self, trainer: Trainer, rows: Iterator[Batch]) -> bool:
        _wait_for(trainer.device)
        began = time.perf_counter()
        done = self._otherwise(trainer, rows)
        _wait_for(trainer.device)
        self._seconds.append(time.perf_counter() - began)
        return done

    def _decide(self, trainer: Trainer, batch: Batch) -> None:
        known = True if self._choice == "on" else trainer.state.is_compiled
        if known is None:
            key = key_of(trainer, batch)
            known = recall(self._memory, key)
            if known is None:
                known = self._try(trainer, batch)
                remember(self._memory, key, known)
        if known and self._program is None:
            self._compile(trainer, batch)
        # only now: a trial that is refused leaves the optimizer's step as it was
        if self._program is not None and self._is_whole_tried:
            trainer.state.update.compile()
        trainer.state.is_compiled = self._program is not None

    def _try(self, trainer: Trainer, batch: Batch) -> bool:
        """Compile if much is left to do, and compare."""
        step = statistics.median(self._seconds[WARM_UP:])
        left = step * (trainer.total_steps - trainer.ledger.step)
        if left < SHORTEST:
            trainer.compilation = ""
            return False
        self._compile(trainer, batch)
        if self._program is None:
            return False
        program = self._program
        before = seconds_of(lambda: plain_gradient(trainer, batch), trainer)
        after = seconds_of(lambda: program.run(batch), trainer)
        ratio = before / after
        if after > WORTH * before:
            self._program = None
            trainer.compilation = (
                f"Not compiled: tried, and a step would be {ratio:.2f} times as fast."
            )
            return False
        trainer.compilation += f" Loss and gradients are {ratio:.2f} times as fast."
        return True

    def _compile(self, trainer: Trainer, batch: Batch) -> None:
        missing = missing_compiler(trainer.device)
        program = Program(trainer.model, trainer.task, trainer.precision)
        began = time.perf_counter()
        try:
            if missing:
                trainer.compilation = f"Not compiled: {missing}."
                return
            program.compile(batch)
        except WrongProgramError as error:
            trainer.compilation = f"Not compiled: {error}."
            return
        except Exception as error:  # the compiler raises whatever it likes
            reason = str(error).strip().partition("\n")[0].rstrip(".")
            trainer.compilation = f"Not compiled: {type(error).__name__}: {reason}."
            return
        self._program = program
        self._is_whole_tried = not _can_be_whole(trainer)
        trainer.compilation = f"Compiled in {time.perf_counter() - began:.0f} s."
        if program.is_recorded:
            trainer.compilation += " A CUDA graph is replayed."

    def _join(self, program: Program, trainer: Trainer, rows: Iterator[Batch]) -> Iterator[Batch]:
        """Join gradients and update in one program; the first step has made the state for it."""
        batch = next(rows, None)
        if batch is None:
            return rows
        if program.fits(batch):
            self._is_whole_tried = True
            update = trainer.state.update
            whole = WholeStep(program, update.optimizer, tuple(trainer.task.score_names))
            try:
                whole.compile(batch)
                self._whole = whole
            except Exception:  # the compiler raises whatever it likes: the two parts remain
                update.compile()
        return chain([batch], rows)


def compiling_step(settings: EngineSettings, plain: Step) -> Step:
    """Return a step that may be compiled, or the plain one where the settings rule that out.

    Example:
        >>> compiling_step(EngineSettings(precision="fp16"), len) is len
        True
    """
    change = settings.regularisation
    if settings.compile == "off" or settings.precision == "fp16" or change.mixup or change.cutmix:
        return plain
    return CompilingStep(settings.compile, plain)


def _can_be_whole(trainer: Trainer) -> bool:
    known = type(trainer.state.update.optimizer) in RULES
    return known and is_plain(trainer.settings, trainer.device)


def missing_compiler(device: torch.device) -> str:
    """Return why nothing can be compiled for a device, or "" if a compiler is there.

    Example:
        >>> missing_compiler(torch.device("mps"))
        'there is no compiler for mps'
    """
    if device.type == "cuda":
        return ""
    if device.type != "cpu":
        return f"there is no compiler for {device.type}"
    names = [os.environ.get("CXX", ""), "g++", "clang++", "cl"]
    if any(name and shutil.which(name) for name in names):
        return ""
    return "there is no C++ compiler (g++ or clang++) on this machine"


def memory_path(about: str = "compilation") -> Path:
    """Return a file of decisions: in the user's cache folder, or where XDG_CACHE_HOME says."""
    cache = os.environ.get("XDG_CACHE_HOME")
    return Path(cache or Path.home() / ".cache") / "deepwell" / f"{about}.json"


def recall(path: Path, key: str) -> int | None:
    """Return what was decided for a key, or None.

    Example:
        >>> recall(Path("nowhere.json"), "key") is None
        True
    """
    try:
        found = read_json(path).get(key)
    except (OSError, ValueError, AttributeError):
        return None
    return found if isinstance(found, int) else None


def remember(path: Path, key: str, decision: int) -> None:
    """Write a decision down; where nothing can be written, it is made again next time."""
    try:
        known = dict(read_json(path))
    except (OSError, ValueError, TypeError):
        known = {}
    known[key] = decision
    kept = dict(list(known.items())[-_MOST_REMEMBERED:])
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_json(path, kept)
    except (OSError, OutputError):
        return


def key_of(trainer: Trainer, batch: Batch) -> str:
    """Name a training by all that its speed depends on."""
    facts: dict[str, Any] = {
        "torch": torch.__version__,
        "device": str(trainer.device),
        "threads": torch.get_num_threads(),
        "precision": trainer.precision.sentence,
        "model": str(trainer.model),
        "parameters": [tuple(p.shape) for p in trainer.model.parameters()],
        "batch": [tuple(block.shape) for block in batch.inputs],
        "steps": trainer.total_steps,
    }
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:32]


def plain_gradient(trainer: Trainer, batch: Batch) -> None:
    """Compute loss, scores and gradients of a batch as an uncompiled step does, and forget them."""
    with trainer.precision.for_training():
        loss, outputs = trainer.task.training_step(trainer.model, batch)
    with torch.no_grad():
        trainer.task.scores(outputs.detach(), batch.targets)
    (loss.sum / loss.weight.detach()).backward()
    trainer.forget_gradients()


def seconds_of(compute: Callable[[], object], trainer: Trainer, *, trials: int = 5) -> float:
    """Return what computing loss and gradients of a batch takes at best; nothing is changed."""
    taken: list[float] = []
    with untouched(trainer.model, trainer.device):
        for _ in range(trials):
            _wait_for(trainer.device)
            began = time.perf_counter()
            compute()
            _wait_for(trainer.device)
            taken.append(time.perf_counter() - began)
    return min(taken)


def _wait_for(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
