"""benchmarks/RESULTS.md: the tables that were measured, each between two marks, put in place of the ones before."""

from __future__ import annotations

import math
import os
import platform
import re
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

from benchmarks.batch import cost
from benchmarks.batch.contest import CEILING, CORES, OURS, PYFUNC, PYFUNC_EACH, Case

RESULTS = Path(__file__).parents[1] / "RESULTS.md"
QUIET = 0.5
"""Processes that wait or run, a core, up to which a machine counts as quiet before a measurement."""
_DECADE, _SHORTEST = 10, 0.5
"""The bars of the curve: how many marks are ten times the time, and the time that has none."""
PACKAGES = ("numpy", "pyarrow", "onnxruntime", "pandas", "mlflow", "scikit-learn")


def put(section: str, text: str) -> None:
    """Replace a section of RESULTS.md; raises `SystemExit` where it has no such marks."""
    marks = re.compile(rf"(<!-- {section} -->\n).*?(<!-- /{section} -->)", re.DOTALL)
    page = RESULTS.read_text(encoding="utf-8")
    if not marks.search(page):
        raise SystemExit(f"{RESULTS.name} has no section between <!-- {section} --> and <!-- /{section} -->")
    RESULTS.write_text(marks.sub(lambda found: f"{found[1]}{text.strip()}\n{found[2]}", page), encoding="utf-8")


def load() -> float:
    """How busy the machine has been for a minute, in processes a core."""
    return os.getloadavg()[0] / CORES


def machine() -> str:
    """The machine in general words."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
    versions = ", ".join(f"{name} {metadata.version(name)}" for name in PACKAGES)
    return (
        f"{CORES} cores, {memory:.0f} GB of memory, {sys.platform} {platform.machine()}; "
        f"Python {platform.python_version()}, {versions}."
    )


def circumstances(rows: int, repeat: int, before: float) -> str:
    """When and how often something was measured, and whether the machine was quiet `before`, by its load."""
    runs = f"the best of {repeat} runs in turns" if repeat > 1 else "one run"
    quiet = (
        "on a quiet machine"
        if before <= QUIET
        else f"**on a busy machine** ({before:.1f} other processes a core before it began: the clock counts them "
        "too, CPU time hardly)"
    )
    return f"{datetime.now(UTC):%Y-%m-%d}, {rows:,} rows, {runs}, {quiet}."


def contest(rows: int, cases: Sequence[Case], ceilings: Sequence[Case]) -> str:
    """A table of contestants over one format, the ceiling below them."""
    found = {case.name: case for case in cases}
    usual = found[PYFUNC_EACH]
    lines = [
        "| contestant | rows a second | beside (b) | us of CPU a row | beside (b) | peak MB a process |",
        "|---|---:|---:|---:|---:|---:|",
    ]
    for case in (*cases, *ceilings):
        name = f"**{case.name}**" if case.name.startswith(OURS) else case.name
        lines.append(
            f"| {name} | {rows / case.seconds:,.0f} | {usual.seconds / case.seconds:.2f}x | "
            f"{case.cpu / rows * 1e6:.2f} | {usual.cpu / case.cpu:.2f}x | {case.peak_mb:.0f} |"
        )
    return "\n".join(lines)


def aims(rows: int, cases: Mapping[str, Sequence[Case]], ceilings: Sequence[Case]) -> str:
    """What was aimed at, and what was seen."""
    named = {ending: {case.name: case for case in found} for ending, found in cases.items()}
    csv, parquet = named["csv"], named["parquet"]
    ceiling = {case.name: case for case in ceilings}
    lines = ["| aim | seen, by wall time | seen, by CPU time |", "|---|---:|---:|"]
    lines += [
        f"| CSV: at least 2.5x {name} | {csv[name].seconds / csv[OURS].seconds:.2f}x | "
        f"{csv[name].cpu / csv[OURS].cpu:.2f}x |"
        for name in (PYFUNC, PYFUNC_EACH)
    ]
    for name, case in ceiling.items():
        what = "the two tensors" if name == CEILING else "one float32 array"
        lines.append(
            f"| Parquet: at least 60% of the ceiling, {what} | {case.seconds / parquet[OURS].seconds:.0%} | "
            f"{case.cpu / parquet[OURS].cpu:.0%} |"
        )
    peak = max(csv[OURS].peak_mb, parquet[OURS].peak_mb)
    lines.append(f"| peak memory of a worker under 400 MB | {peak:.0f} MB | |")
    return "\n".join(lines)


def where(shards: Mapping[str, Sequence[Mapping[str, Any]]]) -> str:
    """What our workers spent their time on, in shares of it."""
    kinds = list(next(iter(shards.values()))[0]["seconds"])
    lines = [f"| file | {' | '.join(kinds)} |", "|---|" + "---:|" * len(kinds)]
    for ending, noted in shards.items():
        spent = [sum(shard["seconds"].get(kind, 0.0) for shard in noted) for kind in kinds]
        lines.append(f"| {ending} | {' | '.join(f'{one / sum(spent):.0%}' for one in spent)} |")
    return "\n".join(lines)


def agreement(found: Mapping[tuple[str, str], Mapping[str, float]]) -> str:
    """How far the others' answers are from ours."""
    lines = ["| file | contestant | rows | largest difference of a probability | labels that differ |"]
    lines.append("|---|---|---:|---:|---:|")
    for (ending, name), said in found.items():
        lines.append(f"| {ending} | {name} | {said['rows']:,} | {said['apart']:.1e} | {said['labels']} |")
    return "\n".join(lines)


