"""The page of a report: what it says, in which order."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from andamio.contract import Contract
from training.columns import Columns
from training.report import charts, scripts
from training.report.figures import SAMPLE, Described, Moved, Told, describe, duplicates, moved, related, told
from training.report.html import Html, Part, day, element, figure, joined, percent, shown, table

CHARTED = 60
"""Columns that get a chart of their own; all are in the tables."""
CROSSED = 40
"""Columns that are set against each other."""
CLASSES = 8
"""Classes that are told apart in charts."""
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


@dataclass(frozen=True)
class Version:
    """A data version, as a report needs it: `train` and `before_train` (of the version `before`) are kept columns."""

    contract: Contract
    manifest: Mapping[str, Any]
    profile: Mapping[str, Any]
    audit: Mapping[str, Any]
    train: Columns
    before: str | None = None
    before_train: Columns | None = None

    @cached_property
    def labels(self) -> NDArray[np.int64]:
        """Class indices of train's rows."""
        index = self.contract.label_index
        return np.array([index[text] for text in self.train[self.contract.problem.target]], dtype=np.int64)

    @cached_property
    def classes(self) -> list[str]:
        """What classes are called; a text that two of them share is told apart by its key."""
        texts = list(self.contract.texts.values())
        return [text if texts.count(text) == 1 else f"{text} ({key})" for key, text in self.contract.texts.items()]

    @cached_property
    def described(self) -> list[Described]:
        """Every feature in train."""
        return [
            describe(name, feature, self.train[name], self.labels, len(self.classes))
            for name, feature in self.contract.features.items()
        ]

    @cached_property
    def told(self) -> list[Told]:
        """What features tell of the label."""
        return told(self.contract, self.train, self.labels)

    @cached_property
    def suspects(self) -> list[Mapping[str, Any]]:
        """What the audit found."""
        return list(self.audit["suspects"])


def page(version: Version) -> bytes:
    """The whole page; the same version always makes the same bytes."""
    contract = version.contract
    name = contract.problem.title or contract.problem.name
    title = f"{name}: data version {version.manifest['version']}"
    sections = [
        ("audit", "Leakage audit", _audit(version)),
        ("label", "Label", _label(version)),
        ("information", "What tells the label", _information(version)),
        ("features", "Features", _features(version)),
        ("missing", "Missing values", _missing(version)),
        ("relations", "Relations between features", _relations(version)),
        ("outliers", "Outliers", _outliers(version)),
        ("duplicates", "Duplicates and conflicts", _duplicates(version)),
        ("drift", "Change since the last version", _drift(version)),
        ("origin", "Where the rows came from", _origin(version)),
    ]
    links = (element("li", element("a", head, href=f"#{key}")) for key, head, _ in sections)
    style = (scripts.HERE / "style.css").read_text(encoding="utf-8")
    body = joined(
        [
            element(
                "header",
                element("h1", name),
                element("p", *_lead(version), class_="lead"),
                _tiles(version),
                element("nav", element("ul", *links), aria_label="Sections"),
            ),
            element("main", *(_section(version, *section) for section in sections)),
            element(
                "footer",
                "Figures of features are of training rows alone: the holdout is counted, never looked at, so that it "
                "stays a fair judge. Values of private features are not shown. This page reaches no network.",
            ),
            element("noscript", element("p", "Charts need JavaScript; every figure is in a table too.")),
        ]
    )
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{scripts.policy()}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<link rel="icon" href="data:,">\n'
        f"{element('title', title)}\n<style>\n{style}</style>\n</head>\n<body>\n"
        f"{body}\n{scripts.written()}</body>\n</html>\n"
    ).encode(errors="replace")


def _section(version: Version, key: str, head: str, parts: Iterator[Html]) -> Html:
    extra = {}
    if key == "audit":
        extra = {"class_": "suspicious" if version.suspects else "clean"}
    return element(
        "section", element("h2", head, id=f"{key}-head"), *parts, id=key, aria_labelledby=f"{key}-head", **extra
    )


def _lead(version: Version) -> Iterator[Part]:
    manifest = version.manifest
    if version.contract.problem.description:
        yield f"{version.contract.problem.description} "
    yield "Data version "
    yield element("code", str(manifest["version"]))
    made = str(manifest["created"])[:16].replace("T", " ")
    yield f", made {made} UTC from {_number(len(manifest['files']), 'file')}."


def _tiles(version: Version) -> Html:
    rows = version.manifest["rows"]
    cells = sum(one.rows for one in version.described)
    lacking = sum(one.missing for one in version.described)
    tiles: list[tuple[str, str]] = [
        ("training rows", shown(int(rows["train"]))),
        ("holdout rows", shown(int(rows["holdout"]))),
        ("rejected rows", shown(int(rows["rejected"]))),
        ("features", shown(len(version.contract.inputs))),
        ("missing cells", percent(lacking / max(cells, 1))),
        ("label conflicts", shown(int(version.profile["conflicts"]["rows"]))),
        ("audit suspects", shown(len(version.suspects))),
    ]
    return element(
        "dl", *(element("div", element("dt", what), element("dd", value)) for what, value in tiles), class_="tiles"
    )


