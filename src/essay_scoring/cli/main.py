"""The command line: one line for what went wrong, and an exit code that says how it ended.

0 done; 1 an error in the program; 2 bad usage or input; 3 a gate failed; 4 invalid evidence;
5 another process is doing the work; 130 and 143 interrupted.
"""

from __future__ import annotations

import errno
import gc
import logging
import os
import signal
import sys
import traceback
from io import TextIOWrapper
from types import FrameType
from typing import Annotated, Any, TextIO, cast

import typer

# Typer carries its own copy of Click and exports no base class of its usage errors.
from typer._click.exceptions import ClickException, UsageError

from essay_scoring import __version__
from essay_scoring.cli import (
    audit_commands,
    card_commands,
    data_commands,
    doctor_commands,
    encoder_commands,
    export_commands,
    init_commands,
    judge_commands,
    launch_commands,
    listing_commands,
    power_commands,
    run_commands,
    score_commands,
    search_commands,
    transformer_commands,
)
from essay_scoring.cli.ending import end_with
from essay_scoring.cli.help_pages import GroupedCommands, Panel
from essay_scoring.cli.options import resume_command
from essay_scoring.core import interrupts
from essay_scoring.core.errors import EssayScoringError, InputError, Interrupted, visible
from essay_scoring.core.text import without_controls

app = typer.Typer(
    cls=GroupedCommands,
    name="essay-scoring",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    # Plain help wraps long options; tables cut their names off in a narrow window.
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 120},
)
for commands in (
    init_commands,
    data_commands,
    judge_commands,
    power_commands,
    run_commands,
    transformer_commands,
    search_commands,
    score_commands,
    card_commands,
    launch_commands,
    audit_commands,
    doctor_commands,
):
    commands.add_to(app)
app.add_typer(listing_commands.app, name="runs", rich_help_panel=Panel.INSPECT)
app.add_typer(encoder_commands.app, name="encoder", rich_help_panel=Panel.DATA)
app.add_typer(export_commands.app, name="export", rich_help_panel=Panel.USE)
app.add_typer(launch_commands.app, name="remote", rich_help_panel=Panel.ELSEWHERE)


def _say_version(*, asked: bool) -> None:
    if asked:
        typer.echo(f"essay-scoring {__version__}")
        raise typer.Exit


@app.callback()
def _every_command(
    version: Annotated[
        bool,
        typer.Option(
            "--version",
            callback=lambda asked: _say_version(asked=asked),
            is_eager=True,
            help="Show the version and exit.",
        ),
    ] = False,
) -> None:
    """Train essay scorers, hold whole prompts out, and judge what holds up."""


_BOOLEAN_WORDS = {"true", "false", "yes", "no", "on", "off"}


def program() -> None:
    """Run the command line as all that this process does."""
    end_with(main)


def main() -> None:
    """Run the command line and exit with its code."""
    # Threads that spin while they wait starve each other on a busy machine; read at first import.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    # What a killed command leaves to the system is tidied up by a process of Python's, in silence.
    warnings = [
        os.environ.get("PYTHONWARNINGS"),
        "ignore::UserWarning:multiprocessing.resource_tracker",
    ]
    os.environ["PYTHONWARNINGS"] = ",".join(filter(None, warnings))
    # Importing makes objects by the hundred thousand, none of them garbage.
    gc.set_threshold(50_000, 20, 20)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _interrupt)
    sys.unraisablehook = interrupts.send_again_if_lost
    for stream in (sys.stdout, sys.stderr):
        # A terminal that lacks a character is shown its escape.
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    # A caller may have closed it, as `>&-` of a shell does.
    stdout = sys.stdout or os.fdopen(os.open(os.devnull, os.O_WRONLY), "w", encoding="utf-8")
    sys.stdout = cast("TextIO", _Harmless(stdout))
    # A log that cannot be written is told once, by the work that finds the disk full.
    logging.raiseExceptions = False
    _show_warnings()
    code = run(sys.argv[1:])
    for number in (signal.SIGINT, signal.SIGTERM):
        # While Python tears down it would restore the default, which ends with another code.
        signal.signal(number, signal.SIG_IGN)
    sys.exit(code)


