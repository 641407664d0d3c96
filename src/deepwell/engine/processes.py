"""Processes: those that train one network together, and what they tell each other.

With one process nothing here does anything. Several are joined by torch's launcher, by `torchrun`,
or by any cluster that has set up torch.distributed before.
"""

from __future__ import annotations

import atexit
import contextlib
import gc
import os
import signal
import threading
import time
from collections.abc import Generator, Sequence
from datetime import timedelta
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor

from deepwell.errors import TrainingError

_PATIENCE = timedelta(hours=24)
"""How long a process waits for another one that is alive, such as for the first one's scoring."""
_SECONDS_BETWEEN_LOOKS = 0.5
_SIGNS = ("gloo", "nccl", "connection closed", "connection reset", "broken pipe")


class LostPeerError(TrainingError):
    """Another process of the training has ended; its own message is the one that matters."""


class Processes:
    """The processes of a training, seen from one of them.

    Every method is called by all of them, in the same order.

    Args:
        rank: Number of this one, 0, 1, …
        size: How many there are.
        local_rank: Number on its machine.

    Example:
        >>> alone = Processes()
        >>> alone.is_first, alone.sum([1.0, 2.0]), alone.share("text")
        (True, [1.0, 2.0], 'text')
    """

    def __init__(self, rank: int = 0, size: int = 1, local_rank: int = 0) -> None:
        self.rank = rank
        self.size = size
        self.local_rank = local_rank
        self._host: Any = None
        if size > 1 and dist.get_backend() != "gloo":
            self._host = dist.new_group(backend="gloo", timeout=_PATIENCE)

    @classmethod
    def numbered(cls, rank: int, size: int) -> Processes:
        """Return one of several without joining them, for looking at how rows are shared."""
        processes = cls()
        processes.rank, processes.size = rank, size
        return processes

    @property
    def is_alone(self) -> bool:
        """Whether there is no other."""
        return self.size == 1

    @property
    def is_first(self) -> bool:
        """Whether this is the one that writes, prints and is asked."""
        return self.rank == 0

    def sum(self, values: Sequence[float]) -> list[float]:
        """Return the sums of numbers over all processes, in double precision."""
        if self.is_alone:
            return list(values)
        total = torch.tensor(values, dtype=torch.float64)
        dist.all_reduce(total, group=self._host)
        return total.tolist()

    def total(self, tensor: Tensor) -> Tensor:
        """Return the sum of a tensor over all processes, where it lies; nothing waits for it."""
        if self.is_alone:
            return tensor
        total = tensor.detach().clone()
        dist.all_reduce(total, group=self._host if total.device.type == "cpu" else None)
        return total

    def any(self, flag: bool) -> bool:
        """Return whether a flag is set in any process."""
        return flag if self.is_alone else self.sum([float(flag)])[0] > 0

    def gather(self, values: Tensor) -> list[Tensor]:
        """Return the tensors of all processes, on the processor; all have one shape and type."""
        mine = values.detach().cpu().contiguous()
        if self.is_alone:
            return [mine]
        found = [torch.empty_like(mine) for _ in range(self.size)]
        dist.all_gather(found, mine, group=self._host)
        return found

    def gather_texts(self, text: str) -> list[str]:
        """Return the texts of all processes."""
        if self.is_alone:
            return [text]
        data = torch.tensor(list(text.encode()), dtype=torch.uint8)
        lengths = [int(n) for n in self.gather(torch.tensor(len(data)))]
        room = torch.zeros(max(lengths), dtype=torch.uint8)
        room[: len(data)] = data
        parts = zip(self.gather(room), lengths, strict=True)
        return [bytes(part[:length].tolist()).decode() for part, length in parts]

    def share(self, text: str) -> str:
        """Return the text of the first process."""
        return self.gather_texts(text if self.is_first else "")[0]

    @contextlib.contextmanager
    def in_turn(self) -> Generator[None]:
        """Let the first process do something before the others begin with it."""
        if not self.is_first:
            self.wait()
        yield
        if self.is_first:
            self.wait()

    def wait(self) -> None:
        """Go on when all have come here."""
        self.sum([0.0])


ALONE = Processes()
_joined: Processes | None = None


def joined_processes() -> Processes:
    """Return the processes of this training, and join them first if a launcher has started them.

    A launcher says so in the variables WORLD_SIZE, RANK and LOCAL_RANK, as `torchrun` does. A
    group of torch.distributed that exists already is used as it is.

    Example:
        >>> joined_processes().is_alone
        True
    """
    global _joined
    if _joined is None and are_several():
        if not dist.is_initialized():
            backend = "cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo"
            dist.init_process_group(backend, timeout=_PATIENCE)
            atexit.register(_leave)
            _end_in_order()
            if "TORCHELASTIC_RUN_ID" in os.environ:
                _end_with(os.getppid())
        local_rank = int(os.environ.get("LOCAL_RANK", dist.get_rank()))
        _joined = Processes(dist.get_rank(), dist.get_world_size(), local_rank)
    return _joined or ALONE


def are_several() -> bool:
    """Return whether this process is one of several that train together."""
    if dist.is_available() and dist.is_initialized():
        return dist.get_world_size() > 1
    return int(os.environ.get("WORLD_SIZE") or 1) > 1 and "RANK" in os.environ


def is_lost_peer(error: BaseException) -> bool:
    """Return whether an error means that another process has gone.

    Example:
        >>> is_lost_peer(RuntimeError("[gloo/transport] Connection closed by peer"))
        True
    """
    text = str(error).lower()
    return isinstance(error, RuntimeError) and any(sign in text for sign in _SIGNS)


def lost_peer() -> LostPeerError:
    """Return the error of a process whose peers are gone."""
    refuse_to_end()
    return LostPeerError("Another process of this training has ended: see its message.")


def refuse_to_end() -> None:
    """Ignore SIGTERM from now on, in one of several processes: it is ending, and tidies up."""
    if are_several() and threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, signal.SIG_IGN)


def _end_in_order() -> None:
    """Let the end that a launcher asks for undo or keep what was begun, as an error does."""

    def end(*_: object) -> None:
        raise lost_peer()

    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, end)


def _end_with(launcher: int) -> None:
    """End this process soon after the launcher, which is its parent, has been killed.

    Otherwise it would train on, and write into the run folder that somebody else resumes.
    """

    def watch() -> None:
        while os.getppid() == launcher:
            time.sleep(_SECONDS_BETWEEN_LOOKS)
        os._exit(1)

    threading.Thread(target=watch, name="launcher", daemon=True).start()


def _leave() -> None:
    gc.collect()  # what still uses the group must go before it
    if dist.is_initialized():
        dist.destroy_process_group()
