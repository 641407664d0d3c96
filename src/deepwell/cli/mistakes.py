"""Mistakes in how a command is written, in the words of the house: what is expected, and where."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from deepwell.errors import did_you_mean

KINDS = {
    "integer": ("a whole number", "20"),
    "number": ("a number", "0.01"),
    "float": ("a number", "0.01"),
}
"""Type of an option, as the parser calls it → as we call it, and an example."""
NOT_VALID = re.compile(r"\bvalid (\w+)")


def usage_sentence(error: Any, words: Sequence[str]) -> str | None:
    """Say in one sentence what is wrong with a command line; None if its help is to be shown.

    Args:
        error: What the parser of the command line raised.
        words: The command line, without the program.
    """
    what = type(error).__name__
    if what == "NoArgsIsHelpError":
        return None
    path = " ".join(["deepwell", *_verbs(error.ctx)])
    if what == "NoSuchOption":
        return _unknown_option(error, path)
    if what == "MissingParameter":
        return _missing(error, path)
    if what == "BadParameter" and error.param is not None:
        return _wrong_value(error, words)
    if what == "BadOptionUsage":
        return f"{error.option_name} needs a value after it. {_help(path)}"
    if error.ctx is not None and hasattr(error.ctx.command, "commands"):
        return _unknown_command(error, path, words)
    return f"{error.format_message().rstrip('.')}. {_help(path)}"


def _verbs(context: Any) -> list[str]:
    """Return the names of the commands that were read so far, without the program."""
    if context is None or context.parent is None:
        return []
    return [*_verbs(context.parent), str(context.info_name)]


def _help(path: str) -> str:
    return f"See {path} --help."


def _unknown_option(error: Any, path: str) -> str:
    known = [name for param in error.ctx.command.params for name in param.opts if name[0] == "-"]
    hint = did_you_mean(error.option_name, known)
    return f"{path} has no option {error.option_name}.{hint} {_help(path)}"


def _missing(error: Any, path: str) -> str:
    param = error.param
    name = param.opts[0] if param is not None and param.param_type_name == "option" else ""
    example = (getattr(error.ctx.command, "epilog", None) or "").strip()
    text = (getattr(param, "help", None) or "").strip()
    needed = name or (text[0].lower() + text[1:].rstrip(".") if text else "one more word")
    return f"{path} needs {needed}. {example}".strip()


def _wrong_value(error: Any, words: Sequence[str]) -> str:
    param = error.param
    if param.param_type_name != "option":
        return f"{error.message.rstrip('.')}."
    name = max(param.opts, key=len)
    found = NOT_VALID.search(error.message)
    kind, example = KINDS.get(found[1] if found else "", ("", ""))
    given = _given(param.opts, words)
    if not kind:
        return f"{name}: {error.message.rstrip('.')}."
    return f"{name} takes {kind}, as in {name} {example}. Got: {given or 'nothing'}."


def _given(names: Sequence[str], words: Sequence[str]) -> str:
    """Return what was written for an option, the last time."""
    found = ""
    for index, word in enumerate(words):
        head, equals, tail = word.partition("=")
        if head in names:
            found = tail if equals else " ".join(words[index + 1 : index + 2])
    return found


def _unknown_command(error: Any, path: str, words: Sequence[str]) -> str:
    known = list(error.ctx.command.commands)
    parts = path.split()[1:]
    rest = list(words[len(parts) :])
    given = rest[0] if rest else ""
    hint = did_you_mean(given, known)
    if len(known) == 1 and not hint:
        meant = " ".join([path, known[0], *rest])
        return f"{path} has no command {given}. Did you mean: {meant}"
    return f"{path} has no command {given}.{hint} Commands: {', '.join(known)}."
