"""Which encoded columns a fitted pipeline uses, and which its feature selection left out."""

from __future__ import annotations

from typing import Any

import numpy as np

from andamio.contract import Contract
from training.families.catalog import Fitted

MISSING = "(missing)"


def used_columns(fitted: Fitted, contract: Contract) -> tuple[list[str], list[str]]:
    """(columns that the model sees, columns that were left out), in the pipeline's order.

    A number column goes by its name, one value of a category by `NAME=value`; no value is `NAME=(missing)`.
    """
    every = encoded_columns(fitted, contract)
    selector: Any = fitted.pipeline.named_steps.get("select")
    support = np.ones(len(every), dtype=bool) if selector is None else selector.get_support()
    return (
        [name for name, used in zip(every, support, strict=True) if used],
        [name for name, used in zip(every, support, strict=True) if not used],
    )


def encoded_columns(fitted: Fitted, contract: Contract) -> list[str]:
    """Every column that preprocessing makes: numbers first, then a column for each value seen of each category."""
    texts = fitted.pipeline.named_steps["columns"].named_transformers_.get("categories")
    names = list(contract.number_columns)
    if texts is not None:
        for column, values in zip(contract.category_columns, texts.categories_, strict=True):
            names += [f"{column}={value or MISSING}" for value in values]
    return names
