"""How often the watch is right, and how far it carries: the tables of docs/monitoring.md.

python -m benchmarks.watch                       # every part: hours
python -m benchmarks.watch alarms --windows 50   # one part, small
python -m benchmarks.watch labels --write        # and put its table into docs/monitoring.md
python -m benchmarks.watch alarms --rows 20000 --tables heart    # some lines of a table
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable, Sequence
from pathlib import Path

from benchmarks.watch import alarms, labels, others, refused, scale
from benchmarks.watch.shifts import SHIFTS

PAGE = Path("docs/monitoring.md")

PARTS: dict[str, tuple[int, Callable[..., str]]] = {
    "alarms": (alarms.WINDOWS, alarms.false_alarms),
    "joint": (alarms.WINDOWS, alarms.joint),
    "detection": (alarms.DETECTIONS, alarms.detection),
    "rejects": (alarms.WINDOWS, refused.table),
    "labels": (200, labels.table),
    "others": (100, others.table),
    "scale": (scale.CURVE[-1], scale.curve),
}
"""By name, how many windows of each kind are drawn (of `scale` rows of the largest one), and what makes the table."""
_TABLES = ("alarms", "joint", "detection", "labels")
_ROWS = (*_TABLES, "rejects", "others")


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, print, and write on request."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.watch", description=__doc__.splitlines()[0])
    parser.add_argument("parts", nargs="*", metavar="part", help=f"of {', '.join(PARTS)}; all where none is named")
    parser.add_argument("--windows", type=int, help="windows drawn of each kind; of scale: rows")
    parser.add_argument("--write", action="store_true", help=f"put the tables into {PAGE}")
    parser.add_argument("--rows", type=int, nargs="+", help=f"of {', '.join(_ROWS)}: the sizes that are measured")
    parser.add_argument("--tables", nargs="+", choices=alarms.DETECTED, help=f"of {', '.join(_TABLES)}: the tables")
    parser.add_argument("--shifts", nargs="+", choices=SHIFTS, help="of detection: what is done to a window")
    options = parser.parse_args(arguments)
    for part in options.parts or PARTS:
        if part not in PARTS:
            parser.error(f"no part '{part}': {', '.join(PARTS)}")
        windows, measure = PARTS[part]
        chosen = {
            "sizes": options.rows if part in _ROWS else None,
            "tables": options.tables if part in _TABLES else None,
            "shifts": options.shifts if part == "detection" else None,
        }
        text = measure(options.windows or windows, **{name: some for name, some in chosen.items() if some})
        print(f"\n{part}\n\n{text}", flush=True)
        if options.write:
            put(part, text)


def put(part: str, text: str) -> None:
    """Replace what stands between the marks of a part; raises `ValueError` where the page has none."""
    page = PAGE.read_text(encoding="utf-8")
    marked = re.compile(rf"(<!-- {part} -->\n).*?(<!-- /{part} -->)", re.DOTALL)
    if not marked.search(page):
        raise ValueError(f"{PAGE} has no <!-- {part} --> ... <!-- /{part} -->")
    PAGE.write_text(marked.sub(lambda found: found[1] + text + "\n" + found[2], page), encoding="utf-8")


if __name__ == "__main__":
    main()
