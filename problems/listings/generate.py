"""Writes listings.csv: invented listings of flats, as an export of a booking site writes them. No row is a real one.

    python problems/listings/generate.py

The same seed writes the same file.
"""

from __future__ import annotations

import csv
from datetime import date, timedelta
from pathlib import Path

import numpy as np

ROWS, SEED = 900, 11
AREAS = {"Centro": 95, "Ribera": 70, "Ensanche": 55, "Puerto": 45, "Las Lomas": 25}
KINDS = {"Entire home/apt": 60, "Private room": 12, "Hotel room": 45, "Shared room": -5}
WIFI, LIFT, POOL, WASHER, HEATING = "Wifi", "Lift", "Pool", "Washer", "Heating"
LAST = date(2025, 9, 30)


def rows(seed: int = SEED, count: int = ROWS) -> list[dict[str, str]]:
    """So many listings, each as texts by column."""
    draw = np.random.default_rng(seed)
    found = []
    for number in range(count):
        area, kind = str(draw.choice(list(AREAS))), str(draw.choice(list(KINDS), p=[0.55, 0.3, 0.1, 0.05]))
        beds = int(draw.integers(1, 6)) if kind == "Entire home/apt" else int(draw.integers(1, 3))
        baths = max(1.0, round(beds / 2 * 2) / 2) if draw.random() > 0.1 else beds + 0.5
        shared = kind in ("Private room", "Shared room")
        amenities = [one for one in (WIFI, LIFT, POOL, WASHER, HEATING) if draw.random() < 0.5]
        superhost = draw.random() < 0.3
        price = 20 + AREAS[area] + KINDS[kind] + 24 * beds + 9 * baths + 30 * (POOL in amenities) + 8 * superhost
        price *= float(np.exp(draw.normal(0, 0.16)))
        price *= 12 if draw.random() < 0.02 else 1
        rate = min(100, max(20, int(draw.normal(88, 14))))
        since = LAST - timedelta(days=int(draw.integers(60, 4200)))
        seen = since + timedelta(days=int(draw.integers(30, 60)) * int(draw.integers(1, 20)))
        found.append(
            {
                "listing": f"L{number:05d}",
                "name": f"{'Sunny' if draw.random() < 0.4 else 'Quiet'} {kind.split()[0].lower()} in {area}",
                "price": f"${price:,.2f}",
                "cleaning_fee": "" if draw.random() < 0.25 else f"${5 * int(draw.integers(2, 14)):,.2f}",
                "host_since": since.strftime("%d/%m/%Y"),
                "last_review": "" if seen > LAST else seen.strftime("%d/%m/%Y"),
                "host_response_rate": "N/A" if draw.random() < 0.15 else f"{rate}%",
                "host_acceptance_rate": "N/A" if draw.random() < 0.2 else f"{min(100, rate + 3)}%",
                "host_is_superhost": "t" if superhost else "f",
                "area": area + (" " if draw.random() < 0.05 else ""),
                "room_type": kind,
                "beds": str(beds),
                "bathrooms": f"{baths:g} {'shared bath' if shared else 'bath'}{'s' if baths != 1 else ''}",
                "size": f"{18 + 17 * beds + int(draw.integers(0, 15))} m2" if draw.random() > 0.2 else "",
                "floor": str(draw.choice(["ground", "1st", "2nd", "3rd", "4th", "top"])),
                "amenities": "{" + ",".join(amenities) + "}",
                "minimum_nights": str(int(draw.choice([1, 2, 3, 7, 30], p=[0.3, 0.3, 0.2, 0.15, 0.05]))),
                "reviews": str(int(draw.integers(0, 300))),
                "score": "" if seen > LAST else f"{min(5.0, draw.normal(4.6, 0.3)):.2f}".replace(".", ",") + " of 5",
                "cancellation": str(draw.choice(["flexible", "moderate", "strict_14_with_grace_period"])),
                "status": "withdrawn" if draw.random() < 0.04 else "listed",
            }
        )
    return found


def write(file: Path) -> None:
    """Write the file."""
    found = rows()
    with file.open("w", encoding="utf-8", newline="") as text:
        writer = csv.DictWriter(text, list(found[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(found)


if __name__ == "__main__":
    write(Path(__file__).with_name("listings.csv"))
