"""Ctrl-C: at once while nothing has begun, cleanly from then on."""

import signal
import threading


def stop_cleanly() -> None:
    """Let Ctrl-C raise KeyboardInterrupt from here on, so that work can be kept or undone.

    Called by a verb when its imports are done. A signal that is ignored stays ignored.
    """
    is_main = threading.current_thread() is threading.main_thread()
    if is_main and signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
