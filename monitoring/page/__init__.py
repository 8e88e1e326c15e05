"""The page of a report: what moved, by how much, since when, how sure, and what to do. Self-contained and offline."""

from __future__ import annotations

from functools import cache

from jinja2 import Environment

from andamio.contract import Contract
from andamio.pages import scripts, text
from andamio.pages.templates import environment
from monitoring.page import sections
from monitoring.report import Report


def page(report: Report, contract: Contract) -> bytes:
    """The whole page; the same report always makes the same bytes."""
    name = contract.problem.title or contract.problem.name
    found = (
        templates()
        .get_template("monitoring.html")
        .render(
            policy=scripts.policy(),
            title=f"{name}: the watch, {report.window.end}",
            name=name,
            report=report,
            tiles=sections.tiles(report),
            sections=[section for section in sections.all_of(report, contract) if section is not None],
            scripts=scripts.scripts(),
        )
    )
    return found.encode(errors="replace")


@cache
def templates() -> Environment:
    """The page's templates, with their ways to write figures as filters."""
    found = environment("monitoring.page")
    found.filters |= {"number": text.number, "count": text.count, "cell": text.cell, "moment": sections.moment}
    found.tests["number_cell"] = text.is_number
    return found
