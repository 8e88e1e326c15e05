"""The columns that say which record, whose, and when: those of `id`, `group` and `time` in [problem]."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from andamio.cli.new import roles
from andamio.cli.new.column import Column

_GROUP_ROWS = 50.0
"""Rows a group has in the mean, up to: with more it is a category."""
_ENTITY_ROWS = 5.0
"""The same of a column that is called an id and does not say of whom: with more it is of a kind, such as a model's."""
_GROUPS = 10


@dataclass
class Role:
    """A column with a role of [problem], and why; not `set` where it is a proposal."""

    role: str
    column: str
    why: str
    set: bool = True
    keys: dict[str, Any] = field(default_factory=dict)


def find_roles(columns: Mapping[str, Column], given: Mapping[str, str]) -> dict[str, Role]:
    """The columns that identify, group and order rows; `given` are roles that a person named, the target among them."""
    found = {role: Role(role, name, "as you said") for role, name in given.items() if role in ("id", "group", "time")}
    taken = set(given.values())
    for name, column in columns.items():
        if name in taken or column.empty or column.distinct < 2:
            continue
        unique = column.distinct == column.values
        named = roles.is_identifier(name) or roles.names_someone(name)
        if unique and named and "id" not in found:
            counter = column.counts_rows
            found["id"] = Role(
                "id",
                name,
                "counts the rows of this file: if the number means the same record in every file, use it"
                if counter
                else "has another value in each row, and the name of an identifier: with it a later row replaces an "
                "earlier one of the same id. Take it out if each row is a record of its own",
                set=not counter,
            )
        elif _is_group(column) and "group" not in found:
            found["group"] = Role(
                "group",
                name,
                f"has {column.distinct} values in {column.values} rows: rows that share one stay together, in the "
                "holdout too, so that the model is judged on others than it has seen",
            )
    if "time" in found:
        dates = columns[found["time"].column].dates
        found["time"].keys = {} if dates is None or not dates.format else {"time_format": dates.format}
    else:
        times = [
            (name, column.dates)
            for name, column in columns.items()
            if name not in taken and roles.is_time(name) and not column.empty and column.distinct > 1 and column.dates
        ]
        if times:
            name, dates = times[0]
            keys = {"time_format": dates.format} if dates and dates.format else {}
            why = 'is the moment that a row is about: it orders rows, and is no feature. [training] split = "time" '
            found["time"] = Role("time", name, why + "holds the newest rows out", keys=keys)
    return found


def _is_group(column: Column) -> bool:
    rows = column.values / column.distinct
    most = _GROUP_ROWS if roles.names_someone(column.name) else _ENTITY_ROWS if roles.is_entity(column.name) else 0
    return column.distinct > _GROUPS and 1 < rows <= most and (not column.numbers or column.whole)
