"""The model card: what a person reads to know whether to trust a model, in Markdown and as one HTML page.

Everything in it comes from what the run wrote down; nothing is worked out anew, so the card can never say anything
else than the release does.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import registry.card.choosing as choosing
import registry.card.making as making
import registry.card.numbers as numbers
import registry.card.page as page
import registry.card.quality as quality
from andamio.release.release import CARD, CARD_PAGE
from registry.card.facts import Facts
from registry.card.markdown import Section, escaped
from registry.card.verdict import Verdict, judge

__all__ = ["Card", "Facts", "make"]


@dataclass(frozen=True, slots=True)
class Card:
    """A model card; `summary` is its verdict and main figures, Markdown too, for where there is little room."""

    markdown: str
    html: str
    summary: str
    verdict: Verdict

    def files(self) -> dict[str, bytes]:
        """The card as files."""
        return {CARD: self.markdown.encode(), CARD_PAGE: self.html.encode()}


def make(facts: Facts, plots: Mapping[str, bytes] | None = None) -> Card:
    """The card of a decided run; `plots` are SVG images by name ("roc", "calibration", ...), for the HTML."""
    verdict = judge(facts)
    found = [
        quality.figures(facts),
        making.purpose(facts),
        *_answers(facts),
        quality.slices(facts),
        quality.importance(facts),
        making.data(facts),
        choosing.choice(facts),
        choosing.left_out(facts),
        making.limits(facts),
        making.gate(facts),
        making.origin(facts),
    ]
    sections = [section for section in found if section is not None]
    title = facts.contract.problem.title or facts.contract.problem.name
    return Card(
        markdown=_markdown(title, verdict, sections),
        html=page.render(title, verdict, sections, dict(plots or {})),
        summary=f"{verdict.words}\n\n{quality.brief_table(facts)}\n",
        verdict=verdict,
    )


def _answers(facts: Facts) -> list[Section]:
    """What its answers are worth: a class with probabilities, or a number with an interval."""
    found, measured = facts.evaluation.numbers, facts.evaluation.calibration
    if found is not None:
        return [numbers.errors(facts, found), numbers.intervals(facts, found)]
    return [quality.threshold(facts), *([] if measured is None else [quality.calibration(facts, measured)])]


def _markdown(title: str, verdict: Verdict, sections: list[Section]) -> str:
    parts = [f"# {escaped(title)}: model card", verdict.words]
    for section in sections:
        parts += [f"## {section.title}", section.body]
    return "\n\n".join(parts) + "\n"
