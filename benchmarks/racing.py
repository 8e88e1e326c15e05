"""What a race would choose and cost, by any rule: replayed from trials that were scored once at every size.

    python -m benchmarks.racing measure scores/ --rows 80000 --tables steps clusters
    python -m benchmarks.racing replay scores/ --write

`measure` fits every trial on each share of train that a rung may have, and notes CPU seconds, on one thread, and the
score of each fold on each larger share: a file a table. What was measured is not fitted again. `replay` takes these
results through `racing.judge`, rung by rung, each rung on some of the folds at that part of the cost of all, and
compares with the full search: what both cost, and by how much
the race's choice is behind, cross-validated on all rows. One search is one sample, so each rule is replayed on many:
subsets of a table's trials, drawn with a fixed seed. They overlap, so they are not as many independent searches.
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
    """A way to race: the shares of its rungs and the folds scored there, and what `racing.judge` goes by."""

    shares: tuple[float, ...]
    folds: tuple[int, ...]
    kept: float
    noise: float
    fewest: int = 2

    def __str__(self) -> str:
        """Cells of the table."""
        shares = ", ".join(f"1/{1 / share:g}" for share in self.shares)
        return f"{shares} | {', '.join(map(str, self.folds))} | 1 of {self.kept:g} | {self.noise:g}"


SET = Rule(sample.SHARES, (sample.FOLDS,) * len(sample.SHARES), racing.KEPT, racing.NOISE, racing.FEWEST)
RULES = tuple(
    dict.fromkeys(
        (
            SET,
            *(Rule((1 / 8, 1 / 2), both, 4, 2.0) for both in ((5, 5), (5, 3), (3, 2), (2, 2))),
            *(Rule((1 / 8, 1 / 2), (3, 3), kept, 2.0) for kept in (3, 2)),
            *(Rule((1 / 8, 1 / 2), (3, 3), 4, noise) for noise in (1.5, 3.0)),
            *(
                Rule((first, more), both, 4, 2.0)
                for first, more in ((1 / 16, 1 / 4), (1 / 4, 1 / 2))
                for both in ((5, 5), (3, 3))
            ),
            *(Rule((share,), (scored,), 4, 2.0) for share in (1 / 16, 1 / 8, 1 / 4) for scored in (5, 3)),
        )
    )
)
"""What is compared: the rule that is set first."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure tables, or print cost and choice of each rule on those that were."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("mode", choices=("measure", "replay"))
    parser.add_argument("folder", type=Path, help="where the scores are kept")
    parser.add_argument("--rows", nargs="+", type=int, default=list(ROWS), help="rows of train")
    parser.add_argument("--tables", nargs="+", choices=NAMES, default=list(TABLES))
    parser.add_argument("--families", nargs="+", choices=list(SPACES), default=list(FAMILIES))
    parser.add_argument("--trials", type=int, default=TRIALS)
    parser.add_argument("--write", action="store_true", help="put the table into RESULTS.md")
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
        report.put("racing", text)


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
        at = []
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
        f"| first given | of 5 folds | go on | errors | {' | '.join(names)} |",
        f"|---|---|---|---:|{'---|' * len(names)}",
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
    last = len(SHARES) - 1
    going, cost = list(trials), 0.0
    with (
        patch("training.search.racing.KEPT", rule.kept),
        patch("training.search.racing.NOISE", rule.noise),
        patch("training.search.racing.FEWEST", rule.fewest),
    ):
        for share, scored, first in zip(rule.shares, (*rule.shares[1:], 1.0), rule.folds, strict=True):
            place, more = SHARES.index(share), SHARES.index(scored)
            cost += sum(seconds(each, place, more, first) for each in going)
            verdict = racing.judge([result(each, place, more, first) for each in going], going[0]["metric"], 0)
            kept = {each.trial for each in verdict.promoted}
            going = [each for each in going if each["spec"]["id"] in kept]
    cost += sum(seconds(each, last, last) for each in going)
    metric = trials[0]["metric"]
    best = order([result(each, last, last) for each in trials], metric, 1)[0]
    other = order([result(each, last, last) for each in going], metric, 1)[0]
    sign = 1 if metrics.higher_is_better(metric) else -1
    return Outcome(
        cost / sum(seconds(each, last, last) for each in trials),
        sign * (best.mean - other.mean),
        error_of_difference(Score.of(best, 1), Score.of(other, 1)),
    )


def seconds(trial: Any, place: int, more: int, first: int | None = None) -> float:
    """What a trial cost that was fitted on one share and scored on a larger one, on its first folds (None: on all)."""
    at = trial["at"][place]
    folds_run = len(at["folds"][f"{SHARES[more]}"][:first]) / len(at["folds"][f"{SHARES[more]}"])
    return float(folds_run * (at["fit"] + at["predict"] * SHARES[more]) + trial["loads"][more])


def result(trial: Any, place: int, more: int, first: int | None = None) -> ScoredTrial:
    """The result that the trial has at a rung, or on all rows, on its first folds (None: on all)."""
    at = trial["at"][place]
    scores = at["folds"][f"{SHARES[more]}"]
    defined = scores[:first]
    rows = trial["at"][more]["rows"]
    spec = TrialSpec(**trial["spec"])
    whole = place == len(SHARES) - 1
    return ScoredTrial(
        **{
            **spec.model_dump(),
            "id": spec.id if whole else f"{spec.id}.{at['rows']}",
            "rows": None if whole else at["rows"],
        },
        metric=trial["metric"],
        folds=[*defined, *[None] * (len(scores) - len(defined))],
        fold_rows=[rows // len(scores)] * len(scores),
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
