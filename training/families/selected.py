"""Which encoded columns a fitted pipeline uses, and which its feature selection left out."""

from __future__ import annotations

from typing import Any

import numpy as np

from andamio.contract import Contract
from andamio.contract.columns import feature_columns
from training.families.catalog import FittedPipeline
from training.own.fit import Own

MISSING = "(missing)"


def used_columns(fitted: FittedPipeline, contract: Contract) -> tuple[list[str], list[str]]:
    """(columns that the model sees, columns that were left out), in the pipeline's order.

    A number column goes by its name, one value of a category by `NAME=value`; no value is `NAME=(missing)`. What the
    problem's own pipeline makes of its columns is not known here: all that it is given are said.
    """
    if isinstance(fitted, Own):
        return list(fitted.names), []
    every = encoded_columns(fitted, contract)
    selector: Any = fitted.pipeline.named_steps.get("select")
    support = np.ones(len(every), dtype=bool) if selector is None else selector.get_support()
    return (
        [name for name, used in zip(every, support, strict=True) if used],
        [name for name, used in zip(every, support, strict=True) if not used],
    )


def ignored_columns(fitted: FittedPipeline, contract: Contract) -> list[str]:
    """The features of which no column tells rows apart, so that nothing of them reaches the model.

    The problem's own pipeline is given all of them.
    """
    numbers, categories = set(fitted.used.numbers), set(fitted.used.categories)
    return [
        name
        for name, (some, others) in feature_columns(contract.inputs).items()
        if not numbers.intersection(some) and not categories.intersection(others)
    ]


def encoded_columns(fitted: FittedPipeline, contract: Contract) -> list[str]:
    """Every column that the model is fitted on: numbers first, then a column for each value seen of each category."""
    texts = fitted.pipeline.named_steps["columns"].named_transformers_.get("categories")
    names = [contract.number_columns[place] for place in fitted.used.numbers]
    if texts is not None:
        columns = [contract.category_columns[place] for place in fitted.used.categories]
        for column, values in zip(columns, texts.categories_, strict=True):
            names += [f"{column}={value or MISSING}" for value in values]
    return names