def _audit(version: Version) -> Iterator[Html]:
    checked = [KINDS.get(kind, kind) for kind in version.audit["checked"]]
    looked = f"Looked for: {', '.join(checked)}." if checked else "This version was made before there was an audit."
    if not version.suspects:
        yield element("p", "Nothing looks like a leak." if checked else "Not audited.")
        yield element("p", looked, class_="note")
        return
    yield element(
        "p",
        f"{_number(len(version.suspects), 'suspect')}: a model trained on these data may look better than it will be. "
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


def _label(version: Version) -> Iterator[Html]:
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


def _information(version: Version) -> Iterator[Html]:
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


def _features(version: Version) -> Iterator[Html]:
    suspects = {suspect["feature"] for suspect in version.suspects}
    charted = _first(version)
    split = len(version.classes) <= CLASSES
    yield element(
        "p",
        "Each class's share of its own rows, so that classes of different size compare."
        if split
        else f"With more than {CLASSES} classes, all rows together.",
    )
    if split:
        yield element(
            "ul",
            *(
                element("li", Html(f'<span style="background:{charts.COLOURS[index]}"></span>'), text)
                for index, text in enumerate(version.classes)
            ),
            class_="key",
        )
    yield element(
        "div",
        *(_feature(version, one, one.name in charted, one.name in suspects, split) for one in version.described),
        class_="features",
    )


def _first(version: Version) -> set[str]:
    """The columns that get a chart: the most telling ones where there are too many."""
    told = [one.name for one in version.told]
    rest = [one.name for one in version.described if one.name not in set(told)]
    return set([*told, *rest][:CHARTED])


def _feature(version: Version, one: Described, charted: bool, suspect: bool, split: bool) -> Html:
    feature = one.feature
    chips = [element("span", feature.type, class_="chip")]
    if feature.private:
        chips.append(element("span", "private", class_="chip"))
    if not feature.available_at_prediction:
        chips.append(element("span", "known only afterwards", class_="chip"))
    if suspect:
        chips.append(element("span", "suspect", class_="chip bad"))
    parts: list[Html] = [element("h3", one.name, *chips)]
    about = ", ".join(text for text in (feature.description, feature.unit) if text)
    if about:
        parts.append(element("p", about, class_="note"))
    if feature.private:
        parts.append(
            element("p", f"Private: {_number(one.rows - one.missing, 'value')}, {shown(one.missing)} missing.")
        )
        return element("article", *parts, class_="feature")
    if one.missing == one.rows:
        parts.append(element("p", "No row has a value."))
        return element("article", *parts, class_="feature")
    if charted:
        names = version.classes if split else ["all rows"]
        drawn = one if split else _together(one)
        parts.append(figure(f"Distribution of {one.name} by class", charts.distribution(drawn, names)))
    parts.append(_summary(version, one))
    return element("article", *parts, class_="feature")


def _together(one: Described) -> Described:
    """The same feature with its classes counted as one."""
    values = [(text, [sum(counts)]) for text, counts in one.values]
    bins = [(low, high, [sum(counts)]) for low, high, counts in one.bins]
    return Described(one.name, one.feature, one.rows, one.missing, [one.missing], one.numbers, values, bins)


def _summary(version: Version, one: Described) -> Html:
    if one.numbers:
        value = day if one.feature.type == "date" else shown
        spread = shown(one.numbers["std"]) + (" days" if one.feature.type == "date" else "")
        heads = ["values", "missing", "min", "25%", "median", "75%", "max", "mean", "std"]
        row: list[Part] = [
            shown(one.rows - one.missing),
            shown(one.missing),
            *(value(one.numbers[key]) for key in ("min", "first", "median", "third", "max", "mean")),
            spread,
        ]
        return table(f"{one.name} in train", heads, [row])
    rows: list[list[Part]] = [[text, sum(counts), *counts] for text, counts in one.values]
    if one.missing:
        rows.append(["(no value)", one.missing, *one.missing_by_class])
    many = len(version.classes) > CLASSES
    heads = ["value", "rows", *([] if many else version.classes)]
    content = table(f"{one.name} in train: {one.distinct:,} values", heads, [row[: len(heads)] for row in rows])
    return element(
        "details", element("summary", f"{_number(one.distinct, 'value')}, {shown(one.missing)} missing"), content
    )


def _missing(version: Version) -> Iterator[Html]:
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


def _relations(version: Version) -> Iterator[Html]:
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


def _outliers(version: Version) -> Iterator[Html]:
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


def _duplicates(version: Version) -> Iterator[Html]:
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


def _drift(version: Version) -> Iterator[Html]:
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


def _origin(version: Version) -> Iterator[Html]:
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


def _number(count: int, what: str) -> str:
    return f"{count:,} {what}" if count == 1 else f"{count:,} {what}s"
