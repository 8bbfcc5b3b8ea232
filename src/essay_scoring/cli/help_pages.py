"""How help is written: commands in groups, and what a value is in one plain word."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

from typer.core import TyperArgument, TyperCommand, TyperGroup, TyperOption

if TYPE_CHECKING:
    # Typer carries its own copy of Click.
    from typer._click import Context, HelpFormatter, Parameter

_WHOLE = 200
"""More letters than the first sentence of any help has: lines wrap, and nothing is cut off."""

_WORDS: dict[Any, str] = {Path: "PATH", int: "N", float: "NUMBER"}


class Panel(StrEnum):
    """The groups that `essay-scoring --help` lists commands in, in this order."""

    DATA = "Data"
    RUN = "Run"
    JUDGE = "Judge"
    USE = "Use"
    ELSEWHERE = "Elsewhere"
    INSPECT = "Inspect"


class PlainCommand(TyperCommand):
    """A command whose help names values by a word, `PATH`, never by a type of Python."""

    def __init__(self, *words: Any, **settings: Any) -> None:
        super().__init__(*words, **settings)
        _name_values(self.params)

    def collect_usage_pieces(self, ctx: Context) -> list[str]:  # noqa: ARG002 - Typer's
        """Return the parts of the usage line."""
        return _usage(self.params)

    def format_options(self, ctx: Context, formatter: HelpFormatter) -> None:
        """Write the lists of arguments and options."""
        _write_parameters(self.get_params(ctx), ctx, formatter)


class GroupedCommands(TyperGroup):
    """Commands that help lists in groups, each told in a line."""

    def __init__(self, *words: Any, **settings: Any) -> None:
        super().__init__(*words, **settings)
        _name_values(self.params)

    def collect_usage_pieces(self, ctx: Context) -> list[str]:  # noqa: ARG002 - Typer's
        """Return the parts of the usage line."""
        return [*_usage(self.params), self.subcommand_metavar]

    def format_options(self, ctx: Context, formatter: HelpFormatter) -> None:
        """Write the lists of options and, in their groups, of commands."""
        _write_parameters(self.get_params(ctx), ctx, formatter)
        self.format_commands(ctx, formatter)

    def format_commands(self, ctx: Context, formatter: HelpFormatter) -> None:  # noqa: ARG002
        """Write the commands, group by group; in one list where none has a group."""
        width = max(map(len, self.commands), default=0)
        for title in (*Panel, "Commands"):
            rows = [
                (name.ljust(width), command.get_short_help_str(_WHOLE))
                for name, command in self.commands.items()
                if _panel(command) == title
            ]
            if rows:
                with formatter.section(title):
                    formatter.write_dl(rows)


def _panel(command: object) -> str:
    """Return the group of a command, `Commands` where it has none."""
    panel = getattr(command, "rich_help_panel", None)
    return panel if isinstance(panel, str) else "Commands"


def _name_values(parameters: Iterable[Parameter]) -> None:
    """Give each parameter without one the word that stands for its value."""
    for parameter in parameters:
        if parameter.metavar is not None:
            continue
        if isinstance(parameter, TyperArgument):
            parameter.metavar = parameter.name.upper()
        elif isinstance(parameter, TyperOption) and not parameter.is_flag:
            parameter.metavar = _word(parameter)


def _word(option: TyperOption) -> str:
    """Return what stands for an option's value: a kind of it, or all that it may be."""
    kind = option.type_descriptor
    if kind.choices is not None:
        return "|".join(str(choice.value) for choice in kind.choices)
    inner = get_args(kind.annotation) if kind.is_list else (kind.annotation,)
    return _WORDS.get(inner[0], "TEXT")


def _usage(parameters: Iterable[Parameter]) -> list[str]:
    arguments = (one for one in parameters if isinstance(one, TyperArgument))
    names = ((_named(one), one.required) for one in arguments)
    return ["[OPTIONS]", *(name if required else f"[{name}]" for name, required in names)]


def _named(argument: TyperArgument) -> str:
    name = argument.metavar or argument.name
    return name if argument.nargs == 1 or name.endswith("...") else f"{name}..."


def _write_parameters(
    parameters: Iterable[Parameter], ctx: Context, formatter: HelpFormatter
) -> None:
    written: dict[str, list[tuple[str, str]]] = {"Arguments": [], "Options": []}
    for parameter in parameters:
        record = parameter.get_help_record(ctx)
        if record is not None and isinstance(parameter, TyperArgument):
            written["Arguments"].append((_named(parameter), record[1]))
        elif record is not None:
            written["Options"].append(record)
    for title, rows in written.items():
        if rows:
            with formatter.section(title):
                formatter.write_dl(rows)
