"""What a race would choose and cost, by any rule: replayed from trials that were scored once at every size.

    python -m benchmarks.training.racing measure scores/ --rows 20000 --tables steps clusters
    python -m benchmarks.training.racing replay scores/ --rows 20000 --write racing-folds

`measure` fits every trial on each share of train that a rung may have, in the folds of the first drawing, and on all of
train in every fold. Of each fold it notes CPU seconds, on one thread, and the score on each larger share. What was
measured is not fitted again. `replay` takes these results through `racing.judge`, rung by rung, and compares with the
full search: what both cost, and by how much the race's choice is behind, cross-validated on all rows in every fold. A
fold that was fitted on all rows at one rung costs nothing at the next. One search is one sample, so each rule is
replayed on many: subsets of a table's trials, drawn with a fixed seed. They overlap, so they are not as many
independent searches.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
from threadpoolctl import threadpool_limits

from andamio.adapters.memory import MemoryObjects
from andamio.stats import metrics
from benchmarks.batch import report
from benchmarks.tables import NAMES, SEED, table
from tests.support.datasets import publish
from training.documents import ScoredTrial, TrialSpec
from training.families import sizes
from training.families.spaces import PLAIN, SPACES
from training.families.trainable import fit_spec
from training.fit import order
from training.npy import from_npy
from training.plan import plan
from training.run import FOLDS_FILE, Run
from training.search import racing, rounds
from training.trials import folds, sample
from training.trials.selection import Score, error_of_difference
from training.trials.trial import load_places, load_train

ROWS, TRIALS = (20_000, 80_000), 12
TABLES = ("steps", "clusters")
FAMILIES = ("logistic_regression", "random_forest", "hist_gradient_boosting", "mlp")
SHARES = (1 / 8, 1 / 4, 1 / 2, 1.0)
"""The shares of train that each trial is fitted on."""
SUBSETS, OF = 100, 8
"""So many searches are replayed a table, each of so many of its trials: a table of fewer is left out."""
TINY = 1e-12
"""A difference that is none."""


@dataclass(frozen=True, slots=True)
class Rule:
    """A way to race: the rungs, each a share of train and so many folds of it, and what `racing.judge` goes by."""

    rungs: tuple[tuple[float, int], ...]
    kept: float = racing.KEPT
    noise: float = racing.NOISE
    fewest: int = racing.FEWEST

    def __str__(self) -> str:
        """Cells of the table."""
        rungs = ", ".join(f"{folds} of {f'1/{1 / share:g}' if share < 1 else 'all'}" for share, folds in self.rungs)
        return f"{rungs} | 1 of {self.kept:g} | {self.noise:g}"


SET = (Rule(sample.STEPS), Rule(sample.LARGE_STEPS, noise=racing.LARGE_NOISE))
RULES = tuple(
    dict.fromkeys(
        (
            *SET,
            *(Rule(sample.STEPS, noise=noise) for noise in (0.5, 2.0)),
            Rule(sample.LARGE_STEPS),
            *(Rule(sample.STEPS, kept=kept) for kept in (3, 6)),
            *(Rule(((1.0, folds), (1.0, more))) for folds, more in ((2, 3), (2, 5), (3, 5))),
            *(Rule(((1 / 2, folds), (1.0, more))) for folds, more in ((2, 2), (2, 5), (3, 3))),
            *(Rule(((1 / 4, folds), (1.0, 3))) for folds in (2, 3)),
            *(Rule(((1 / 4, folds), (1 / 2, folds), (1.0, 3))) for folds in (2, 3)),
            *(Rule(((1 / 8, 3), (1 / 2, folds), (1.0, folds))) for folds in (2, 3)),
            Rule(((1 / 8, 3), (1.0, 3))),
            *(Rule(((share, folds),)) for share, folds in ((1 / 2, 2), (1 / 2, 3), (1.0, 2), (1.0, 3))),
        )
    )
)
"""What is compared: first the rules that are set, for tables of fewer than `sample.LARGE_FROM` rows and of more."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure tables, or print cost and choice of each rule on those that were."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("mode", choices=("measure", "replay"))
    parser.add_argument("folder", type=Path, help="where the scores are kept")
    parser.add_argument("--rows", nargs="+", type=int, default=list(ROWS), help="rows of train")
    parser.add_argument("--tables", nargs="+", choices=NAMES, default=list(TABLES))
    parser.add_argument("--families", nargs="+", choices=list(SPACES), default=list(FAMILIES))
    parser.add_argument("--trials", type=int, default=TRIALS)
    parser.add_argument("--write", metavar="NAME", help="put the table into RESULTS.md, under this name")
    given = parser.parse_args(arguments)
    if given.mode == "measure":
        given.folder.mkdir(parents=True, exist_ok=True)
        for rows in given.rows:
            for name in given.tables:
                with threadpool_limits(1):
                    measure(given.folder / f"{name}-{rows}.jsonl", name, rows, given.families, given.trials)
        return
    measured = {
        (name, rows): [json.loads(line) for line in file.read_text().splitlines()]
        for rows in given.rows
        for name in given.tables
        if (file := given.folder / f"{name}-{rows}.jsonl").exists()
    }
    text = replay({named: trials for named, trials in measured.items() if len(trials) >= OF})
    print(text)
    if given.write:
        report.put(given.write, text)


