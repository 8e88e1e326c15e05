"""Charts as SVG, by hand: axes, lines, points with intervals, a grid of counts.

A plotting library weighs 77 MB beside MLflow in a function whose limit is 250; what an evaluation needs is a few
lines on two axes. The same figures give the same bytes. Texts are escaped, colours and fonts are those of all pages,
and every chart has a title for a screen reader.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape

from andamio.pages import theme

_FONT = f'font-family="{theme.FONT}" font-size="12"'
Point = tuple[float, float]


class Chart:
    """One chart, `width` by `height` pixels; `x` and `y` are the ranges of its axes."""

    def __init__(
        self,
        title: str,
        *,
        x: tuple[float, float] = (0.0, 1.0),
        y: tuple[float, float] = (0.0, 1.0),
        x_label: str = "",
        y_label: str = "",
        width: int = 460,
        height: int = 420,
        left: int = 62,
        note: str = "",
    ) -> None:
        self.title, self.x, self.y, self.width, self.height = title, x, y, width, height
        self.left, self.right, self.top, self.bottom = left, 18, 56 if note else 38, 50
        self.parts: list[str] = []
        self.text(width / 2, 20, title, anchor="middle", weight="600")
        if note:
            self.text(width / 2, 38, note, anchor="middle", colour=theme.SOFT, size=11)
        self.text((left + width - self.right) / 2, height - 10, x_label, anchor="middle")
        if y_label:
            middle = (self.top + height - self.bottom) / 2
            self.text(16, middle, y_label, anchor="middle", rotation=True)

    def px(self, value: float) -> float:
        """A value of the horizontal axis, in pixels."""
        low, high = self.x
        return self.left + (value - low) / (high - low) * (self.width - self.left - self.right)

    def py(self, value: float) -> float:
        """A value of the vertical axis, in pixels."""
        low, high = self.y
        return self.height - self.bottom - (value - low) / (high - low) * (self.height - self.bottom - self.top)

    def axes(self, *, vertical: bool = True) -> None:
        """Grid lines and their numbers."""
        for value in ticks(*self.x):
            x = self.px(value)
            self.segment(x, self.py(self.y[0]), x, self.py(self.y[1]), theme.LINE)
            self.text(x, self.height - self.bottom + 16, number(value), anchor="middle")
        for value in ticks(*self.y) if vertical else ():
            y = self.py(value)
            self.segment(self.px(self.x[0]), y, self.px(self.x[1]), y, theme.LINE)
            self.text(self.left - 6, y + 4, number(value), anchor="end")

    def line(self, points: Sequence[Point], colour: str, *, dashed: bool = False, width: float = 2) -> None:
        """Points joined."""
        joined = " ".join(f"{self.px(x):.1f},{self.py(y):.1f}" for x, y in points)
        dash = " stroke-dasharray='5 4'" if dashed else ""
        self.parts.append(f"<polyline points='{joined}' fill='none' stroke='{colour}' stroke-width='{width:g}'{dash}/>")

    def dot(self, x: float, y: float, colour: str, hint: str) -> None:
        """One point; `hint` is shown under the mouse."""
        self.parts.append(
            f"<circle cx='{self.px(x):.1f}' cy='{self.py(y):.1f}' r='4' fill='{colour}'><title>{escape(hint)}</title>"
            "</circle>"
        )

    def segment(self, x1: float, y1: float, x2: float, y2: float, colour: str, width: float = 1) -> None:
        """A line in pixels."""
        self.parts.append(
            f"<line x1='{x1:.1f}' y1='{y1:.1f}' x2='{x2:.1f}' y2='{y2:.1f}' stroke='{colour}' "
            f"stroke-width='{width:g}'/>"
        )

    def box(self, x: float, y: float, width: float, height: float, colour: str, opacity: float) -> None:
        """A filled rectangle in pixels."""
        self.parts.append(
            f"<rect x='{x:.1f}' y='{y:.1f}' width='{width:.1f}' height='{height:.1f}' fill='{colour}' "
            f"fill-opacity='{opacity:.3f}' stroke='{theme.LINE}'/>"
        )

    def text(
        self,
        x: float,
        y: float,
        content: str,
        *,
        anchor: str = "start",
        colour: str = theme.INK,
        weight: str = "400",
        size: int = 12,
        rotation: bool = False,
    ) -> None:
        """Words, in pixels."""
        transform = f" transform='rotate(-90 {x:.1f} {y:.1f})'" if rotation else ""
        self.parts.append(
            f"<text x='{x:.1f}' y='{y:.1f}' text-anchor='{anchor}' fill='{colour}' font-weight='{weight}' "
            f"font-size='{size}'{transform}>{escape(content)}</text>"
        )

    def legend(self, names: Sequence[str]) -> None:
        """What each colour is, inside the axes at the bottom right."""
        for index, name in enumerate(names):
            y = self.height - self.bottom - 12 - 16 * (len(names) - 1 - index)
            self.text(
                self.width - self.right - 8,
                y,
                short(name, 40),
                anchor="end",
                colour=theme.SERIES[index % len(theme.SERIES)],
            )

    def to_bytes(self) -> bytes:
        """The file."""
        return (
            f"<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 {self.width} {self.height}' width='{self.width}' "
            f"height='{self.height}' role='img' aria-label='{escape(self.title, quote=True)}' {_FONT}>"
            f"<title>{escape(self.title)}</title><rect width='100%' height='100%' fill='{theme.PAPER}'/>"
            + "".join(self.parts)
            + "</svg>\n"
        ).encode()


def ticks(low: float, high: float) -> list[float]:
    """Round numbers from low to high, four to eight of them."""
    span = high - low
    step = 10 ** math.floor(math.log10(span / 4))
    step *= next(times for times in (1, 2, 5, 10) if span / (step * times) <= 8)
    first = math.ceil(low / step - 1e-9)
    return [index * step for index in range(first, math.floor(high / step + 1e-9) + 1)]


def number(value: float) -> str:
    """A tick's number, without the dust of binary fractions."""
    return f"{value:.6g}" if abs(value) > 1e-12 else "0"


def short(text: str, limit: int) -> str:
    """A text of at most so many characters."""
    return text if len(text) <= limit else text[: limit - 1] + "…"
