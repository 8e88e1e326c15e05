"""The rungs of a race: what trials are given before those that are left get every row and every fold."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

from pydantic import BeforeValidator

from andamio.storage.documents import Part


class Rung(Part):
    """The `rows` of train that trials are fitted on, in each of the first `folds` folds.

    They are folds of the first drawing, which leaves no row out, and fewer than that has.
    """

    rows: int
    folds: int

    def of(self, trial: str) -> str:
        """The id that a trial has here."""
        return f"{trial}.{self.rows}.{self.folds}"


def place_of(trial: str, rungs: Sequence[Rung]) -> int:
    """The place of the rung that a trial's id names; the number of rungs where it names none."""
    return next((place for place, rung in enumerate(rungs) if trial.endswith(rung.of(""))), len(rungs))


class RungOfRows(Rung):
    """A rung of an earlier version's plan: an execution that began before a deploy goes on with its names."""

    folds: int = 3

    def of(self, trial: str) -> str:
        """The id that a trial has here."""
        return f"{trial}.{self.rows}"


def _of_rows(value: Any) -> Any:
    """Plans of earlier versions say the rows alone, of which three folds were scored."""
    return RungOfRows(rows=value) if isinstance(value, int) else value


ReadRung = Annotated[Rung, BeforeValidator(_of_rows)]
"""A rung as a plan has it."""