def measure(file: Path, name: str, rows: int, families: Sequence[str], trials: int) -> None:
    """Append to `file` a line for each trial of a table that it does not have yet."""
    contract, cells = table(name, rows * 5 // 4 + 8)
    lake, models = MemoryObjects("lake"), MemoryObjects("models")
    publish(lake, contract, cells)
    with patch("training.trials.sample.RACED_FROM", 2 * rows):
        planned = plan(lake, models, contract, families=families, trials=trials, budget_minutes=1440)
    planned = planned.model_copy(update={"search": planned.search.model_copy(update={"round": trials})})
    specs = [spec for spec in rounds.next_trials(planned, [], 1) if not spec.baseline]
    run = Run(planned.run, models)
    places = load_places(run, planned)
    assert places is not None
    assigned = from_npy(run.read(FOLDS_FILE, planned.folds, "plan"))
    parts = [part for repeat in assigned for part in folds.parts(repeat)]
    once = len(parts) // len(assigned)
    sealed, train = load_train(lake, run, planned.dataset)
    shares = [places < share for share in SHARES]
    loads = {}
    for share, kept in zip(SHARES, shares, strict=True):
        started = time.process_time()
        load_train(lake, run, planned.dataset, kept)
        loads[share] = time.process_time() - started
    known = {json.loads(line)["spec"]["id"] for line in file.read_text().splitlines()} if file.exists() else set()
    for spec in specs:
        if spec.id in known:
            continue
        at: list[dict[str, Any]] = []
        for share, kept in zip(SHARES, shares, strict=True):
            fitting: list[float] = []
            predicting: list[float] = []
            columns, size = [], 0
            scores: dict[str, list[float]] = {f"{larger}": [] for larger in SHARES if larger >= share}
            for others, scored in parts if share == 1 else parts[:once]:
                taken = others[kept[others]]
                started = time.process_time()
                fitted = fit_spec(sealed, train.encoded.take(taken), train.labels[taken], spec, planned.seed)
                fitting.append(time.process_time() - started)
                started = time.process_time()
                found = fitted.predict(train.encoded.take(scored))
                predicting.append(time.process_time() - started)
                columns.append(sizes.columns(fitted))
                size = max(size, sizes.estimate(fitted))
                for larger, sampled in zip(SHARES, shares, strict=True):
                    if larger >= share:
                        among = sampled[scored]
                        value = metrics.score(
                            planned.metric,
                            train.labels[scored][among],
                            found[among],
                            positive=sealed.positive_index,
                            threshold=0.5,
                        )
                        scores[f"{larger}"].append(float(value))
            at.append(
                {
                    "share": share,
                    "rows": int(kept.sum()),
                    "fit": fitting,
                    "predict": predicting,
                    "columns": float(np.mean(columns)),
                    "size_bytes": size,
                    "folds": scores,
                }
            )
        line = {"spec": spec.model_dump(), "metric": planned.metric, "loads": list(loads.values()), "at": at}
        with file.open("a") as lines:
            lines.write(json.dumps(line) + "\n")
        print(f"{file.name} {spec.id}: {', '.join(f'{sum(each["fit"]):.1f}' for each in at)} s", flush=True)


def replay(measured: Mapping[tuple[str, int], Sequence[Any]]) -> str:
    """A line for each rule: on each table the mean cost, how far behind its choices are, and how often by more than
    their error."""
    names = [f"{name}, {rows:,} rows, {len(trials)} trials" for (name, rows), trials in measured.items()]
    lines = [
        f"| rungs | go on | errors | {' | '.join(names)} |",
        f"|---|---|---:|{'---|' * len(names)}",
    ]
    for rule in RULES:
        cells = [str(rule)]
        for trials in measured.values():
            found = [race(chosen, rule) for chosen in subsets(trials)]
            cost = statistics.fmean(each.cost for each in found)
            behind = statistics.fmean(each.behind for each in found)
            worse = statistics.fmean(each.behind > each.error + TINY for each in found)
            cells.append(f"{cost:.2f}x, {behind:+.4f}, {worse:.0%}")
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


@dataclass(frozen=True, slots=True)
class Outcome:
    """A replayed search: its cost beside the full search, how far its choice is behind, and the error of that."""

    cost: float
    behind: float
    error: float


def race(trials: Sequence[Any], rule: Rule) -> Outcome:
    """Replay one search of these trials."""
    going, cost = list(trials), 0.0
    repeats = repeats_of(trials[0])
    with (
        patch("training.search.racing.KEPT", rule.kept),
        patch("training.search.racing.NOISE", rule.noise),
        patch("training.search.racing.FEWEST", rule.fewest),
    ):
        carried = 0
        for (share, count), scored in zip(rule.rungs, (*(share for share, _ in rule.rungs[1:]), 1), strict=True):
            cost += sum(seconds(each, share, scored, carried, count) for each in going)
            verdict = racing.judge(
                [result(each, share, scored, count) for each in going], going[0]["metric"], 0, repeats
            )
            kept = {each.trial for each in verdict.promoted}
            going = [each for each in going if each["spec"]["id"] in kept]
            carried = count if share == 1 else 0
    cost += sum(seconds(each, 1, 1, carried) for each in going)
    metric = trials[0]["metric"]
    best = order([result(each, 1, 1) for each in trials], metric, repeats)[0]
    other = order([result(each, 1, 1) for each in going], metric, repeats)[0]
    sign = 1 if metrics.higher_is_better(metric) else -1
    return Outcome(
        cost / sum(seconds(each, 1, 1, 0) for each in trials),
        sign * (best.mean - other.mean),
        error_of_difference(Score.of(best, repeats), Score.of(other, repeats)),
    )


def at_share(trial: Any, share: float) -> Any:
    """What was measured of a trial on one share of train."""
    return next(each for each in trial["at"] if each["share"] == share)


def repeats_of(trial: Any) -> int:
    """How often the folds of a measured trial were drawn."""
    return len(at_share(trial, 1)["fit"]) // len(trial["at"][0]["fit"])


def seconds(trial: Any, share: float, scored: float, first: int, last: int | None = None) -> float:
    """What a trial cost that was fitted on one share and scored on another, on the folds from `first` to `last`."""
    at = at_share(trial, share)
    fitting, predicting = (sum(at[name][first:last]) for name in ("fit", "predict"))
    return float(fitting + predicting * scored + trial["loads"][SHARES.index(scored)])


def result(trial: Any, share: float, scored: float, count: int | None = None) -> ScoredTrial:
    """The result that the trial has at a rung, or on all rows, on its first folds (None: on all)."""
    at = at_share(trial, share)
    defined = at["folds"][f"{float(scored)}"][:count]
    number = len(at_share(trial, 1)["fit"])
    rows = at_share(trial, scored)["rows"] * repeats_of(trial) // number
    spec = TrialSpec(**trial["spec"])
    return ScoredTrial(
        **{**spec.model_dump(), "rows": None if share == 1 else at["rows"], "first_folds": count},
        metric=trial["metric"],
        folds=[*defined, *[None] * (number - len(defined))],
        fold_rows=[rows] * number,
        mean=statistics.fmean(defined),
        se=0.0,
        columns=at["columns"],
        size_bytes=at["size_bytes"],
        scores="",
        seconds=0.0,
    )


def subsets(trials: Sequence[Any]) -> list[list[Any]]:
    """All trials, and searches of fewer: plain logistic regression, and others drawn from the rest."""
    draw = np.random.default_rng(SEED)
    plain = [each for each in trials if each["spec"]["id"] == PLAIN]
    rest = [each for each in trials if each["spec"]["id"] != PLAIN]
    size = min(OF - 1, len(rest))
    return [
        list(trials),
        *([*plain, *(rest[place] for place in draw.permutation(len(rest))[:size])] for _ in range(SUBSETS)),
    ]


if __name__ == "__main__":
    main()
