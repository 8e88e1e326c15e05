"""How a card says things: figures, tables, and texts of other people's that must stay texts."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from training.evaluate.documents import Figure, SliceFigure

MOST = 200
"""How many characters of a text from the data or the contract are shown in one place; sentences get more."""

METRICS = {
    "roc_auc": "ROC AUC",
    "average_precision": "average precision",
    "f1": "F1",
    "accuracy": "accuracy",
    "log_loss": "log loss",
    "brier": "Brier score",
}
MEANINGS = {
    "roc_auc": "how well it ranks: 0.5 is chance, 1 is perfect",
    "average_precision": "precision over all thresholds: 1 is perfect",
    "f1": "precision and recall in one, at the threshold: 1 is perfect",
    "accuracy": "share of rows that it gets right, at the threshold",
    "log_loss": "how wrong its probabilities are: 0 is perfect",
    "brier": "squared error of its probabilities: 0 is perfect",
}

_CONTROL = re.compile(r"[\x00-\x1f\x7f\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069]+")
_MARKUP = re.compile(r"([\\`*\[\]<>|~&#!$])|(?<![A-Za-z0-9])(_)|(_)(?![A-Za-z0-9])")


@dataclass(frozen=True, slots=True)
class Section:
    """A part of the card: Markdown, and the plots that belong to it."""

    title: str
    body: str
    plots: tuple[str, ...] = ()


def said(text: object, most: int = MOST) -> str:
    """A text as a text: on one line, and no part of it is Markdown or HTML."""
    line = _CONTROL.sub(" ", str(text)).strip()
    if len(line) > most:
        line = line[: most - 1].rstrip() + "…"
    # Behind a colon, "//" would be taken for an address by readers that make links of them.
    return _MARKUP.sub(lambda match: "\\" + match.group(0), line).replace("://", "\\://")


def paragraphs(parts: Sequence[str]) -> str:
    """Texts one below the other, those that say nothing left out."""
    return "\n\n".join(part for part in parts if part)


def code(text: object, most: int = MOST) -> str:
    """A name or digest, set apart; only for what is known to be plain."""
    line = _CONTROL.sub(" ", str(text)).strip()[:most].replace("`", "'").replace("|", "\\|")
    return f"`{line}`" if line else ""


def number(value: float | None, digits: int = 3) -> str:
    """A figure with so many decimals."""
    return "undefined" if value is None else f"{value:.{digits}f}"


def interval(figure: Figure | SliceFigure) -> str:
    """A figure with its 95% interval."""
    if figure.value is None or figure.low is None or figure.high is None:
        return number(figure.value)
    return f"{number(figure.value)} ({number(figure.low)} to {number(figure.high)})"


def metric(name: str) -> str:
    """A metric as people call it."""
    return METRICS.get(name, name.replace("_", " "))


def family(name: object) -> str:
    """A family of models as people call it."""
    return str(name).replace("_", " ")


def counted(count: int, one: str, many: str = "") -> str:
    """A number and its noun."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"


def listed(items: Sequence[str], most: int = 12) -> str:
    """Some items in a sentence, and how many more there are."""
    shown = ", ".join(items[:most])
    return f"{shown} and {len(items) - most:,} more" if len(items) > most else shown


def table(header: Sequence[str], rows: Sequence[Sequence[str]], right: int = 1) -> str:
    """A Markdown table whose columns from `right` on are set to the right."""
    rule = ["---" if column < right else "--:" for column in range(len(header))]
    return "\n".join(f"| {' | '.join(row)} |" for row in (header, rule, *rows))


def bullets(items: Sequence[str]) -> str:
    """A list, an item a line."""
    return "\n".join(f"- {item}" for item in items)