def curve(points: Mapping[str, Sequence[tuple[int, Case]]]) -> str:
    """From the smallest file to the largest: time, what each further row took, and memory."""
    texts = []
    for ending, found in points.items():
        lines = [f"{ending:<12}rows   seconds     CPU s   us of CPU each further row   peak MB   CPU s, log scale"]
        before: tuple[int, Case] | None = None
        for rows, case in found:
            further = f"{(case.cpu - before[1].cpu) / (rows - before[0]) * 1e6:.2f}" if before else ""
            bar = "#" * max(1, round(_DECADE * math.log10(case.cpu / _SHORTEST)))
            lines.append(f"{rows:>16,}{case.seconds:>10.1f}{case.cpu:>10.2f}{further:>29}{case.peak_mb:>10.0f}   {bar}")
            before = rows, case
        texts.append("\n".join(lines))
    said = "Time is a start, and then so much a row: ten times the rows, ten more in the bar; memory stays."
    return "```text\n" + "\n\n".join(texts) + f"\n```\n\n{said}"


def aws(measured: cost.Measured, rows: int, workers: int) -> str:
    """The arithmetic for a large file on AWS."""
    estimates = [cost.estimate(measured, rows, workers, mib) for mib in (32, 4, 3)]
    half = cost.Measured(measured.rows_a_second / 2, measured.bytes_in, measured.bytes_out)
    estimates.append(cost.estimate(half, rows, workers, 3))
    lines = [
        f"One worker was seen to score {measured.rows_a_second:,.0f} rows of CSV a second of CPU, whole; a row is "
        f"{measured.bytes_in:.1f} bytes in and {measured.bytes_out:.1f} bytes out, the file "
        f"{rows * measured.bytes_in / 1e9:.1f} GB and what is written {rows * measured.bytes_out / 1e9:.1f} GB.",
        "",
        "| `shard_mib` | shards | workers busy | s a shard | s in all | GB-s | Lambda x86-64 | Lambda arm64 | "
        "S3 requests | transitions | in all (x86-64) |",
        "|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for found in estimates:
        slow = ", at half the rate" if found is estimates[-1] else ""
        lines.append(
            f"| {found.shard_mib:g}{slow} | {found.shards:,} | {found.busy:,} | {found.shard_seconds:.1f} | "
            f"{found.seconds:.0f} | {found.gb_seconds:,.0f} | ${found.dollars['x86-64']:.3f} | "
            f"${found.dollars['arm64']:.3f} | ${found.dollars['s3']:.3f} | ${found.dollars['transitions']:.3f} | "
            f"**${found.total['x86-64']:.2f}** |"
        )
    some = 100_000
    times = cost.table_dollars(rows, indexed=True) / estimates[0].total["x86-64"]
    lines += [
        "",
        f"Into the table, every row would be a write unit, two with a record id: "
        f"${cost.table_dollars(rows, indexed=False):,.2f} or ${cost.table_dollars(rows, indexed=True):,.2f}, and at "
        f"least {cost.table_seconds(rows) / 60:.0f} minutes at {cost.TABLE_WRITES_A_SECOND:,} writes a second, "
        f"whatever scores them: {times:,.0f} times what scoring "
        f'costs. That is why `store = "auto"` stops at {some:,} rows (${cost.table_dollars(some, indexed=True):.3f}) '
        "and a lookup file answers above.",
    ]
    return "\n".join(lines)
