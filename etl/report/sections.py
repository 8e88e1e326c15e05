"""The sections of a report but the features': each yields what stands under its heading."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from etl.report import charts
from etl.report.cards import CHARTED, CLASSES
from etl.report.figures import SAMPLE, Moved, duplicates, moved, related
from etl.report.html import Html, Part, counted, element, figure, percent, shown, table
from etl.report.version import Version

CROSSED = 40
"""Columns that are set against each other."""
PAIRS, FILES = 12, 50
KINDS = {
    "copies_target": "copies of the label",
    "predicts_alone": "features that predict alone",
    "missing_tells": "missing values that tell the label",
    "after_event": "dates after the event",
    "identifier": "identifiers",
    "group_overlap": "groups on both sides",
    "time_overlap": "a holdout older than train",
    "duplicates": "records on both sides",
}


def audit(version: Version) -> Iterator[Html]:
    """The suspects, or that there are none."""
    checked = [KINDS.get(kind, kind) for kind in version.audit["checked"]]
    looked = f"Looked for: {', '.join(checked)}." if checked else "This version was made before there was an audit."
    if not version.suspects:
        yield element("p", "Nothing looks like a leak." if checked else "Not audited.")
        yield element("p", looked, class_="note")
        return
    yield element(
        "p",
        f"{counted(len(version.suspects), 'suspect')}: a model trained on these data may look better than it will be. "
        "Each is evidence, not a verdict.",
    )
    yield element(
        "ol",
        *(
            element("li", element("strong", KINDS.get(suspect["kind"], suspect["kind"])), ". ", suspect["message"])
            for suspect in version.suspects
        ),
        class_="suspects",
    )
    yield table(
        "Evidence",
        ["kind", "feature", "numbers"],
        [
            (
                suspect["kind"],
                suspect["feature"],
                ", ".join(f"{key.replace('_', ' ')} {shown(value)}" for key, value in suspect["evidence"].items()),
            )
            for suspect in version.suspects
        ],
    )
    yield element("p", looked, class_="note")


def label(version: Version) -> Iterator[Html]:
    """How many rows each class has."""
    counts = [version.profile["classes"][side] for side in ("train", "holdout")]
    rows = [
        (text, int(counts[0][key]), int(counts[1][key]))
        for key, text in zip(version.contract.classes, version.classes, strict=True)
    ]
    totals = max(sum(row[1] for row in rows), 1), max(sum(row[2] for row in rows), 1)
    yield _pair(
        figure("Each class's share of the training rows and of the holdout", charts.balance(rows)),
        table(
            f"Rows by class of '{version.contract.problem.target}'",
            ["class", "train", "share", "holdout", "share"],
            [(row[0], row[1], percent(row[1] / totals[0]), row[2], percent(row[2] / totals[1])) for row in rows],
        ),
    )


def information(version: Version) -> Iterator[Html]:
    """What each feature alone tells of the label."""
    if not version.told:
        yield element("p", "Every feature is private: nothing is shown of them.")
        return
    yield element(
        "p",
        "Mutual information of each feature alone with the label, less what chance brings; grey bars are within chance "
        "(G test at 1%). It sees any kind of relation, and no interplay of features."
        + (f" Worked out on {SAMPLE:,} rows." if len(version.labels) > SAMPLE else ""),
    )
    yield _pair(
        figure(
            "Share of the label's uncertainty that each feature takes away", charts.information(version.told[:CHARTED])
        ),
        table(
            "Mutual information with the label",
            ["feature", "bits", "share", "beyond chance"],
            [
                (one.name, f"{one.bits:.3f}", percent(one.share), "yes" if one.beyond_chance else "no")
                for one in version.told
            ],
        ),
    )


def missing(version: Version) -> Iterator[Html]:
    """Which features lack values, and for whom."""
    found = sorted((one for one in version.described if one.missing), key=lambda one: (-one.missing, one.name))
    if not found:
        yield element("p", "Every training row has a value for every feature.")
        return
    totals = np.bincount(version.labels, minlength=len(version.classes)).tolist()
    many = len(version.classes) > CLASSES
    yield _pair(
        figure("Training rows without a value, by feature", charts.missing(found[:CHARTED])),
        table(
            "Missing values in train" + ("" if many else ", and the share of each class's rows that lack one"),
            ["feature", "rows", "share", *([] if many else version.classes)],
            [
                [
                    one.name,
                    one.missing,
                    percent(one.missing / max(one.rows, 1)),
                    *(
                        []
                        if many
                        else [
                            percent(n / total) if total else None
                            for n, total in zip(one.missing_by_class, totals, strict=True)
                        ]
                    ),
                ]
                for one in found
            ],
        ),
    )


def relations(version: Version) -> Iterator[Html]:
    """How features go together."""
    told = [one.name for one in version.told][:CROSSED]
    known = [one.name for one in version.described if one.name in set(told) and one.missing < one.rows]
    if len(known) < 2:
        yield element("p", "There are fewer than two features to compare.")
        return
    found = related(version.contract, version.train, known)
    yield element(
        "p",
        "Two numbers: Spearman's rho, with its sign. Two categories: Cramér's V, corrected for bias. One of each: the "
        "correlation ratio of ranks. The last two run from 0 to 1."
        + (f" The {CROSSED} most telling features." if len(version.told) > CROSSED else ""),
    )
    yield figure("Relation between each pair of features", charts.relations(known, found))
    strongest = sorted(found, key=lambda one: (-abs(one.value), one.first, one.second))[:PAIRS]
    yield table(
        "The strongest relations",
        ["feature", "and", "value", "measure"],
        [(one.first, one.second, f"{one.value:.2f}", one.measure) for one in strongest],
    )


def outliers(version: Version) -> Iterator[Html]:
    """Numbers far from the others."""
    numbers = [one for one in version.described if one.numbers and one.shown and one.feature.type != "date"]
    if not numbers:
        yield element("p", "No number is there to look at.")
        return
    yield element(
        "p",
        "Outliers lie more than 1.5 widths of the middle half (the box) outside of it, far ones more than 3 (Tukey). "
        "They are not taken out; out of the contract's range is another matter, and never gets here.",
    )
    drawn = [one for one in numbers if one.numbers["third"] > one.numbers["first"]][:CHARTED]
    if drawn:
        yield figure("Box of each number; points are the farthest outliers", charts.boxes(drawn))
    yield table(
        "Outliers in train",
        ["feature", "outliers", "share", "far", "min", "box from", "to", "max"],
        [
            (
                one.name,
                one.beyond,
                percent(one.beyond / max(one.rows - one.missing, 1)),
                one.far,
                *(shown(one.numbers[key]) for key in ("min", "first", "third", "max")),
            )
            for one in numbers
        ],
    )


def repeated(version: Version) -> Iterator[Html]:
    """Records that are there several times."""
    conflicts = version.profile["conflicts"]
    records, rows = duplicates(version.contract, version.train)
    yield table(
        "Records that agree in every feature",
        ["what", "records", "rows"],
        [
            ("in train several times", records, rows),
            ("with different labels (train and holdout)", int(conflicts["groups"]), int(conflicts["rows"])),
        ],
    )
    if conflicts["rows"]:
        yield element(
            "p", "No model can be right about all rows of a conflict: they bound what is possible.", class_="note"
        )


def drift(version: Version) -> Iterator[Html]:
    """How far features moved since the data version before."""
    if version.before is None or version.before_train is None:
        yield element("p", "This is the first data version: there is nothing to compare it with.")
        return
    found = moved(version.contract, version.train, version.before_train)
    yield (
        element(
            "p",
            "Population stability index of each feature between the training rows of ",
            element("code", version.before),
            f" ({len(version.before_train[version.contract.problem.target]):,} rows) and of this version "
            f"({len(version.labels):,} rows). Up to the mark is what chance alone reaches in 95 of 100 cases between "
            "unrelated samples; drifted is what lies above both the mark and 0.1.",
        )
        if found
        else element("p", "No feature is in both versions.")
    )
    if not found:
        return
    yield _pair(
        figure("Population stability index, with what chance reaches", charts.drift(found[:CHARTED])),
        table(
            "Change since the last version",
            ["feature", "PSI", "chance reaches", "drifted"],
            [_moved(one) for one in found],
        ),
    )


def _moved(one: Moved) -> tuple[Part, ...]:
    return one.name, f"{one.psi:.3f}", f"{one.chance:.3f}", "yes" if one.drifted else "no"


def origin(version: Version) -> Iterator[Html]:
    """Files, rejected rows, the split."""
    manifest = version.manifest
    files = manifest["files"]
    yield table(
        "Raw files" + (f" (the first {FILES} of {len(files)})" if len(files) > FILES else ""),
        ["file", "rows", "valid", "rejected", "replaced", "SHA-256"],
        [
            (file["key"], file["rows"], file["valid"], file["rejected"], file["replaced"], str(file["sha256"])[:16])
            for file in files[:FILES]
        ],
    )
    if manifest["reasons"]:
        yield table(
            "Why rows were rejected",
            ["column", "reason", "rows"],
            [(reason["column"] or "(row)", reason["reason"], reason["rows"]) for reason in manifest["reasons"]],
        )
    split = manifest["split_by"]
    by = ", ".join(split["columns"]) if split["columns"] else "the row itself"
    yield element("p", f"Split by {split['rule']} over {by}; {split['share']:.0%} held out.", class_="note")


def _pair(*parts: Html) -> Html:
    return element("div", *(element("div", part) for part in parts), class_="pair")
