"""The training rows that features are checked on."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from andamio.contract import Contract
from andamio.dataset.columns import Columns
from andamio.dataset.digests import DigestArray
from etl.audit.evidence import folds_of

MIN_CLASS_ROWS = 5
"""Classes with fewer rows are not checked."""


@dataclass(frozen=True)
class Train:
    """Training rows: kept columns, class indices `[rows]`, split keys `[rows]`, places in what was read `[rows]`.

    `quarters`: the classes are those of a number (`etl.bands`).
    """

    contract: Contract
    columns: Columns
    labels: NDArray[np.int64]
    keys: DigestArray
    places: NDArray[np.int64]
    quarters: bool = False

    @cached_property
    def folds(self) -> NDArray[np.int64]:
        """The fold of each row."""
        return folds_of(self.keys)

    @cached_property
    def classes(self) -> int:
        """How many classes the contract has."""
        return len(self.contract.classes)

    @property
    def part(self) -> str:
        """What a message calls one of the classes."""
        return f"quarter of '{self.contract.problem.target}'" if self.quarters else "class"

    @property
    def parts(self) -> str:
        """What a message calls all of them."""
        return f"the quarters of '{self.contract.problem.target}'" if self.quarters else "the classes"

    def text(self, index: int) -> str:
        """The display text of a class."""
        return self.contract.texts[self.contract.classes[index]]

    def eligible_classes(self, labels: NDArray[np.int64]) -> list[int]:
        """The classes with enough rows, and enough against them; of two, the positive one stands for both."""
        counts = np.bincount(labels, minlength=self.classes)
        fit = [
            index for index in range(self.classes) if MIN_CLASS_ROWS <= counts[index] <= len(labels) - MIN_CLASS_ROWS
        ]
        return [self.contract.positive_index] if self.classes == 2 and len(fit) == 2 else fit
