"""What the promotion gate can and cannot see, simulated with the gate itself.

    python -m benchmarks.sureness.gate [--quick]

A holdout of n rows, 45% positive. A model's score of a row is its signal plus noise; most of the noise is shared by
all models, as the hard rows are hard for each of them (two models' ROC AUCs correlate at 0.8). The champion's true
ROC AUC is 0.85, the challenger's is set. So what the gate *should* say is known, and its answers are counted.
Everything is seeded; every rate is said with its Monte Carlo standard error.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from andamio.gate.rules import Contender, Holdout, Rules, decide

AUC, POSITIVES, SHARED = 0.85, 0.45, 0.8
CONFIDENCE, STRICT = 0.95, 0.99
"""What the contract asks for by default, and what it may ask for where a wrong promotion is dear."""
SIZES = (60, 500, 5000)
GAINS = (0.0, 0.01, 0.02, 0.03, 0.05)
RETRAININGS = 50
GROWTH = 0.05
"""By how much of its first size a growing holdout grows between two retrainings, at least 50 rows."""
WOBBLE = 0.01
"""The standard deviation of a retrained model's true ROC AUC, where retraining does not always do as well."""

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Effort:
    """How much is simulated, by size of the holdout."""

    pairs: dict[int, int]
    frozen: dict[int, int]
    growing: dict[int, int]
    resamples: int
    retrainings: int = RETRAININGS


FULL = Effort(
    pairs={60: 2000, 500: 800, 5000: 120},
    frozen={60: 200, 500: 60, 5000: 8},
    growing={60: 24, 500: 16, 5000: 5},
    resamples=300,
)
QUICK = Effort(pairs={60: 300, 500: 150}, frozen={60: 30}, growing={60: 8}, resamples=200, retrainings=20)


class Rows:
    """A holdout that may grow: labels, and the noise that all models share."""

    def __init__(self, rng: np.random.Generator, rows: int) -> None:
        self.rng, self.labels, self.shared = rng, np.empty(0, dtype=np.int64), np.empty(0)
        self.grow(rows)

    def grow(self, rows: int) -> None:
        """More rows, of which the same share is positive."""
        labels = np.zeros(rows, dtype=np.int64)
        labels[: round(rows * POSITIVES)] = 1
        self.labels = np.append(self.labels, self.rng.permutation(labels))
        self.shared = np.append(self.shared, self.rng.normal(size=rows))

    def holdout(self, since: int | None = None) -> Holdout:
        """As the gate gets it; the rows from `since` on have arrived after the champion's data."""
        place = np.arange(len(self.labels))
        return Holdout(self.labels, place.astype(np.str_), "s", None if since is None else place >= since)


class Scores:
    """A model of a given true ROC AUC, and its scores, also of rows that come later."""

    def __init__(self, rows: Rows, auc: float, name: str) -> None:
        self.rows, self.auc, self.name = rows, auc, name
        # Two normal scores of variance 1 that lie d apart have a ROC AUC of Phi(d / sqrt 2).
        self.apart = NormalDist().inv_cdf(auc) * 2**0.5
        self.own = np.empty(0)

    def contender(self) -> Contender:
        """The model on every row of now."""
        missing = len(self.rows.labels) - len(self.own)
        self.own = np.append(self.own, self.rows.rng.normal(size=missing))
        noise = SHARED**0.5 * self.rows.shared + (1 - SHARED) ** 0.5 * self.own
        p = 1 / (1 + np.exp(-(self.apart * (self.rows.labels - 0.5) + noise)))
        return Contender(self.name, self.name, self.name, "s", np.column_stack([1 - p, p]), 0.5)


def judged(
    holdout: Holdout, challenger: Scores, champion: Scores, resamples: int, seed: int, confidence: float = CONFIDENCE
) -> bool:
    """Whether the gate promotes."""
    rules = Rules("roc_auc", confidence, 0.0, positive=1, seed=seed, resamples=resamples)
    prior = np.array([1 - POSITIVES, POSITIVES])
    return decide(holdout, challenger.contender(), champion.contender(), prior, rules).outcome == "promoted"


