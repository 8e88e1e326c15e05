"""HTML that is safe by construction: a text is escaped unless it is `Html` already."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from datetime import date, timedelta
from html import escape
from typing import Any


class Html(str):
    """Markup: what `escape` need not touch."""

    __slots__ = ()


NOTHING = "\u2013"
"""What stands where there is no figure."""

type Part = str | int | float | None


def markup(part: Part) -> Html:
    """Any part as markup; a dash for nothing."""
    if isinstance(part, Html):
        return part
    return Html(NOTHING if part is None or part == "" else escape(part if isinstance(part, str) else shown(part)))


def element(name: str, *parts: Part, **attributes: str) -> Html:
    """One element; `class_="x"` is `class="x"`, `aria_label` is `aria-label`."""
    said = "".join(f' {key.rstrip("_").replace("_", "-")}="{escape(value)}"' for key, value in attributes.items())
    return Html(f"<{name}{said}>{''.join(map(markup, parts))}</{name}>")


def joined(parts: Iterable[Part]) -> Html:
    """Parts one after the other."""
    return Html("".join(map(markup, parts)))


def table(caption: str, heads: Sequence[str], rows: Iterable[Sequence[Part]]) -> Html:
    """A table whose first column names its rows; numbers stand to the right."""
    body = [
        element(
            "tr",
            *(
                element("th", cell, scope="row")
                if place == 0
                else element("td", cell, class_="number" if _is_number(cell) else "text")
                for place, cell in enumerate(row)
            ),
        )
        for row in rows
    ]
    head = element("tr", *(element("th", title, scope="col") for title in heads))
    content = element("table", element("caption", caption), element("thead", head), element("tbody", *body))
    return element("div", content, class_="scroll", tabindex="0", role="region", aria_label=caption)


def figure(caption: str, specification: dict[str, Any]) -> Html:
    """A chart: its specification as data, which the page's script draws in its place."""
    # No text in it can close the element, or be anything but JSON.
    text = json.dumps(specification, sort_keys=True, separators=(",", ":"), allow_nan=False)
    for character in "<>&":
        text = text.replace(character, f"\\u{ord(character):04x}")
    data = Html(f'<script type="application/json">{text}</script>')
    chart = element("div", data, class_="chart", role="img", aria_label=caption)
    return element("figure", chart, element("figcaption", caption))


def shown(number: float) -> str:
    """A number as people read it: thousands apart, four digits at most behind."""
    if isinstance(number, int):
        return f"{number:,}"
    if number != number:
        return NOTHING
    size = abs(number)
    if size >= 1e7 or (0 < size < 1e-3):
        return f"{number:.3g}"
    return f"{number:,.4g}" if size < 1000 else f"{number:,.0f}"


def day(days: float) -> str:
    """Days since 1970 as a date."""
    return str(date(1970, 1, 1) + timedelta(days=round(days)))


def percent(share: float) -> str:
    """A share in per cent, never rounded to nothing."""
    return "< 0.1%" if 0 < share < 0.001 else f"{share:.1%}"


def counted(count: int, what: str) -> str:
    """A count with its noun."""
    return f"{count:,} {what}" if count == 1 else f"{count:,} {what}s"


def _is_number(cell: Part) -> bool:
    return not isinstance(cell, Html) and (
        isinstance(cell, int | float) or (cell or NOTHING)[0] in f"0123456789-<{NOTHING}"
    )
