"""The page of a report: its sections, in order, in the layout that all pages share."""

from __future__ import annotations

from functools import cache

from jinja2 import Environment

from andamio.pages import scripts, text
from andamio.pages.templates import environment
from etl.report import cards, sections
from etl.report.version import Version


def page(version: Version) -> bytes:
    """The whole page; the same version always makes the same bytes."""
    content = [
        sections.audit(version),
        sections.label(version),
        sections.information(version),
        cards.features(version),
        sections.missing(version),
        sections.relations(version),
        sections.outliers(version),
        sections.repeated(version),
        sections.drift(version),
        sections.origin(version),
    ]
    problem, manifest = version.contract.problem, version.manifest
    name = problem.title or problem.name
    page = (
        templates()
        .get_template("report.html")
        .render(
            policy=scripts.policy(),
            title=f"{name}: data version {manifest.version}",
            name=name,
            description=problem.description,
            manifest=manifest,
            created=manifest.created[:16].replace("T", " "),
            tiles=_tiles(version),
            sections=content,
            scripts=scripts.scripts(),
        )
    )
    return page.encode(errors="replace")


@cache
def templates() -> Environment:
    """The report's templates, with its ways to write figures as filters."""
    found = environment("etl.report")
    found.filters |= {"number": text.number, "count": text.count, "cell": text.cell}
    found.tests["number_cell"] = text.is_number
    return found


def _tiles(version: Version) -> list[tuple[str, str]]:
    rows = version.manifest.rows
    cells = sum(one.rows for one in version.feature_summaries)
    lacking = sum(one.missing for one in version.feature_summaries)
    return [
        ("training rows", text.number(rows.train)),
        ("holdout rows", text.number(rows.holdout)),
        ("rejected rows", text.number(rows.rejected)),
        ("features", text.number(len(version.contract.inputs))),
        ("missing cells", text.percent(lacking / max(cells, 1))),
        ("label conflicts", text.number(version.profile.conflicts.rows)),
        ("audit suspects", text.number(len(version.suspects))),
    ]
