"""The contest: every contestant over the same files with the same model, in turns, each in processes of its own."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.batch.processes import ONE_THREAD, Taken, python, together

CORES = os.cpu_count() or 1
MIB = 2**20
SHARD_BYTES = 32 * MIB
"""What a deployment has unless told otherwise; a smaller file is cut into `SHARDS` a core all the same."""
SHARDS = 4

OURS, PUBLISHED = "andamio", "andamio, published"
PYFUNC, PYFUNC_EACH = "(a) mlflow.pyfunc, one process", "(b) mlflow.pyfunc, a process per core"
PIPELINE, PIPELINE_EACH = "(c) scikit-learn, one process", "(d) scikit-learn, a process per core"
CEILING, CEILING_ARRAY = "ceiling: `session.run` on the tensors", "ceiling: `session.run` on one float32 array"


NOTHING = Taken(0.0, 0.0, 0.0)
"""What a case took that was measured with another."""


@dataclass(frozen=True, slots=True)
class Arena:
    """Where a contest takes place: a folder with a release, and a file in both formats, whole and in parts."""

    folder: Path
    rows: int

    @classmethod
    def prepare(cls, folder: Path, family: str, rows: int, *, split: bool = True) -> Arena:
        """Train, and make the files (with parts, if it is to be `split`); none of it is counted."""
        folder.mkdir(parents=True)
        together([python("release", folder, family)])
        arena = cls(folder, rows)
        for ending in ("csv", "parquet"):
            together([python("generate", arena.file(ending), rows)])
        if split:
            arena._split()
        return arena

    def remove(self) -> None:
        """Delete all of it."""
        shutil.rmtree(self.folder)

    def shard_bytes(self, ending: str) -> int:
        """How large the shards are into which a file is cut."""
        return min(SHARD_BYTES, self.file(ending).stat().st_size // (SHARDS * CORES) + 1)

    def file(self, ending: str) -> Path:
        """The file, as an object of the bucket that our worker reads."""
        path = self.folder / "bucket" / "incoming" / f"patients.{ending}"
        path.parent.mkdir(parents=True, exist_ok=True)
        return path

    def part(self, number: int) -> Path:
        """One of the CSV files that together are the whole one, each with a header."""
        return self.folder / f"part-{number}.csv"

    def first(self, number: int) -> int:
        """How many rows come before a part."""
        return self.rows * number // CORES

    def out(self, name: str) -> Path:
        """An empty folder for what a contestant writes."""
        path = self.folder / "out" / name
        shutil.rmtree(path, ignore_errors=True)
        path.mkdir(parents=True)
        return path

    def _split(self) -> None:
        with self.file("csv").open("rb") as whole:
            header = whole.readline()
            for number in range(CORES):
                with self.part(number).open("wb") as part:
                    part.write(header)
                    for _ in range(self.first(number + 1) - self.first(number)):
                        part.write(whole.readline())


@dataclass(slots=True)
class Case:
    """A contestant over one format, and what each of its runs took; `out` is where its files are."""

    name: str
    run: Callable[[], Taken] = field(repr=False)
    out: Path
    taken: list[Taken] = field(default_factory=list)

    @property
    def seconds(self) -> float:
        """The wall seconds of its best run: what is more is the neighbours'."""
        return min(taken.seconds for taken in self.taken)

    @property
    def cpu(self) -> float:
        """The CPU seconds of the run that took least."""
        return min(taken.cpu for taken in self.taken)

    @property
    def peak_mb(self) -> float:
        """The most memory that any of its processes had, in 10^6 bytes."""
        return max(taken.peak_mb for taken in self.taken)


def cases(arena: Arena, ending: str) -> list[Case]:
    """Every contestant over one format. Publishing is a case of its own, which takes what ours took and more."""
    out = arena.folder / "out" / f"andamio-{ending}"
    published = Case(PUBLISHED, _nothing, out)

    def run() -> Taken:
        taken, more = ours(arena, ending)
        published.taken.append(taken + more)
        return taken

    found = [Case(OURS, run, out), published]
    for name, kind, each in (
        (PYFUNC, "pyfunc", False),
        (PYFUNC_EACH, "pyfunc", True),
        (PIPELINE, "pipeline", False),
        (PIPELINE_EACH, "pipeline", True),
    ):
        out = arena.out(f"{kind}-{'each' if each else 'one'}-{ending}")
        found.append(Case(name, usual(arena, kind, ending, out, each=each), out))
    return found


def fight(cases: Sequence[Case], repeat: int) -> None:
    """Run the cases in turns."""
    for _ in range(repeat):
        for case in cases:
            taken = case.run()
            if taken is not NOTHING:
                case.taken.append(taken)


def usual(arena: Arena, kind: str, ending: str, out: Path, *, each: bool) -> Callable[[], Taken]:
    """Runs a usual way: one process as people do, with all the threads that it takes; or one thread a process."""

    def command(part: int, parts: int) -> list[str]:
        source = arena.part(part) if each and ending == "csv" else arena.file(ending)
        model = f"{kind}-1" if each else kind
        first = arena.first(part) if each and ending == "csv" else 0
        return python("usual", model, arena.folder, source, out / f"part-{part}.{ending}", part, parts, first)

    if each:
        return lambda: together([command(part, CORES) for part in range(CORES)], ONE_THREAD)
    return lambda: together([command(0, 1)])


def ours(arena: Arena, ending: str) -> tuple[Taken, Taken]:
    """Runs our own steps, one after the other; those that the machine maps over items in a process per core.

    What it took until all parts are there and verified, and what publishing took, which makes one file of them if
    they are small enough.
    """
    out = arena.out(f"andamio-{ending}")
    models, bucket = arena.folder / "models", arena.folder / "bucket"

    def take(step: str, what: str, workers: int = 1) -> Taken:
        given = (step, bucket, models, what, arena.shard_bytes(ending), workers)
        return together([python("ours", *given, worker) for worker in range(workers)], ONE_THREAD)

    total = take("plan", f"incoming/{arena.file(ending).name}")
    said = total.said[0]
    while said["status"] in ("survey", "score"):
        total += take(said["status"], said["items"], CORES)
        done = take({"survey": "cut", "score": "verify"}[said["status"]], said["batch"])
        total, said = total + done, done.said[0]
    if said["status"] != "complete":
        raise SystemExit(f"the batch was not scored: {said}")
    published = take("publish", said["batch"])
    if published.said[0]["scored"] != arena.rows:
        raise SystemExit(f"rows were not scored: {published.said[0]}")
    for made in ("scored", "batches"):
        (bucket / made).rename(out / made)
    return total, published


def ceilings(arena: Arena) -> list[Case]:
    """The model alone, a process per core, without start and files; the second is measured along with the first."""
    array = Case(CEILING_ARRAY, _nothing, arena.folder)

    def run() -> Taken:
        taken = together([python("ceiling", arena.folder, arena.rows // CORES)] * CORES, ONE_THREAD)
        array.taken.append(_alone(arena.rows, taken, "array"))
        return _alone(arena.rows, taken, "tensors")

    return [Case(CEILING, run, arena.folder), array]


def _alone(rows: int, taken: Taken, what: str) -> Taken:
    """What the model alone would have taken for all rows, by what it took for about as many."""
    figures = [said[what] for said in taken.said]
    scale = rows / sum(one["rows"] for one in figures)
    seconds = max(one["seconds"] for one in figures) * scale
    return Taken(seconds, sum(one["cpu"] for one in figures) * scale, taken.peak_mb)


def _nothing() -> Taken:
    return NOTHING
