"""Markdown of a card: sections, tables, and texts of other people's that must stay texts."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

MOST = 200
"""How many characters of a text from the data or the contract are shown in one place; sentences get more."""

_CONTROL = re.compile(r"[\x00-\x1f\x7f\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069]+")
_MARKUP = re.compile(r"([\\`*\[\]<>|~&#!$])|(?<![A-Za-z0-9])(_)|(_)(?![A-Za-z0-9])")


@dataclass(frozen=True, slots=True)
class Section:
    """A part of the card: Markdown, and the plots that belong to it."""

    title: str
    body: str
    plots: tuple[str, ...] = ()


def escaped(text: object, most: int = MOST) -> str:
    """A text as a text: on one line, and no part of it is Markdown or HTML."""
    line = _CONTROL.sub(" ", str(text)).strip()
    if len(line) > most:
        line = line[: most - 1].rstrip() + "…"
    # Behind a colon, "//" would be taken for an address by readers that make links of them.
    return _MARKUP.sub(lambda match: "\\" + match.group(0), line).replace("://", "\\://")


def paragraphs(parts: Sequence[str]) -> str:
    """Paragraphs of the texts that are not empty."""
    return "\n\n".join(part for part in parts if part)


def code(text: object, most: int = MOST) -> str:
    """A name or digest, set apart; only for what is known to be plain."""
    line = _CONTROL.sub(" ", str(text)).strip()[:most].replace("`", "'").replace("|", "\\|")
    return f"`{line}`" if line else ""


def table(header: Sequence[str], rows: Sequence[Sequence[str]], right: int = 1) -> str:
    """A Markdown table whose columns from `right` on are set to the right."""
    rule = ["---" if column < right else "--:" for column in range(len(header))]
    return "\n".join(f"| {' | '.join(row)} |" for row in (header, rule, *rows))


def bullets(items: Sequence[str]) -> str:
    """A list, an item a line."""
    return "\n".join(f"- {item}" for item in items)
