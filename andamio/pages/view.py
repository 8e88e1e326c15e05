"""The values that templates get: tables, charts and sections."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

Cell = str | int | float | None


@dataclass(frozen=True, slots=True)
class Table:
    """A table whose first column names its rows."""

    caption: str
    heads: Sequence[str]
    rows: Sequence[Sequence[Cell]]


@dataclass(frozen=True, slots=True)
class Figure:
    """A chart: its Vega-Lite specification, which the page's script draws in its place."""

    caption: str
    specification: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Section:
    """A section: `templates/sections/KEY.html` under a heading; `mark` is its class in the style sheet."""

    key: str
    heading: str
    content: Mapping[str, object] = field(default_factory=dict)
    mark: str = ""
