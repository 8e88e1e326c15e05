"""Tables of any size that training is measured on: a contract and its cells, the same for the same name and rows."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.datasets import make_classification

from andamio.contract import Contract
from benchmarks.batch import generate
from benchmarks.batch.folder import PROBLEM

SEED = 20_260_131

Cells = Mapping[str, list[str]]
_Columns = dict[str, NDArray[Any]]
_Maker = Callable[[np.random.Generator, int], tuple[_Columns, NDArray[np.float64]]]


def table(name: str, rows: int) -> tuple[Contract, Cells]:
    """A contract and its cells as text, the label last. `name` is one of `NAMES`."""
    columns, labels = rows_of(name, rows)
    own = contract(name, columns)
    cells = {column: _texts(values) for column, values in columns.items()}
    return own, cells | {own.problem.target: _texts(labels)}


def contract(name: str, columns: _Columns) -> Contract:
    """The contract of a table with these columns."""
    return Contract.load(PROBLEM) if name == "bench" else Contract.from_toml(_toml(name, columns))


def rows_of(name: str, rows: int) -> tuple[_Columns, NDArray[np.int64]]:
    """The columns of a table as they are drawn, and the class of each row."""
    if name == "bench":
        return bench(rows)
    columns, chance = _MAKERS[name](np.random.default_rng(SEED), rows)
    return columns, (np.random.default_rng(SEED + 1).random(rows) < chance).astype(np.int64)


def bench(rows: int) -> tuple[_Columns, NDArray[np.int64]]:
    """The thirteen columns of the batch benchmark, NaN where a value is missing, and the class of each row."""
    cells: dict[str, list[NDArray[np.float64]]] = {}
    labels = []
    for start in range(0, rows, generate.BLOCK):
        columns, missing, block_labels = generate.block(start // generate.BLOCK)
        length = min(generate.BLOCK, rows - start)
        labels.append(block_labels[:length])
        for name, column in columns.items():
            values = column[:length].astype(np.float64)
            if name in missing:
                values[missing[name][:length]] = np.nan
            cells.setdefault(name, []).append(values)
    return {name: np.concatenate(blocks) for name, blocks in cells.items()}, np.concatenate(labels)


def _texts(values: NDArray[Any]) -> list[str]:
    if values.dtype.kind == "U":
        return list(map(str, values.tolist()))
    return ["" if value != value else f"{value:.9g}" for value in values.tolist()]


def _toml(name: str, columns: _Columns) -> str:
    features = [
        f'[features.{column}]\ntype = "{"category" if values.dtype.kind == "U" else "number"}"\nrequired = false\n'
        for column, values in columns.items()
    ]
    head = f'[problem]\nname = "{name}"\ntarget = "label"\nlabels = {{ "0" = "no", "1" = "yes" }}\npositive = "1"\n'
    return "\n".join([head, *features])


def _chance(score: NDArray[np.float64], spread: float = 1.5) -> NDArray[np.float64]:
    """Probabilities of a score that is brought to mean -1 and a standard deviation of `spread`."""
    standard = (score - score.mean()) / score.std()
    result: NDArray[np.float64] = 1 / (1 + np.exp(1.0 - spread * standard))
    return result


def _linear(rng: np.random.Generator, rows: int) -> tuple[_Columns, NDArray[np.float64]]:
    """Twelve numbers and three categories that add up: logistic regression is the truth."""
    numbers = rng.normal(size=(rows, 12))
    codes = [rng.integers(0, many, rows) for many in (3, 5, 8)]
    score = numbers @ rng.normal(size=12) + sum(rng.normal(size=8)[code] for code in codes)
    return _named(numbers) | _categories(codes), _chance(score)


def _mixed(rng: np.random.Generator, rows: int) -> tuple[_Columns, NDArray[np.float64]]:
    """Fourteen numbers, some of them skewed, and six categories, one cell in twenty missing, with interactions."""
    numbers = rng.normal(size=(rows, 14))
    codes = [rng.integers(0, many, rows) for many in (2, 3, 4, 6, 10, 20)]
    score = (
        numbers[:, 0]
        + 0.7 * numbers[:, 1] * numbers[:, 2]
        + 0.8 * np.abs(numbers[:, 3])
        + np.where(codes[0] == 1, numbers[:, 4], -0.5 * numbers[:, 4])
        + rng.normal(size=10)[codes[4]] * (numbers[:, 5] > 0)
        + 0.6 * rng.normal(size=20)[codes[5]]
    )
    shown = np.column_stack([numbers[:, :7], np.exp(numbers[:, 7:])])
    shown[rng.random(shown.shape) < 0.05] = np.nan
    return _named(shown) | _categories(codes), _chance(score)


def _steps(rng: np.random.Generator, rows: int) -> tuple[_Columns, NDArray[np.float64]]:
    """Ten numbers whose effect is in steps and corners, as trees have it, and ten that say nothing."""
    numbers = rng.random(size=(rows, 20))
    corners = [
        rng.normal() * np.all(numbers[:, rng.choice(10, 3, replace=False)] > rng.uniform(0.2, 0.6, 3), axis=1)
        for _ in range(30)
    ]
    return _named(numbers), _chance(np.sum(corners, axis=0))


def _wide(rng: np.random.Generator, rows: int) -> tuple[_Columns, NDArray[np.float64]]:
    """Fifty-seven frequencies, mostly zero, as those of words in a message."""
    numbers = np.round(rng.exponential(1.0, (rows, 57)) * (rng.random((rows, 57)) < rng.uniform(0.05, 0.5, 57)), 2)
    weights = rng.normal(size=57)
    score = np.log1p(5 * numbers) @ weights + 2 * (numbers[:, 0] > 0) * (numbers[:, 1] > 0)
    return _named(numbers), _chance(score, 2.5)


def _clusters(rng: np.random.Generator, rows: int) -> tuple[_Columns, NDArray[np.float64]]:
    """scikit-learn's `make_classification`: four clusters a class in eight of twenty dimensions, 5% of labels wrong."""
    numbers, labels = make_classification(
        rows, 20, n_informative=8, n_redundant=4, n_clusters_per_class=4, flip_y=0.1, class_sep=0.8, random_state=SEED
    )
    return _named(numbers), labels.astype(np.float64)


def _named(numbers: NDArray[np.float64]) -> _Columns:
    return {f"x{place:02d}": numbers[:, place] for place in range(numbers.shape[1])}


def _categories(codes: list[NDArray[np.int64]]) -> _Columns:
    return {f"k{place}": np.char.add("v", code.astype(str)) for place, code in enumerate(codes)}


_MAKERS: Mapping[str, _Maker] = {
    "linear": _linear,
    "mixed": _mixed,
    "steps": _steps,
    "wide": _wide,
    "clusters": _clusters,
}
NAMES = ("bench", *_MAKERS)
