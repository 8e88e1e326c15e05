"""The columns to read from a file, and the type of their cells."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Literal

from andamio.contract import Contract
from andamio.contract.tables import Sent
from andamio.contract.task import Regression
from andamio.tabular.refused import RefusedFile

Kind = Literal["number", "moment", "text", "written"]
"""Texts are compared, so "1,5" of a file with decimal commas is 1.5; those that are `written` stay as they are."""

Kinds = Mapping[str, Kind]
"""The type of each wanted column, by its name, whether or not the file has the column."""


def column_kinds(contract: Contract, names: Iterable[str]) -> dict[str, Kind]:
    """The types of some columns of a contract."""
    return {name: _kind(contract, name) for name in names}


def scored_columns(contract: Contract) -> tuple[str, ...]:
    """The columns to read from a row that is scored: the inputs of the model, and the time."""
    time = contract.problem.time
    return tuple(dict.fromkeys((*contract.inputs, *(() if time is None else (time,)))))


def used_columns(contract: Contract) -> frozenset[str]:
    """Every column that training or scoring may read from a file."""
    problem = contract.problem
    others = (contract.label_column, problem.time, problem.id, problem.group)
    return frozenset({*contract.features, *(name for name in others if name is not None)})


def check_doubled(names: Sequence[str], wanted: Iterable[str]) -> None:
    """Raise `RefusedFile` when a column that is used is there twice."""
    twice = sorted({name for name in set(wanted) if names.count(name) > 1})
    if twice:
        listed = [f"'{name}'" for name in twice]
        several = listed[0] if len(listed) == 1 else f"{', '.join(listed[:-1])} and {listed[-1]}"
        raise RefusedFile(f"has more than one column {several}: keep one of each name", fault="duplicate-column")


def _kind(contract: Contract, name: str) -> Kind:
    feature = contract.features.get(name)
    if name == contract.problem.target and isinstance(contract.task, Regression):
        return "number"
    if feature is not None and feature.type in ("integer", "number"):
        return "number"
    if isinstance(feature, Sent) and feature.as_written:
        return "written"
    return "moment" if name == contract.problem.time or (feature and feature.type == "date") else "text"
