"""What the promotion gate sees of a regression: `python -m benchmarks.sureness.gate_numbers [--quick]`.

The gate itself is simulated, on a holdout of n rows. Two models' errors of a row correlate at 0.9: most of an error is
what no feature tells, and that is the same for both. The challenger's true RMSE (and so its MAE) is smaller than the
champion's by a given share, or larger. Errors are normal, or have heavy tails: a row that is hard is hard for both
(Student's t with 5 degrees of freedom). Everything is seeded; every rate is said with its Monte Carlo standard error.
"""

from __future__ import annotations

from functools import partial
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from andamio.gate.rules import Contender, Holdout, Rules, decide
from benchmarks.sureness.gate import CONFIDENCE, STRICT, Effort, Runner, markdown, mean, percent, simulate

SHARED = 0.9
"""The correlation of two models' errors."""
FREEDOM = 5
GAINS = (-0.05, -0.02, 0.0, 0.02, 0.05, 0.1)
FULL = Effort(pairs={60: 1000, 500: 800, 5000: 120}, frozen={}, growing={}, resamples=300)
QUICK = Effort(pairs={60: 300, 500: 200}, frozen={}, growing={}, resamples=200)

Tails = Literal["normal", "heavy"]
Metric = Literal["rmse", "mae"]


def errors(rng: np.random.Generator, rows: int, tails: Tails) -> NDArray[np.float64]:
    """Errors of two equally good models `[2, rows]`, in standard deviations of normal ones."""
    own = rng.normal(size=(2, rows))
    hard = np.sqrt(FREEDOM / rng.chisquare(FREEDOM, rows)) if tails == "heavy" else 1.0
    return np.asarray(hard * (SHARED**0.5 * rng.normal(size=rows) + (1 - SHARED) ** 0.5 * own))


def pair(
    rows: int, gain: float, metric: Metric, tails: Tails, recent: bool, resamples: int, confidence: float, seed: int
) -> float:
    """One challenger, whose error is smaller by the share `gain`, against one champion: 1 when it is promoted.

    `recent`: half of the rows arrived after the champion's data.
    """
    rng = np.random.default_rng([seed, rows, round((gain + 1) * 1000), recent])
    truth, place = rng.normal(scale=2, size=rows), np.arange(rows)
    challenger, champion = (
        Contender(name, name, name, "s", (truth + error)[:, None], 0.5)
        for name, error in zip("ba", errors(rng, rows, tails) * np.array([[1 - gain], [1.0]]), strict=True)
    )
    holdout = Holdout(truth, place.astype(np.str_), "s", place >= rows // 2 if recent else None)
    rules = Rules(metric, confidence, 0.0, positive=-1, seed=seed, resamples=resamples, floor="median")
    return float(decide(holdout, challenger, champion, np.zeros(1), rules).outcome == "promoted")


def power(
    effort: Effort,
    run: Runner,
    *,
    metric: Metric = "rmse",
    tails: Tails = "normal",
    recent: bool = False,
    gains: tuple[float, ...] = GAINS,
    confidence: float = CONFIDENCE,
) -> dict[int, list[tuple[float, float]]]:
    """By size of the holdout: the share of challengers that are promoted, for each true gain."""
    return {
        rows: [
            mean(run(partial(pair, rows, gain, metric, tails, recent, effort.resamples, confidence), count))  # type: ignore[arg-type]
            for gain in gains
        ]
        for rows, count in effort.pairs.items()
    }


def report(effort: Effort, run: Runner) -> str:
    """Every table, in Markdown."""
    head = [f"{'gain' if gain > 0 else 'loss'} {abs(gain):.0%}" if gain else "equal" for gain in GAINS]
    asked: tuple[tuple[Metric, Tails, bool, float], ...] = (
        ("rmse", "normal", False, CONFIDENCE),
        ("rmse", "heavy", False, CONFIDENCE),
        ("mae", "heavy", False, CONFIDENCE),
        ("rmse", "heavy", False, STRICT),
        ("rmse", "heavy", True, CONFIDENCE),
    )
    lines: list[str] = []
    for metric, tails, recent, confidence in asked:
        found = power(effort, run, metric=metric, tails=tails, recent=recent, confidence=confidence)
        new = "half of the rows are new" if recent else "no new rows"
        title = f"{metric}, errors with {tails} tails, {new}, confidence {confidence}: promoted, by true gain"
        lines += markdown(title, head, {rows: [percent(figure) for figure in row] for rows, row in found.items()})
    return "\n".join(lines).strip()


def main(arguments: list[str] | None = None) -> None:
    """Simulate on all cores and print the tables."""
    simulate(__doc__ or "", report, FULL, QUICK, arguments)


if __name__ == "__main__":
    main()
