"""A process of a race: learns once what is raced for, then trains what it is asked to."""

from __future__ import annotations

import os
import pickle
import signal
import sys
import traceback
from typing import BinaryIO

from deepwell.errors import DeepwellError
from deepwell.workflows.contest import Contest, Trained, Training, train_part


def main(questions: BinaryIO, answers: BinaryIO) -> None:
    """Answer until there is no further question.

    Args:
        questions: Gives the contest, and then trainings.
        answers: Takes what each left, or the error that it raised.
    """
    contest: Contest = pickle.load(questions)
    while True:
        try:
            training: Training = pickle.load(questions)
        except EOFError:
            return
        pickle.dump(_answer(contest, training), answers)
        answers.flush()


def _answer(contest: Contest, training: Training) -> Trained | Exception:
    try:
        return train_part(contest, training)
    except DeepwellError as error:
        return error
    except Exception as error:
        # a fault of the program: told with the place where it happened, which a pickle loses
        return RuntimeError("".join(traceback.format_exception(error)))


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    channel = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever is printed must not get between the answers
    main(sys.stdin.buffer, channel)
