"""What the export of a booking site means: its texts as numbers and categories, and the label.

Numbers come as float64 (NaN: no value), texts as objects (None: no value), dates as datetime64.
"""

import re

import numpy as np

EXPORTED = np.datetime64("2025-10-01")
DEAR = 250.0
LUXURY = 2000.0
ROOMS = {"Entire home/apt": "entire", "Private room": "private", "Hotel room": "hotel", "Shared room": "shared"}
FLOORS = {"ground": 0, "1st": 1, "2nd": 2, "3rd": 3, "4th": 4, "top": 5}
AREAS = ("centro", "ribera", "ensanche", "puerto", "las lomas")
AMENITIES = ("wifi", "lift", "pool", "washer", "heating")
NUMBER = re.compile(r"[0-9]+(?:\.[0-9]+)?")


def each(texts, read, empty=np.nan):
    """What `read` makes of each text, `empty` where there is none."""
    return np.array([empty if text is None else read(text) for text in texts])


def labelled(texts, read):
    """The same as categories."""
    return np.array([None if text is None else read(text) for text in texts], dtype=object)


def dollars(text):
    if not text.startswith("$"):
        raise ValueError("expected an amount such as $1,250.00")
    return float(text[1:].replace(",", ""))


def share(text):
    if not text.endswith("%"):
        raise ValueError("expected a share such as 85%")
    return float(text[:-1]) / 100


def first_number(text):
    found = NUMBER.search(text.replace(",", "."))
    return float(found[0]) if found else np.nan


def area(text):
    known = text.strip().lower()
    return known if known in AREAS else "other"


def days(later, earlier):
    return (later - earlier) / np.timedelta64(1, "D")


def prepare(columns):
    made = {}
    beds, nights, reviews = columns["beds"], columns["minimum_nights"], columns["reviews"]
    # Amounts, shares and sizes that are written with signs and units.
    made["cleaning_fee"] = each(columns["cleaning_fee"], dollars, 0.0)
    made["host_response_rate"] = response = each(columns["host_response_rate"], share)
    made["host_acceptance_rate"] = acceptance = each(columns["host_acceptance_rate"], share)
    made["bathrooms"] = baths = each(columns["bathrooms"], first_number)
    made["bath_shared"] = each(columns["bathrooms"], lambda text: float("shared" in text))
    made["size"] = size = each(columns["size"], first_number)
    made["score"] = each(columns["score"], first_number)
    # Spellings of categories.
    made["area"] = areas = labelled(columns["area"], area)
    made["room_type"] = rooms = labelled(columns["room_type"], ROOMS.get)
    made["floor"] = floor = each(columns["floor"], lambda text: FLOORS.get(text, np.nan))
    made["cancellation"] = labelled(columns["cancellation"], lambda text: text.split("_")[0])
    # Dates.
    made["host_days"] = hosting = days(EXPORTED, columns["host_since"])
    made["review_days"] = days(EXPORTED, columns["last_review"])
    made["reviewed"] = ~np.isnat(columns["last_review"])
    months = columns["host_since"].astype("datetime64[M]").astype(int)
    made["joined_month"] = months % 12 + 1
    made["joined_year"] = months // 12 + 1970
    # Texts that hold several facts.
    amenities = labelled(columns["amenities"], lambda text: set(text.strip("{}").lower().split(",")) - {""})
    made["amenity_count"] = each(amenities, len, 0)
    for amenity in AMENITIES:
        made[amenity] = each(amenities, lambda found, amenity=amenity: float(amenity in found), 0.0)
    made["sunny"] = each(columns["name"], lambda text: float("sunny" in text.lower()))
    made["name_length"] = each(columns["name"], len, 0)
    # Scales and ratios.
    made["reviews_log"] = np.log1p(reviews)
    made["reviews_a_year"] = reviews / np.maximum(hosting / 365.25, 0.5)
    made["size_a_bed"] = size / np.maximum(beds, 1)
    made["baths_a_bed"] = baths / np.maximum(beds, 1)
    made["fee_a_bed"] = made["cleaning_fee"] / np.maximum(beds, 1)
    made["stay_log"] = np.log(nights)
    made["long_stay"] = nights >= 7
    made["beds_squared"] = beds**2
    # Several columns at once.
    made["high_without_lift"] = (floor >= 3) & (made["lift"] == 0)
    made["central"] = np.isin(areas, ["centro", "ribera"])
    made["central_entire"] = made["central"] & (rooms == "entire")
    made["family"] = (beds >= 3) & (rooms == "entire")
    made["rates_known"] = (~np.isnan(response)).astype(int) + ~np.isnan(acceptance)
    made["answers"] = np.select(
        [np.isnan(response), response < 0.7, response < 1], ["unknown", "seldom", "mostly"], "always"
    )
    return made


def target(columns):
    price = each(columns["price"], dollars)
    return np.where(np.isnan(price), None, np.where(price >= DEAR, "yes", "no"))


def keep(columns):
    price = each(columns["price"], dollars)
    return (columns["status"] != "withdrawn") & ~(price > LUXURY)
