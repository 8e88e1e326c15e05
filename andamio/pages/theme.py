"""Colours and fonts of pages, charts and plots; `templates/theme.css` passes them to style sheets."""

from __future__ import annotations

from typing import Any

FONT = "system-ui, -apple-system, 'Segoe UI', sans-serif"

INK = "#1f2933"
"""Text."""
SOFT = "#52606d"
"""Notes, captions, labels of axes."""
LINE = "#e4e7eb"
"""Rules of tables and grids."""
GROUND = "#f5f7fa"
"""Behind the sheets of a page."""
PAPER = "#ffffff"
"""Sheets, and what plots are drawn on."""
BRAND = "#0b4f6c"
"""Headings and links."""
GOOD, CARE, BAD = "#1b6e4b", "#b07a00", "#a3270f"
"""Verdicts."""

SERIES = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#666666", "#000000")
"""Classes in charts and plots: Okabe and Ito's colours, which the colour-blind tell apart."""
ACCENT, ALERT = SERIES[:2]
"""One series, and what stands out of it."""
ACCENT_LIGHT = "#b3d4e8"
QUIET, FAINT = "#9aa5b1", "#cbd2d9"
"""What is within chance, and what is too small to be measured."""

CHARTS: dict[str, Any] = {
    "background": "transparent",
    "font": FONT,
    "view": {"stroke": "transparent"},
    "axis": {
        "labelColor": SOFT,
        "titleColor": SOFT,
        "titleFontWeight": 500,
        "gridColor": LINE,
        "domainColor": QUIET,
        "tickColor": QUIET,
        "labelFontSize": 11,
        "titleFontSize": 11,
    },
    "legend": {"labelColor": INK, "labelFontSize": 11},
}
"""How all charts of a page look."""
