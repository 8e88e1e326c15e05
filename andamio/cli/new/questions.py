"""What a person says: options, and three questions on a terminal, for what decides most."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import typer
from rich.markup import escape

from andamio.cli.console import err, note, out
from andamio.cli.new import roles
from andamio.cli.new.column import Column
from andamio.cli.new.identity import Role
from andamio.cli.new.target import CLASSIFICATION, guess_target, task_of
from andamio.contract.canonical import composed
from andamio.errors import UsageError
from andamio.suggestion import did_you_mean

_ROLES = ("id", "group", "time")
_SHOWN = 12
_MOST = 60
"""So many columns are named at most: of thousands a message would fill the screen."""


@dataclass(frozen=True)
class Options:
    """What a person said. None and "" are not said."""

    target: str | None = None
    task: str | None = None
    positive: str | None = None
    id: str | None = None
    group: str | None = None
    time: str | None = None
    sheet: str | None = None
    encoding: str | None = None
    folder: Path | None = None
    source: str = ""
    licence: str = ""
    ask: bool = False

    @property
    def given(self) -> dict[str, str]:
        """The roles that were named."""
        found = {role: getattr(self, role) for role in _ROLES}
        return {role: name for role, name in found.items() if name}


def is_asked() -> bool:
    """Whether there is a person at a terminal to ask."""
    return err.is_terminal and sys.stdin.isatty()


def target_name(columns: Mapping[str, Column], options: Options) -> tuple[str, str]:
    """The column to predict, and why it was guessed ("" where it was said)."""
    if options.target is not None:
        return known_column(options.target, columns), ""
    guess = guess_target(columns)
    if options.ask:
        out.print(f"Columns: {escape(_named(columns))}")
        asked = typer.prompt("Which column is to be predicted", default=guess[0] if guess else None, err=True)
        return known_column(str(asked), columns), ""
    if guess is None:
        raise UsageError(f"Which column is to be predicted? There are {_named(columns)}. Say --target COLUMN.")
    note(f"The target is '{guess[0]}': {guess[1]}. If it is another: --target COLUMN")
    return guess


def _named(columns: Mapping[str, Column]) -> str:
    more = len(columns) - _MOST
    return ", ".join(list(columns)[:_MOST]) + (f" and {more:,} more" if more > 0 else "")


def known_column(name: str, columns: Mapping[str, Column]) -> str:
    """The name of a column as the file has it; raises `UsageError` that says which one may be meant."""
    known = composed(name.strip())
    if known not in columns:
        near = did_you_mean(known, list(columns), f"; there are {', '.join(list(columns)[:_SHOWN])}")
        raise UsageError(f"There is no column '{name}'{near}")
    return known


def asked_task(column: Column, options: Options) -> tuple[str | None, str | None]:
    """The task and the positive class as they were said or asked for; None for what is to be decided."""
    if not options.ask:
        return options.task, options.positive
    task, positive = options.task, options.positive
    guessed, why = task_of(column)
    if task is None and guessed != CLASSIFICATION:
        task = str(typer.prompt(f"{column.name} has {why}: classification or regression", default=guessed, err=True))
    if (task or guessed) == CLASSIFICATION and positive is None and column.distinct == 2:
        values = sorted(column.counts, key=lambda text: (roles.positive_rank(text), column.counts[text]))
        asked = typer.prompt(
            f"Which is the positive class, the one to find: {' or '.join(values)}", values[0], err=True
        )
        positive = str(asked)
    return task, positive


def ask_roles(found: dict[str, Role], given: Mapping[str, str]) -> None:
    """Ask about the id and the group that were found and not given."""
    for name in ("id", "group"):
        role = found.get(name)
        if role is None or name in given:
            continue
        err.print(f"  '{escape(role.column)}' {escape(role.why)}.")
        role.set = typer.confirm(f"Is '{role.column}' the {name}", default=role.set, err=True)


def origin(options: Options) -> tuple[str, str]:
    """Source and licence of the data, as they were said or asked for."""
    source, licence = options.source, options.licence
    if options.ask and not source:
        source = str(typer.prompt("Where do the data come from", default="", show_default=False, err=True))
    if options.ask and not licence:
        licence = str(typer.prompt("Under which licence", default="", show_default=False, err=True))
    return source, licence
