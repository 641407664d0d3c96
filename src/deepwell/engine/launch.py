"""Launch: a command in several processes, through torch's elastic launcher, and how it ended.

Processes that were launched here do not print their mistakes: they hand them over, and one clear
sentence is made of them.
"""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import tempfile
import time
import traceback
from collections.abc import Generator, Mapping, Sequence
from pathlib import Path
from typing import Any

from deepwell import errors
from deepwell.errors import DeepwellError, TrainingError
from deepwell.files import read_json, write_json

_FOLDER = "DEEPWELL_FAILURES"
"""Variable that names the folder where launched processes leave their failures."""
_SECONDS_TO_END = 300
"""How long processes may take to save after Ctrl-C."""


def hand_over(error: BaseException) -> bool:
    """Leave an error for the process that launched this one; return whether there is one.

    Args:
        error: What ends this process.
    """
    folder = os.environ.get(_FOLDER)
    if folder is None:
        return False
    kind = type(error).__name__
    is_known = isinstance(error, DeepwellError | KeyboardInterrupt)
    text = str(error) if is_known else "".join(traceback.format_exception(error))
    rank = int(os.environ.get("RANK", "0"))
    failure = {"rank": rank, "kind": kind, "text": text, "is_known": is_known}
    write_json(Path(folder) / f"{rank}.json", {**failure, "time": time.time()})
    return True


def launch(command: Sequence[str], *, processes: int) -> int:
    """Run a command in several processes on this machine until all have ended.

    Each finds its number in the variables RANK, LOCAL_RANK and WORLD_SIZE. If one fails, the others
    are ended. Ctrl-C is passed on once.

    Args:
        command: Program and arguments.
        processes: How many.

    Returns:
        The largest exit code below 2: a process may say 1 for "done, but not well enough".

    Raises:
        DeepwellError: What the process said that failed first.
        KeyboardInterrupt: Ctrl-C ended them; with the words of the first process.
    """
    from torch.distributed.elastic.multiprocessing import SignalException
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
    from torch.distributed.launcher.api import LaunchConfig, elastic_launch

    with tempfile.TemporaryDirectory() as folder, _environment(folder, processes):
        config = LaunchConfig(
            min_nodes=1,
            max_nodes=1,
            nproc_per_node=processes,
            run_id="deepwell",
            rdzv_backend="c10d",
            rdzv_endpoint="localhost:0",
            max_restarts=0,
        )
        try:
            elastic_launch(config, command[0])(*command[1:])
        except ChildFailedError as error:
            codes = {rank: int(failure.exitcode) for rank, failure in error.failures.items()}
            return _explain(Path(folder), codes, processes)
        except SignalException as error:
            _explain(Path(folder), {}, processes)
            raise KeyboardInterrupt from error
    return 0


@contextlib.contextmanager
def _environment(folder: str, processes: int) -> Generator[None]:
    """Set what the processes shall find, and keep the launcher from printing; then undo it."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    wanted = {
        _FOLDER: folder,
        "OMP_NUM_THREADS": str(max(1, (cores or 1) // processes)),
        "TORCH_ELASTIC_SHUTDOWN_TIMEOUT": str(_SECONDS_TO_END),
        "TORCHELASTIC_SIGNALS_TO_HANDLE": "SIGTERM,SIGINT,SIGHUP",
    }
    wanted = {n: v for n, v in wanted.items() if n == _FOLDER or n not in os.environ}
    before = {name: os.environ.get(name) for name in wanted}
    handlers = {s: signal.getsignal(s) for s in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    loggers = [n for n in logging.root.manager.loggerDict if n.startswith("torch.distributed")]
    levels = {name: logging.getLogger(name).level for name in loggers}
    os.environ.update(wanted)
    for name in loggers:
        logging.getLogger(name).setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        for name, level in levels.items():
            logging.getLogger(name).setLevel(level)
        for number, handler in handlers.items():
            with contextlib.suppress(ValueError):  # only the main thread has signals
                signal.signal(number, handler)
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def _explain(folder: Path, codes: Mapping[int, int], processes: int) -> int:
    """Raise the failure that came first, not those that it caused in other processes."""
    found: list[dict[str, Any]] = [read_json(path) for path in sorted(folder.glob("*.json"))]
    causes = [failure for failure in found if failure["kind"] != "LostPeerError"]
    spoken = [failure for failure in causes if failure["kind"] == "KeyboardInterrupt"]
    if spoken:
        raise KeyboardInterrupt(*[f["text"] for f in spoken if f["text"]][:1])
    if causes:
        first = min(causes, key=lambda failure: (not failure["is_known"], failure["time"]))
        raise _error(first, processes)
    killed = {rank: -code for rank, code in codes.items() if code < 0 and code != -signal.SIGTERM}
    for rank, number in killed.items():
        raise TrainingError(
            f"Process {rank + 1} of {processes} was ended by {signal.Signals(number).name}, "
            "perhaps because the memory ran out, and the others with it. If the run has a "
            "checkpoint, go on with `deepwell resume RUN`."
        )
    if any(code not in (0, 1) for code in codes.values()):
        raise TrainingError(f"A process ended with exit code {max(codes.values())}.")
    return max(codes.values(), default=0)


def _error(failure: Mapping[str, Any], processes: int) -> Exception:
    kind = getattr(errors, failure["kind"], None)
    if isinstance(kind, type) and issubclass(kind, DeepwellError):
        return kind(failure["text"])
    return RuntimeError(
        f"Process {failure['rank'] + 1} of {processes} has failed:\n{failure['text']}"
    )