def run(arguments: list[str]) -> int:
    """Return the exit code of one command; every expected failure is one line on stderr."""
    try:
        result = app(arguments, standalone_mode=False)
    except UsageError as error:
        _show(error)
        _hint_at_booleans(error, arguments)
        return 2
    except ClickException as error:
        _show(error)
        return error.exit_code
    except EssayScoringError as error:
        return _fail(f"error: {error.line()}", error.exit_code)
    except Interrupted as error:
        again = resume_command(arguments)
        return _fail(f"interrupted; what was finished is kept. To resume: {again}", error.exit_code)
    except BrokenPipeError:
        # Whoever read our output has left; nothing more can be said to it.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    except OSError as error:
        return _fail(f"error: {_system_error(error).line()}", 2)
    except Exception as error:  # noqa: BLE001 - the last line of defence: say it in one line
        return _fail(_unexpected(error), 2 if isinstance(error, MemoryError) else 1)
    return result if isinstance(result, int) else 0


_NO_MEMORY = InputError(
    "out of memory",
    mend="free memory, raise `ulimit -v`, or set ESSAY_SCORING_WORKERS=1; then run it again",
)


def _system_error(error: OSError) -> InputError:
    """Return what the system refused, where, and what can be done about it."""
    mend = "check the path and its permissions, then run it again"
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        mend = "make space there or name another place, then run it again"
    if error.errno == errno.ENOMEM:
        return _NO_MEMORY
    where = os.fsdecode(error.filename) if isinstance(error.filename, str | bytes) else "system"
    return InputError(error.strerror or str(error), where=where, mend=mend)


def _show_warnings() -> None:
    """Send warnings about data and features to stderr, also while a run keeps them in its log."""
    shown = logging.StreamHandler()
    shown.setLevel(logging.WARNING)
    shown.setFormatter(_OneLine("warning: %(message)s"))
    # The project's own root logger tells how runs end, which is said in one line anyway.
    shown.addFilter(lambda record: record.name != "essay_scoring")
    shown.addFilter(_Once())
    logging.getLogger("essay_scoring").addHandler(shown)


class _Once(logging.Filter):
    """Lets each warning about data through once: a table is read more than once by a command."""

    def __init__(self) -> None:
        super().__init__()
        self._told: set[str] = set()

    def filter(self, record: logging.LogRecord) -> bool:
        """Tell whether the line is new, or is not about data."""
        if not record.name.startswith("essay_scoring.data."):
            return True
        is_new = (line := record.getMessage()) not in self._told
        self._told.add(line)
        return is_new


class _OneLine(logging.Formatter):
    """Formats a warning so that names from a file cannot steer a terminal."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        return visible(super().format(record))


def _unexpected(error: Exception) -> str:
    """Return one line on a bug; its message is left out, since it could quote an essay."""
    if os.environ.get("ESSAY_SCORING_DEBUG"):
        traceback.print_exception(error)
    if isinstance(error, MemoryError):
        return f"error: {_NO_MEMORY.line()}"
    place = traceback.extract_tb(error.__traceback__)[-1]
    return (
        f"error in the program: {type(error).__name__} at {place.filename}:{place.lineno}. "
        "To see more: set ESSAY_SCORING_DEBUG=1 and run again"
    )


class _Harmless:
    """A stream on which names from a file cannot steer a terminal."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        """Write text, its control characters as escapes."""
        return self._stream.write(without_controls(text))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def _show(error: ClickException) -> None:
    error.show(cast("TextIO", _Harmless(sys.stderr)))


def _hint_at_booleans(error: UsageError, arguments: list[str]) -> None:
    """Say how flags are written when a stray `true` or `false` was given to one."""
    stray = _BOOLEAN_WORDS & {argument.lower() for argument in arguments}
    if stray and "unexpected extra argument" in error.format_message():
        sys.stderr.write(
            f"Hint: flags take no value; leave out '{min(stray)}' "
            "and write --flag to turn it on, --no-flag to turn it off.\n"
        )


def _fail(line: str, code: int) -> int:
    sys.stderr.write(line + "\n")
    return code


def _interrupt(number: int, _frame: FrameType | None) -> None:
    interrupts.stop(number)


if __name__ == "__main__":
    program()
