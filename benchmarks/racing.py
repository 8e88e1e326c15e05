"""A race beside the full search: the same trials, what they cost, and whether the choice is as good.

    python -m benchmarks.racing                          # every table at 20,000 rows, 12 trials
    python -m benchmarks.racing 100000 --tables mixed --write

The full search gives every trial all rows; the folds are drawn once. CPU seconds of all trials of each, on one
thread; the choice of either by the project's own rule, and by how much the race's choice is behind, cross-validated
on all rows, with the standard error of that difference.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from unittest.mock import patch

from threadpoolctl import threadpool_limits

from andamio.adapters.memory import MemoryObjects
from andamio.stats.metrics import higher_is_better
from andamio.storage.ports import Objects
from benchmarks.batch import report
from benchmarks.tables import NAMES, table
from tests.support.datasets import publish
from training.documents import ScoredTrial
from training.families.spaces import SPACES
from training.fit import order
from training.plan import plan
from training.run import CONTINUE, Run
from training.search import rounds
from training.trials.selection import standard_error
from training.trials.trial import trial

ROWS, TRIALS = 20_000, 12
HEAD = (
    "| table | rows of train | full, s | race, s | cost | chosen by the full search | by the race | behind by | "
    "standard error |\n|---|---:|---:|---:|---:|---|---|---:|---:|"
)


def main(arguments: Sequence[str] | None = None) -> None:
    """Print cost and choice of the race and of the full search, for each table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("rows", nargs="?", type=int, default=ROWS, help="rows of train")
    parser.add_argument("--tables", nargs="+", choices=NAMES, default=list(NAMES))
    parser.add_argument("--families", nargs="+", choices=list(SPACES), default=list(SPACES))
    parser.add_argument("--trials", type=int, default=TRIALS)
    parser.add_argument("--write", action="store_true", help="put the table into RESULTS.md")
    given = parser.parse_args(arguments)
    written = [HEAD]
    print(HEAD)
    for name in given.tables:
        line = contest(name, given.rows, given.families, given.trials)
        written.append(line)
        print(line, flush=True)
    if given.write:
        report.put("racing", "\n".join(written))


def contest(name: str, rows: int, families: Sequence[str], trials: int) -> str:
    """A line of the table."""
    contract, cells = table(name, rows * 5 // 4 + 8)
    once = contract.training.model_copy(update={"repeats": 1})
    contract = contract.model_copy(update={"training": once})
    lake, models = MemoryObjects("lake"), MemoryObjects("models")
    publish(lake, contract, cells)
    raced = plan(lake, models, contract, families=families, trials=trials, budget_minutes=1440)
    assert raced.rungs, f"{rows} rows are not enough for a race"
    race_seconds, race_trials = search(lake, models, raced.run)
    full_models = MemoryObjects("full")
    with patch("training.trials.sample.RACED_FROM", 2 * rows):
        full = plan(lake, full_models, contract, families=families, trials=trials, budget_minutes=1440)
    assert not full.rungs
    full_seconds, full_trials = search(lake, full_models, full.run)
    best, other = order(full_trials, full.metric, 1)[0], order(race_trials, full.metric, 1)[0]
    sign = 1 if higher_is_better(full.metric) else -1
    pairs = [
        (one, two) for one, two in zip(best.folds, other.folds, strict=True) if one is not None and two is not None
    ]
    error = standard_error([one - two for one, two in pairs], 0.25)
    return (
        f"| {name} | {len(cells[contract.problem.target]) * 4 // 5:,} | {full_seconds:.0f} | {race_seconds:.0f} | "
        f"{race_seconds / full_seconds:.2f}x | {best.id}, {best.mean:.4f} | {other.id}, {other.mean:.4f} | "
        f"{sign * (best.mean - other.mean):+.4f} | {error:.4f} |"
    )


def search(lake: Objects, models: Objects, run: str) -> tuple[float, list[ScoredTrial]]:
    """Run every round of a planned run; CPU seconds, and the trials that were scored on all rows."""
    started, told = time.process_time(), None
    with threadpool_limits(1):
        while told is None or told.status == CONTINUE:
            asked = rounds.ask(models, run, after=told.round if told else 0)
            for spec in asked.trials:
                trial(lake, models, run, spec.id, number=asked.round)
            now = datetime.now(UTC)
            told = rounds.tell(models, run, number=asked.round, began=now, now=now)
    seconds = time.process_time() - started
    return seconds, [result for result in Run(run, models).trials() if isinstance(result, ScoredTrial)]


if __name__ == "__main__":
    main()
