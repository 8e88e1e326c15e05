"""What the rules would have served, in tables of Markdown."""

from __future__ import annotations

import statistics
from collections import defaultdict
from collections.abc import Sequence

import numpy as np

from andamio.stats.bootstrap import Scorer, draw, interval_of
from andamio.stats.metrics import higher_is_better, score
from benchmarks.training.selection.automl import Contest
from benchmarks.training.selection.rules import RULES, Rule, adopted, default, nearest, own_error, passes
from benchmarks.training.selection.splits import Floats, Scored, Split
from training.families.spaces import PLAIN

METRICS = ("roc_auc", "log_loss", "brier")
RESAMPLES = 1000
SEED = 7


def tables(found: Sequence[Split]) -> str:
    """The comparison of rules, and the adopted one beside plain models."""
    by_table: dict[str, list[Split]] = defaultdict(list)
    for split in found:
        by_table[split.table].append(split)
    head = (
        f"{len(by_table)} tables, {len(found)} outer splits; {_range([len(split.train) for split in found])} train "
        f"and {_range([len(split.labels) for split in found])} test rows each."
    )
    return "\n\n".join([head, _rules(by_table), _guard(found), _plain(by_table)])


def _range(numbers: Sequence[int]) -> str:
    return f"{min(numbers):,} to {max(numbers):,}"


def measured(split: Split, probabilities: Floats, metric: str) -> float:
    """A metric of the test rows."""
    return score(metric, split.labels, probabilities, positive=split.positive)


def _rules(by_table: dict[str, list[Split]]) -> str:
    lines = [
        "| rule | ROC AUC | log loss | Brier | gain in log loss over the first rule | logistic regression |",
        "|:--|--:|--:|--:|--:|--:|",
    ]
    for name, rule in RULES.items():
        means = [
            statistics.fmean(
                statistics.fmean(measured(split, rule(split).test, metric) for split in splits)
                for splits in by_table.values()
            )
            for metric in METRICS
        ]
        gains = [_mean_gain(splits, rule) for splits in by_table.values()]
        error = statistics.stdev(gains) / len(gains) ** 0.5 if len(gains) > 1 else 0.0
        linear = [rule(split).figures["family"] == PLAIN for splits in by_table.values() for split in splits]
        shown = f"{statistics.fmean(gains):+.4f} ± {error:.4f}" if rule is not own_error else ""
        figures = " | ".join(f"{mean:.4f}" for mean in means)
        lines.append(f"| {name} | {figures} | {shown} | {statistics.fmean(linear):.0%} |")
    return "\n".join(lines)


def _mean_gain(splits: Sequence[Split], rule: Rule) -> float:
    """By how much the log loss is lower than that of the rule of the best trial's own error."""
    return statistics.fmean(
        measured(split, own_error(split).test, "log_loss") - measured(split, rule(split).test, "log_loss")
        for split in splits
    )


def _guard(found: Sequence[Split]) -> str:
    """The trials that the guard keeps out and those that pass, by their log loss on the test rows."""
    lines = [
        "| trials | guard | number | worse on the test rows | log loss above plain logistic regression's |",
        "|:--|:--|--:|--:|--:|",
    ]
    losses: dict[tuple[bool, bool], list[float]] = defaultdict(list)
    for split in found:
        plain = measured(split, default(split).test, "log_loss")
        close = nearest(split)
        for trial in split.trials:
            if trial.figures["id"] != PLAIN:
                known = trial.figures["id"] in close, passes(split, trial)
                losses[known].append(measured(split, trial.test, "log_loss") - plain)
    for near, passed in ((True, False), (True, True), (False, False), (False, True)):
        gaps = losses[near, passed]
        if gaps:
            where, word = "near the best" if near else "farther", "passed" if passed else "kept out"
            worse = statistics.fmean(gap > 0 for gap in gaps)
            lines.append(f"| {where} | {word} | {len(gaps)} | {worse:.0%} | {statistics.fmean(gaps):+.4f} |")
    return "\n".join(lines)


def _plain(by_table: dict[str, list[Split]]) -> str:
    names = list(next(iter(by_table.values()))[0].plain)
    columns = [f"{metric} over {name}" for name in names for metric in ("AUC", "log loss")]
    lines = [
        "| table | train rows | served | " + " | ".join(columns) + " |",
        "|:--|--:|:--|" + "--:|" * len(columns),
    ]
    worse: dict[str, int] = dict.fromkeys(columns, 0)
    for table, splits in by_table.items():
        cells = []
        for name in names:
            for metric, column in (("roc_auc", f"AUC over {name}"), ("log_loss", f"log loss over {name}")):
                gains = [gain(split, adopted(split), split.plain[name], metric) for split in splits]
                value, low, high = (statistics.fmean(each) for each in zip(*gains, strict=True))
                worse[column] += sum(each[2] < 0 for each in gains)
                bold = "**" if high < 0 else ""
                cells.append(f"{bold}{value:+.3f} ({low:+.3f} to {high:+.3f}){bold}")
        served = sorted({adopted(split).figures["family"].replace("_", " ") for split in splits})
        lines.append(f"| {table} | {len(splits[0].train):,} | {', '.join(served)} | " + " | ".join(cells) + " |")
    count = sum(len(splits) for splits in by_table.values())
    shown = " | ".join(f"{worse[column]} of {count}" for column in columns)
    lines.append(f"| worse beyond its interval, splits | | | {shown} |")
    return "\n".join(lines)


def automl(contests: Sequence[Contest]) -> str:
    """What FLAML found beside what would be served, on the same test rows."""
    lines = [
        "| table | FLAML's estimator | seconds, ours / FLAML | AUC over FLAML | log loss over FLAML "
        "| KiB, ours / FLAML | ms a record, ours / FLAML |",
        "|:--|:--|--:|--:|--:|--:|--:|",
    ]
    held = {"roc_auc": 0, "log_loss": 0}
    for each in contests:
        cells = []
        for metric in held:
            value, low, high = gain(each.split, adopted(each.split), each.probabilities, metric)
            held[metric] += high >= 0
            cells.append(f"{value:+.3f} ({low:+.3f} to {high:+.3f})")
        cells += [
            f"{each.own_size / 1024:,.0f} / {each.size / 1024:,.0f}",
            f"{each.own_latency:.3f} / {each.latency:.1f}",
        ]
        seconds = f"{each.split.seconds:.0f} / {each.seconds:.0f}"
        lines.append(f"| {each.split.table} | {each.estimator} | {seconds} | " + " | ".join(cells) + " |")
    shown = " | ".join(f"{held[metric]} of {len(contests)}" for metric in held)
    lines.append(f"| no worse beyond its interval | | | {shown} | | |")
    return "\n".join(lines)


def gain(split: Split, trial: Scored, other: Floats, metric: str) -> tuple[float, float, float]:
    """By how much a trial is better than other probabilities on the test rows, with its paired 95% interval."""
    sign = 1 if higher_is_better(metric) else -1
    scorers = [Scorer(metric, split.positive).on(split.labels, each) for each in (trial.test, other)]
    whole = np.ones(len(split.labels))
    keys = np.array([str(row) for row in range(len(split.labels))])
    own, others = draw(scorers, split.labels, keys, SEED, RESAMPLES).T
    value = sign * (float(scorers[0](whole)) - float(scorers[1](whole)))
    found = interval_of(value, sign * (own - others))
    return value, float(found.low), float(found.high)
