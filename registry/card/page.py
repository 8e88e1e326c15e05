"""The card as one HTML page that needs nothing else: no script, no file beside it, no address outside it."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from functools import cache

from jinja2 import Environment
from markdown_it import MarkdownIt
from markupsafe import Markup

from andamio.pages.templates import environment
from registry.card.markdown import Section
from registry.card.verdict import Verdict

POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'"
"""Content security policy of the page: whatever gets into it can neither run nor call out."""
MOST_PLOTS = 3 * 2**20
"""Bytes of plots in a page: API Gateway takes a reply of less than 6 MB, and base64 adds a third."""

CAPTIONS = {
    "roc": "ROC curve",
    "precision_recall": "Precision and recall",
    "confusion": "Confusion at the threshold",
    "calibration": "Calibration",
    "predicted": "Prediction and truth",
    "residuals": "What is left over",
    "slices": "Slices",
    "importance": "Permutation importance",
}

# No raw HTML: what a text holds of it is shown, not obeyed. Links of any kind are texts too.
_MARKDOWN = (
    MarkdownIt("commonmark", {"html": False}).enable("table").disable(["link", "image", "autolink", "reference"])
)


def render(title: str, verdict: Verdict, sections: Sequence[Section], plots: Mapping[str, bytes]) -> str:
    """The page; plots go under the section that names them, all are left out where they are too large together."""
    fitting = plots if sum(map(len, plots.values())) <= MOST_PLOTS else {}
    return (
        _templates()
        .get_template("card.html")
        .render(
            policy=POLICY,
            title=f"{title}: model card",
            verdict=verdict,
            sections=sections,
            plots={name: base64.b64encode(svg).decode() for name, svg in fitting.items()},
            captions=CAPTIONS,
        )
    )


@cache
def _templates() -> Environment:
    found = environment("registry.card")
    found.filters |= {"markdown": _markdown, "anchor": _anchor}
    return found


def _markdown(text: str) -> Markup:
    return Markup(_MARKDOWN.render(text))  # noqa: S704 - the renderer escapes what a text holds of HTML


def _anchor(title: str) -> str:
    return "".join(letter if letter.isalnum() else "-" for letter in title.lower())
