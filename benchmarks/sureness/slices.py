"""How often the card calls a slice worse: where none is, and where one is.

    .venv/bin/python -m benchmarks.sureness.slices [--quick]

Ten features, each cut into four slices; the first decides most of the label, so that ROC AUC within its slices is far
lower than overall. "honest": labels are drawn by the model's own probabilities. "too sure": the model is 1.5 times as
sure as it should be, everywhere alike. "planted": in one slice, a tenth of the rows, the model's scores are turned
around; each other slice then has some of these rows, and is called worse for them too where it shows.
"""

from __future__ import annotations

import argparse

import numpy as np
from numpy.typing import NDArray

from andamio.contract import Contract
from training.evaluate import slices
from training.rows import TrainingRows

SIZES = {200: 400, 1000: 300, 5000: 100}
"""Rows of a holdout, and how many are drawn."""
FEATURES, SHARE = 10, 0.1
CONTRACT = Contract.from_toml(
    "\n".join(
        [
            '[problem]\nname = "slices"\ntarget = "y"\nlabels = { "0" = "no", "1" = "yes" }\npositive = "1"',
            '[features.x]\ntype = "number"',
        ]
    )
)


def main(arguments: list[str] | None = None) -> None:
    """Simulate and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="a tenth of the draws")
    quick = parser.parse_args(arguments).quick
    print("| holdout rows | honest | too sure | planted: found | planted: another slice |")
    print("|---|---|---|---|---|")
    for size, draws in SIZES.items():
        number = draws // 10 if quick else draws
        honest, _ = rates(size, number, sure=1.0, planted=False)
        too_sure, _ = rates(size, number, sure=1.5, planted=False)
        other, found = rates(size, number, sure=1.0, planted=True)
        print(f"| {size:,} | {honest:.1%} | {too_sure:.1%} | {found:.1%} | {other:.1%} |", flush=True)


def rates(size: int, draws: int, *, sure: float, planted: bool) -> tuple[float, float]:
    """The shares of holdouts in which a slice is called worse: any that is not the planted one, and that one."""
    wrong = found = 0
    for seed in range(draws):
        worse = _worse(np.random.default_rng([size, seed]), size, sure, planted)
        found += "planted" in worse
        wrong += bool(worse - {"planted"})
    return wrong / draws, found / draws


def _worse(rng: np.random.Generator, size: int, sure: float, planted: bool) -> set[str]:
    features = rng.normal(size=(size, FEATURES))
    logits = 2.5 * features[:, 0] + 0.7 * features[:, 1:4].sum(axis=1)
    where = rng.random(size) < SHARE
    true = np.where(where & planted, -logits, logits)
    labels = (rng.random(size) < _share(true)).astype(np.int64)
    positive = _share(sure * logits)
    held = TrainingRows(None, labels, [str(row) for row in range(size)], {})  # type: ignore[arg-type]
    parts = [slices.Slice("part", "planted", where)]
    for index in range(FEATURES):
        quarter = np.searchsorted(np.quantile(features[:, index], [0.25, 0.5, 0.75]), features[:, index])
        parts += [slices.Slice(f"x{index}", str(part), quarter == part) for part in range(4)]
    scores = np.column_stack([1 - positive, positive])
    found = slices.assess(CONTRACT, scores, held, 0.5, parts)
    return {part.slice if part.feature == "part" else f"{part.feature}: {part.slice}" for part in found if part.worse}


def _share(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    shares: NDArray[np.float64] = 1 / (1 + np.exp(-logits))
    return shares


if __name__ == "__main__":
    main()
