"""A target that is a number, in four bands of about equal count: what the split, the audit and the report count by.

They ask how rows divide over classes. Of a number the quarters are that: a feature that tells them apart tells the
number, and a split that has each quarter on both sides has the number's range there.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from andamio.contract import Contract
from andamio.contract.tables import Label
from andamio.contract.task import Classification, Regression

BANDS = 4


def in_bands(
    contract: Contract, truth: NDArray[Any], edges_of: NDArray[np.bool_] | None = None
) -> tuple[Contract, NDArray[np.int64]]:
    """The contract as one of classes, and the class of each row `[rows]`.

    A classification is what it is. Of a regression the classes are the bands of `truth`, with edges from the rows of
    the mask `edges_of` (default: all); few values make fewer bands.
    """
    match contract.task:
        case Classification():
            return contract, truth
        case Regression():
            values = np.sort(truth if edges_of is None else truth[edges_of])
            parts = np.arange(1, BANDS) / BANDS
            edges = np.unique(np.quantile(values, parts, method="inverted_cdf")) if len(values) else np.empty(0)
            edges = edges[edges < values[-1]] if len(values) else edges
            return _by_class(contract, _names(edges)), np.searchsorted(edges, truth, side="left").astype(np.int64)


def _names(edges: NDArray[np.float64]) -> list[str]:
    texts = [f"{edge:.12g}" for edge in edges]
    if not texts:
        return ["all"]
    return [f"up to {texts[0]}", *(f"above {low} up to {high}" for low, high in pairwise(texts)), f"above {texts[-1]}"]


def _by_class(contract: Contract, names: list[str]) -> Contract:
    """The same columns with a label for each band: no file says that, so it is not held against what files may say."""
    said = contract.problem.model_copy(
        update={
            "task": Classification.name,
            "labels": {name: Label(text=name, values=(name,)) for name in names},
            **dict.fromkeys(("target_min", "target_max", "unit", "scale", "interval")),
        }
    )
    return Contract.model_construct(**{**dict(contract), "problem": said})
