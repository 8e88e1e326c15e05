"""The sections of a report but the features': the figures that each template shows."""

from __future__ import annotations

import numpy as np

from andamio.pages.text import number, percent
from andamio.pages.view import Cell, Figure, Section, Table
from andamio.tabular.read_as import in_words
from etl.report import charts
from etl.report.cards import CHARTED, CLASSES
from etl.report.figures import SAMPLE, duplicates, moved, related
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
    "near_duplicates": "versions of records on both sides",
}


def audit(version: Version) -> Section:
    """The suspects, or that there are none."""
    rows = [
        (
            suspect.kind,
            suspect.feature,
            ", ".join(f"{key.replace('_', ' ')} {number(value)}" for key, value in suspect.evidence.items()),
        )
        for suspect in version.suspects
    ]
    content = {
        "checked": [KINDS.get(kind, kind) for kind in version.audit.checked],
        "rows": version.audit.rows,
        "train": version.manifest.rows.train,
        "suspects": [(KINDS.get(one.kind, one.kind), one.message) for one in version.suspects],
        "evidence": Table("Evidence", ["kind", "feature", "numbers"], rows),
        "findings": [finding.message for finding in version.audit.findings],
    }
    return Section("audit", "Leakage audit", content, "suspicious" if version.suspects else "clean")


def label(version: Version) -> Section:
    """How many rows each class has."""
    counts = [version.profile.classes.train, version.profile.classes.holdout]
    rows = [
        (text, int(counts[0][key]), int(counts[1][key]))
        for key, text in zip(version.by_class.classes, version.classes, strict=True)
    ]
    totals = max(sum(row[1] for row in rows), 1), max(sum(row[2] for row in rows), 1)
    content = {
        "figure": Figure("Each class's share of the training rows and of the holdout", charts.balance(rows)),
        "table": Table(
            f"Rows by class of '{version.contract.problem.target}'",
            ["class", "train", "share", "holdout", "share"],
            [(row[0], row[1], percent(row[1] / totals[0]), row[2], percent(row[2] / totals[1])) for row in rows],
        ),
    }
    return Section("label", "Label", content)


def information(version: Version) -> Section:
    """What each feature alone tells of the label."""
    content = {
        "sample": SAMPLE if len(version.labels) > SAMPLE else None,
        "figure": Figure(
            "Share of the label's uncertainty that each feature takes away",
            charts.information(version.label_information[:CHARTED]),
        ),
        "table": Table(
            "Mutual information with the label",
            ["feature", "bits", "share", "beyond chance"],
            [
                (one.name, f"{one.bits:.3f}", percent(one.share), "yes" if one.beyond_chance else "no")
                for one in version.label_information
            ],
        ),
    }
    return Section("information", "What tells the label", content if version.label_information else {})


def missing(version: Version) -> Section:
    """Which features lack values, and for whom."""
    heading = "Missing values"
    found = sorted((one for one in version.feature_summaries if one.missing), key=lambda one: (-one.missing, one.name))
    if not found:
        return Section("missing", heading)
    totals = np.bincount(version.labels, minlength=len(version.classes)).tolist()
    shown = [] if len(version.classes) > CLASSES else version.classes
    rows = [
        [
            one.name,
            one.missing,
            percent(one.missing / max(one.rows, 1)),
            *(
                percent(n / total) if total else None
                for n, total in zip(one.missing_by_class[: len(shown)], totals[: len(shown)], strict=True)
            ),
        ]
        for one in found
    ]
    caption = "Missing values in train" + (", and the share of each class's rows that lack one" if shown else "")
    content = {
        "figure": Figure("Training rows without a value, by feature", charts.missing(found[:CHARTED])),
        "table": Table(caption, ["feature", "rows", "share", *shown], rows),
    }
    return Section("missing", heading, content)


