"""Make fruit.csv: three classes with text labels, text categories with gaps, a date, a boolean. Invented, seeded.

Run `python tests/problems/fruit/generate.py` to make the same file again.
"""

from __future__ import annotations

import csv
from datetime import date, timedelta
from pathlib import Path

import numpy as np

ROWS = 240
CLASSES = ("unripe", "ripe", "over-ripe")
COLOURS = {"unripe": "green", "ripe": "yellow", "over-ripe": "brown"}


def main() -> None:
    """Write the file beside this script."""
    rng = np.random.default_rng(20260101)
    with Path(__file__).with_name("fruit.csv").open("w", newline="", encoding="utf-8") as file:
        out = csv.writer(file, lineterminator="\n")
        out.writerow(["firmness", "sugar", "colour", "origin", "picked_on", "organic", "state"])
        for _ in range(ROWS):
            ripeness = int(rng.integers(3))
            state = CLASSES[ripeness]
            firmness = rng.normal(9 - 3 * ripeness, 1.2)
            sugar = rng.normal(6 + 3 * ripeness, 1.5)
            colour = COLOURS[state] if rng.random() < 0.8 else str(rng.choice(list(COLOURS.values())))
            picked = date(2025, 6, 1) + timedelta(days=int(rng.integers(0, 300)))
            out.writerow(
                [
                    "" if rng.random() < 0.08 else f"{firmness:.2f}",
                    f"{sugar:.2f}",
                    "n/a" if rng.random() < 0.1 else colour,
                    "" if rng.random() < 0.05 else str(rng.choice(["Valencia", "Murcia", "Sevilla", "Huelva"])),
                    picked.isoformat(),
                    "yes" if rng.random() < 0.3 else "no",
                    state,
                ]
            )


if __name__ == "__main__":
    main()
