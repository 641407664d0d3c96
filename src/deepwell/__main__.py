"""Where the command `deepwell` and `python -m deepwell` begin."""

import os
import signal
import sys

EXIT_INTERRUPTED = 130


def main() -> None:
    """Run the command line.

    Until a verb has imported what it needs, Ctrl-C ends the process at once: an exception could
    be lost in the imports of other packages. `cli.interrupt.stop_cleanly` ends that time.
    """
    _wait_politely()
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, _stop_at_once)
    from deepwell.cli.main import main as run

    run()


def _wait_politely() -> None:
    """Let the threads of a computation sleep soon when they wait for each other.

    By default they spin for milliseconds. Where other programs want the cores too, that stops
    everything: a convolutional step took 980 ms instead of 52 (docs/decisions/0010). The
    variable is read when torch is loaded, and what the user has set stays.
    """
    if not {"OMP_WAIT_POLICY", "GOMP_SPINCOUNT"} & set(os.environ):
        os.environ["GOMP_SPINCOUNT"] = "10000"


def _stop_at_once(*_: object) -> None:
    os.write(sys.__stderr__.fileno() if sys.__stderr__ else 2, b"\nStopped; nothing was written.\n")
    os._exit(EXIT_INTERRUPTED)


if __name__ == "__main__":
    main()