def relations(version: Version) -> Section:
    """How features go together."""
    heading = "Relations between features"
    told = [one.name for one in version.label_information][:CROSSED]
    known = [one.name for one in version.feature_summaries if one.name in set(told) and one.missing < one.rows]
    if len(known) < 2:
        return Section("relations", heading)
    found = related(version.contract, version.train, known)
    strongest = sorted(found, key=lambda one: (-abs(one.value), one.first, one.second))[:PAIRS]
    content = {
        "most": CROSSED if len(version.label_information) > CROSSED else None,
        "figure": Figure("Relation between each pair of features", charts.relations(known, found)),
        "table": Table(
            "The strongest relations",
            ["feature", "and", "value", "measure"],
            [(one.first, one.second, f"{one.value:.2f}", one.measure) for one in strongest],
        ),
    }
    return Section("relations", heading, content)


def outliers(version: Version) -> Section:
    """Numbers far from the others."""
    heading = "Outliers"
    numbers = [one for one in version.feature_summaries if one.numbers and one.shown and one.feature.type != "date"]
    if not numbers:
        return Section("outliers", heading)
    drawn = [one for one in numbers if one.numbers["third"] > one.numbers["first"]][:CHARTED]
    rows: list[list[Cell]] = [
        [
            one.name,
            one.beyond,
            percent(one.beyond / max(one.rows - one.missing, 1)),
            one.far,
            *(number(one.numbers[key]) for key in ("min", "first", "third", "max")),
        ]
        for one in numbers
    ]
    content = {
        "figure": Figure("Box of each number; points are the farthest outliers", charts.boxes(drawn))
        if drawn
        else None,
        "table": Table(
            "Outliers in train", ["feature", "outliers", "share", "far", "min", "box from", "to", "max"], rows
        ),
    }
    return Section("outliers", heading, content)


def repeated(version: Version) -> Section:
    """Records that are there several times."""
    conflicts = version.profile.conflicts
    records, rows = duplicates(version.contract, version.train)
    content = {
        "conflicts": conflicts.rows,
        "table": Table(
            "Records that agree in every feature",
            ["what", "records", "rows"],
            [
                ("in train several times", records, rows),
                ("with different labels (train and holdout)", conflicts.groups, conflicts.rows),
            ],
        ),
    }
    return Section("duplicates", "Duplicates and conflicts", content)


def drift(version: Version) -> Section:
    """How far features moved since the data version before."""
    heading = "Change since the last version"
    if version.before is None or version.before_train is None:
        return Section("drift", heading)
    found = moved(version.contract, version.train, version.before_train)
    content = {
        "before": version.before,
        "rows_before": len(version.before_train[version.contract.problem.target]),
        "rows": len(version.labels),
        "compared": bool(found),
        "figure": Figure("Population stability index, with what chance reaches", charts.drift(found[:CHARTED])),
        "table": Table(
            heading,
            ["feature", "PSI", "chance reaches", "drifted"],
            [(one.name, f"{one.psi:.3f}", f"{one.chance:.3f}", "yes" if one.drifted else "no") for one in found],
        ),
    }
    return Section("drift", heading, content)


def origin(version: Version) -> Section:
    """Files, rejected rows, the split."""
    manifest = version.manifest
    files, split = manifest.files, manifest.split_by
    left_out = ["left out"] if manifest.rows.left_out else []
    content = {
        "files": Table(
            "Raw files" + (f" (the first {FILES} of {len(files)})" if len(files) > FILES else ""),
            ["file", "read as", "rows", "valid", "rejected", "replaced", *left_out, "SHA-256"],
            [
                (
                    file.key,
                    in_words(file.read_as),
                    file.rows,
                    file.valid,
                    file.rejected,
                    file.replaced,
                    *([file.left_out] if left_out else []),
                    file.sha256[:16],
                )
                for file in files[:FILES]
            ],
        ),
        "reasons": Table(
            "Why rows were rejected",
            ["column", "reason", "rows"],
            [(reason.column or "(row)", reason.reason, reason.rows) for reason in manifest.reasons],
        ),
        "rule": split.rule,
        "by": ", ".join(split.columns) if split.columns else "the row itself",
        "share": f"{split.share:.0%}",
    }
    return Section("origin", "Where the rows came from", content)
