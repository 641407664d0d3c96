"""The command line: one thin file a verb. Slow imports happen inside the verbs."""

from __future__ import annotations

import io
import sys
from typing import Annotated, Any, NoReturn

import typer
from typer.core import TyperGroup

from deepwell.cli import (
    compare,
    data,
    diagnose,
    evaluate,
    explore,
    models,
    predict,
    profile,
    report,
    resume,
    summary,
    train,
)
from deepwell.cli.mistakes import usage_sentence
from deepwell.engine.launch import hand_over
from deepwell.errors import DeepwellError
from deepwell.version import __version__

EXIT_INTERRUPTED, EXIT_FAILED = 130, 3
UsageError: type[Exception] = typer.BadParameter.__mro__[1]
"""What the parser of the command line raises; only this child of it has a public name."""
TOO_LARGE = (
    "The memory of this machine is not enough for it: take fewer rows, smaller pictures, "
    "a smaller engine.batch_size or a smaller network."
)


class Verbs(TyperGroup):
    """Runs a verb; a mistake becomes one sentence and an exit code, whoever calls it."""

    def make_context(self, *args: Any, **options: Any) -> Any:
        """Read what stands before the verb."""
        try:
            return super().make_context(*args, **options)
        except UsageError as error:
            _end_by_usage(error)

    def invoke(self, ctx: Any) -> Any:
        """Run the verb that was asked for."""
        try:
            return super().invoke(ctx)
        except DeepwellError as error:
            _complain(error)
            raise typer.Exit(error.exit_code) from error
        except UsageError as error:
            _end_by_usage(error)
        except (MemoryError, RuntimeError) as error:
            if not is_out_of_memory(error):
                raise
            _complain(DeepwellError(TOO_LARGE))
            raise typer.Exit(DeepwellError.exit_code) from error
        except KeyboardInterrupt as error:
            if not hand_over(error):
                _say_stopped(error)
            raise typer.Exit(EXIT_INTERRUPTED) from error


def _end_by_usage(error: Exception) -> NoReturn:
    """End with one sentence about the command line, or leave it to the help that was meant."""
    sentence = usage_sentence(error, sys.argv[1:])
    if sentence is None:
        raise error
    _complain(DeepwellError(sentence))
    raise typer.Exit(DeepwellError.exit_code) from error


def is_out_of_memory(error: Exception) -> bool:
    """Say whether an error means that memory has run out; torch has no class for it on a CPU.

    Example:
        >>> is_out_of_memory(MemoryError()), is_out_of_memory(RuntimeError("CUDA out of memory."))
        (True, True)
    """
    words = ("out of memory", "can't allocate memory", "not enough memory")
    return isinstance(error, MemoryError) or any(word in str(error).lower() for word in words)


def one_line(error: DeepwellError) -> str:
    r"""Return the message of a mistake without line breaks, which values in it may hold.

    Example:
        >>> one_line(DeepwellError("There is no column 'a\nb'."))
        "There is no column 'a b'."
    """
    return " ".join(str(error).split())


def _complain(error: DeepwellError) -> None:
    """Print a mistake, or hand it over to the process that launched this one and others."""
    if not hand_over(error):
        print(f"error: {one_line(error)}", file=sys.stderr)


def _say_stopped(error: KeyboardInterrupt) -> None:
    print(f"\n{error}" if error.args else "\nStopped; nothing was written.", file=sys.stderr)


app = typer.Typer(
    name="deepwell",
    cls=Verbs,
    help="Deep learning, done well: from your own data to a trained, honestly tested network.",
    epilog="Example: deepwell train houses.csv --target price",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("train", epilog=train.EXAMPLE)(train.train)
app.command("resume", epilog=resume.EXAMPLE)(resume.resume)
app.command("predict", epilog=predict.EXAMPLE)(predict.predict)
app.command("evaluate", epilog=evaluate.EXAMPLE)(evaluate.evaluate)
app.command("compare", epilog=compare.EXAMPLE)(compare.compare)
app.command("explore", epilog=explore.EXAMPLE)(explore.explore)
app.command("diagnose", epilog=diagnose.EXAMPLE)(diagnose.diagnose)
app.command("report", epilog=report.EXAMPLE)(report.report)
app.command("models", epilog=models.EXAMPLE)(models.models)
app.command("profile", epilog=profile.EXAMPLE)(profile.profile)
app.command("summary", epilog=summary.EXAMPLE)(summary.summary)
app.add_typer(data.app, name="data")


def _show_version(value: bool) -> None:
    if value:
        print(f"deepwell {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="The version.")
    ] = False,
) -> None:
    pass


def main() -> None:
    """Run the command line."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal without the signs ≥ and – still works
    try:
        app()
    except KeyboardInterrupt as error:
        _say_stopped(error)
        sys.exit(EXIT_INTERRUPTED)
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(1)
    except Exception as error:
        if not hand_over(error):
            raise
        sys.exit(EXIT_FAILED)