def pair(rows: int, gain: float, recent: bool, resamples: int, confidence: float, seed: int) -> float:
    """One challenger, better by `gain`, against one champion: 1 when it is promoted.

    `recent`: half of the rows arrived after the champion's data.
    """
    held = Rows(np.random.default_rng([seed, rows, round((gain + 1) * 1000), recent]), rows)
    holdout = held.holdout(rows // 2 if recent else None)
    return float(judged(holdout, Scores(held, AUC + gain, "b"), Scores(held, AUC, "a"), resamples, seed, confidence))


def chain(
    rows: int, growing: bool, wobble: float, resamples: int, retrainings: int, confidence: float, seed: int
) -> tuple[int, float]:
    """Retrainings in a row, each judged against the champion of its day; promotions, and the last one's true gain.

    `wobble` = 0: all models are equally good, so that no promotion is deserved. Else each one's true ROC AUC is
    the first one's and a random difference: is the champion at the end worse than the first one?
    """
    rng = np.random.default_rng([seed, rows, growing, round(wobble * 1000)])
    held = Rows(rng, rows)
    champion, since, promotions = Scores(held, AUC, "0"), len(held.labels), 0
    for number in range(1, retrainings + 1):
        if growing:
            held.grow(max(50, round(rows * GROWTH)))
        challenger = Scores(held, AUC + wobble * float(rng.normal()), str(number))
        if judged(held.holdout(since), challenger, champion, resamples, seed + number, confidence):
            champion, since, promotions = challenger, len(held.labels), promotions + 1
    return promotions, champion.auc - AUC


def mean(values: Iterable[float]) -> tuple[float, float]:
    """A mean and its Monte Carlo standard error."""
    drawn = np.asarray(list(values), dtype=np.float64)
    return float(drawn.mean()), float(drawn.std(ddof=1) / np.sqrt(len(drawn)))


Runner = Callable[[Callable[[int], object], int], list[object]]


def power(
    effort: Effort, run: Runner, *, recent: bool, gains: tuple[float, ...], confidence: float = CONFIDENCE
) -> dict[int, list[tuple[float, float]]]:
    """By size of the holdout: the share of challengers that are promoted, for each true gain."""
    return {
        rows: [mean(run(partial(pair, rows, gain, recent, effort.resamples, confidence), count)) for gain in gains]  # type: ignore[arg-type]
        for rows, count in effort.pairs.items()
    }


def retrained(
    effort: Effort, run: Runner, *, growing: bool, wobble: float = 0.0, confidence: float = CONFIDENCE
) -> dict[int, dict[str, tuple[float, float]]]:
    """By size of the holdout: what becomes of retrainings in a row."""
    found = {}
    for rows, count in (effort.growing if growing else effort.frozen).items():
        step = partial(chain, rows, growing, wobble, effort.resamples, effort.retrainings, confidence)
        drawn: list[tuple[int, float]] = run(step, count)  # type: ignore[assignment]
        found[rows] = {
            "promotions": mean(promotions for promotions, _ in drawn),
            "any": mean(float(promotions > 0) for promotions, _ in drawn),
            "gain": mean(gain for _, gain in drawn),
        }
    return found


def percent(figure: tuple[float, float]) -> str:
    """A share and its standard error."""
    return f"{100 * figure[0]:.1f}% ± {100 * figure[1]:.1f}"


def plain(figure: tuple[float, float], digits: int) -> str:
    """A number and its standard error."""
    return f"{figure[0]:.{digits}f} ± {figure[1]:.{digits}f}"


def markdown(title: str, head: list[str], body: dict[int, list[str]]) -> list[str]:
    """The lines of a table by size of the holdout."""
    return [
        *("", f"**{title}**", "", "| holdout rows | " + " | ".join(head) + " |", "|---" * (len(head) + 1) + "|"),
        *(f"| {rows:,} | " + " | ".join(cells) + " |" for rows, cells in body.items()),
    ]


def report(effort: Effort, run: Runner) -> str:
    """Every table, in Markdown."""
    lines: list[str] = []

    def table(title: str, head: list[str], body: dict[int, list[str]]) -> None:
        lines.extend(markdown(title, head, body))

    head = [f"gain {gain:.2f}" if gain else "equal" for gain in GAINS]
    for confidence in (CONFIDENCE, STRICT):
        same = power(effort, run, recent=False, gains=GAINS, confidence=confidence)
        title = f"No new rows, confidence {confidence}: promoted, by true gain in ROC AUC"
        table(title, head, {n: [percent(f) for f in row] for n, row in same.items()})
    gains = (-0.02, -0.01, 0.0, 0.01, 0.02)
    head = [f"{'gain' if gain > 0 else 'loss'} {abs(gain):.2f}" if gain else "equal" for gain in gains]
    new = power(effort, run, recent=True, gains=gains)
    # A half of 60 rows has 13 positives or so: too few to judge by, so the rule is the first one.
    table(
        "Half of the rows are new: promoted, by true gain",
        head,
        {n: [percent(f) for f in row] for n, row in new.items()},
    )
    head = ["promotions", "at least one"]
    for growing, said, confidence in (
        (False, "frozen", CONFIDENCE),
        (False, "frozen", STRICT),
        (True, "growing", CONFIDENCE),
    ):
        found = retrained(effort, run, growing=growing, confidence=confidence)
        cells = {n: [plain(f["promotions"], 2), percent(f["any"])] for n, f in found.items()}
        title = f"{effort.retrainings} retrainings in a row of equally good models, {said} holdout"
        table(title + f", confidence {confidence}", head, cells)
    head = ["promotions", "true gain of the last champion"]
    for growing, said in ((False, "frozen"), (True, "growing")):
        found = retrained(effort, run, growing=growing, wobble=WOBBLE)
        cells = {n: [plain(f["promotions"], 2), plain(f["gain"], 4)] for n, f in found.items()}
        title = f"{effort.retrainings} retrainings in a row, true ROC AUC of each ± {WOBBLE} (sd), {said} holdout"
        table(title, head, cells)
    return "\n".join(lines).strip()


def simulate(
    about: str, report: Callable[[Effort, Runner], str], full: Effort, quick: Effort, arguments: list[str] | None
) -> None:
    """Print a report that is simulated on all cores, in full or with `--quick` among the arguments."""
    parser = argparse.ArgumentParser(description=about.partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="fewer repetitions, small holdouts: about ten seconds")
    effort = quick if parser.parse_args(arguments).quick else full
    started = time.perf_counter()
    with ProcessPoolExecutor(max_workers=os.process_cpu_count()) as pool:

        def run(step: Callable[[int], object], count: int) -> list[object]:
            return list(pool.map(step, range(count), chunksize=max(1, count // 40)))

        print(report(effort, run))
    print(f"\n{time.perf_counter() - started:.0f} s on {os.process_cpu_count()} cores.")


def main(arguments: list[str] | None = None) -> None:
    """Simulate on all cores and print the tables."""
    simulate(__doc__ or "", report, FULL, QUICK, arguments)


if __name__ == "__main__":
    main()
