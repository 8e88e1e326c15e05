"""The page of a report: what it says, in which order."""

from __future__ import annotations

from collections.abc import Iterator

from etl.report import cards, scripts, sections
from etl.report.html import Html, Part, counted, element, joined, percent, shown
from etl.report.version import Version


def page(version: Version) -> bytes:
    """The whole page; the same version always makes the same bytes."""
    contract = version.contract
    name = contract.problem.title or contract.problem.name
    title = f"{name}: data version {version.manifest['version']}"
    content = [
        ("audit", "Leakage audit", sections.audit(version)),
        ("label", "Label", sections.label(version)),
        ("information", "What tells the label", sections.information(version)),
        ("features", "Features", cards.features(version)),
        ("missing", "Missing values", sections.missing(version)),
        ("relations", "Relations between features", sections.relations(version)),
        ("outliers", "Outliers", sections.outliers(version)),
        ("duplicates", "Duplicates and conflicts", sections.repeated(version)),
        ("drift", "Change since the last version", sections.drift(version)),
        ("origin", "Where the rows came from", sections.origin(version)),
    ]
    links = (element("li", element("a", head, href=f"#{key}")) for key, head, _ in content)
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
            element("main", *(_section(version, *section) for section in content)),
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
    yield f", made {made} UTC from {counted(len(manifest['files']), 'file')}."


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
