"""The card as one HTML page that needs nothing else: no script, no file beside it, no address outside it."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from html import escape

from markdown_it import MarkdownIt

from registry.card.verdict import Verdict
from registry.card.wording import Section

POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'"
"""Content security policy of the page: whatever gets into it can neither run nor call out."""
MOST_PLOTS = 3 * 2**20
"""Bytes of plots in a page: API Gateway takes a reply of less than 6 MB, and base64 adds a third."""

CAPTIONS = {
    "roc": "ROC curve",
    "precision_recall": "Precision and recall",
    "confusion": "Confusion at the threshold",
    "calibration": "Calibration",
    "slices": "Slices",
    "importance": "Permutation importance",
}

_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}: model card</title>
<style>{style}</style>
</head>
<body>
<main>
<h1>{title}: model card</h1>
<div class="verdict {level}">
{verdict}</div>
<nav>{contents}</nav>
{sections}
</main>
</body>
</html>
"""

_STYLE = """
:root{color-scheme:light dark;--line:#8884;--soft:#8881;--yes:#2a7d4f;--care:#b07a00;--no:#b3382c}
body{margin:0;font:16px/1.55 system-ui,sans-serif}
main{max-width:54rem;margin:0 auto;padding:1.5rem 1rem 4rem}
h1{font-size:1.7rem;margin:.5rem 0 1rem}
h2{font-size:1.2rem;margin:2.2rem 0 .5rem;border-top:1px solid var(--line);padding-top:1.2rem}
.verdict{border-left:.4rem solid var(--care);background:var(--soft);padding:.2rem 1rem;font-size:1.05rem}
.verdict.yes{border-color:var(--yes)}.verdict.no{border-color:var(--no)}
nav{font-size:.85rem;margin:1rem 0}nav a{margin-right:.9rem;white-space:nowrap}
table{border-collapse:collapse;display:block;overflow-x:auto;font-size:.9rem;font-variant-numeric:tabular-nums}
th,td{border-bottom:1px solid var(--line);padding:.3rem .8rem .3rem 0;text-align:left;vertical-align:top}
td[style*=right]{white-space:nowrap}
code{font-size:.85em;overflow-wrap:anywhere}
p,li{overflow-wrap:anywhere}
.figures{display:flex;flex-wrap:wrap;gap:1rem;margin:1rem 0}figure{margin:0;flex:0 1 auto;min-width:0}
.figures:has(figure + figure) figure{flex:1 1 20rem}
figure img{max-width:100%;background:#fff;border-radius:4px}
@media print{nav{display:none}h2{break-after:avoid}table,figure{break-inside:avoid}}
"""

# No raw HTML: what a text holds of it is shown, not obeyed. Links of any kind are texts too.
_MARKDOWN = (
    MarkdownIt("commonmark", {"html": False}).enable("table").disable(["link", "image", "autolink", "reference"])
)


def render(title: str, verdict: Verdict, sections: Sequence[Section], plots: Mapping[str, bytes]) -> str:
    """The page; plots go under the section that names them, the others are left out."""
    fitting = dict(plots) if sum(map(len, plots.values())) <= MOST_PLOTS else {}
    return _PAGE.format(
        policy=escape(POLICY),
        title=escape(title),
        style=_STYLE,
        level=verdict.level,
        verdict=_MARKDOWN.render(verdict.words),
        contents=" ".join(f'<a href="#{_anchor(part.title)}">{escape(part.title)}</a>' for part in sections),
        sections="\n".join(_section(part, fitting) for part in sections),
    )


def _section(section: Section, plots: Mapping[str, bytes]) -> str:
    figures = "".join(_figure(name, plots[name]) for name in section.plots if name in plots)
    figures = f'<div class="figures">{figures}</div>' if figures else ""
    return (
        f'<section id="{_anchor(section.title)}">\n<h2>{escape(section.title)}</h2>\n'
        f"{_MARKDOWN.render(section.body)}{figures}</section>"
    )


def _figure(name: str, svg: bytes) -> str:
    """An SVG as an image: inside `img` it can neither run scripts nor load anything. It has its title in itself."""
    caption = escape(CAPTIONS.get(name, name))
    body = base64.b64encode(svg).decode()
    image = f'<img alt="{caption}" src="data:image/svg+xml;base64,{body}">'
    return f"<figure>{image}</figure>\n"


def _anchor(title: str) -> str:
    return "".join(letter if letter.isalnum() else "-" for letter in title.lower())
