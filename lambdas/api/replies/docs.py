"""The page behind /docs: Swagger UI, shipped with the function, so that it works offline.

Every link in it is relative, so that it holds under any stage or domain: the page at `.../docs` finds
`.../docs/swagger-ui.css` and `.../openapi.json` wherever that is.
"""

from __future__ import annotations

from functools import cache
from html import escape
from pathlib import Path

STATIC = Path(__file__).parents[1] / "static"
"""Where the bundle puts the files of swagger-ui-dist."""

ASSETS = {"swagger-ui.css": "text/css", "swagger-ui-bundle.js": "text/javascript"}
"""The files that the page needs of swagger-ui-dist, and what they are."""

SCRIPT = "start.js"
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "font-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""No script but our own files; Swagger UI writes style attributes and shows images as data URLs."""

_ICON = "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 16 16'%3E%3Cpath d='M3 1v14M13 1v14M1 5h14M1 11h14M3 11l10-6' stroke='%23364' stroke-width='1.6' fill='none'/%3E%3C/svg%3E"  # noqa: E501

_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<link rel="icon" href="{icon}">
<link rel="stylesheet" href="docs/swagger-ui.css">
</head>
<body>
<div id="swagger-ui"><noscript>This page needs JavaScript; <a href="openapi.json">openapi.json</a> says the same.
</noscript></div>
<script src="docs/swagger-ui-bundle.js"></script>
<script src="docs/{script}"></script>
</body>
</html>
"""

_START = b"""SwaggerUIBundle({
  url: new URL("../openapi.json", document.currentScript.src).href,
  dom_id: "#swagger-ui",
  deepLinking: true,
  tryItOutEnabled: true,
  validatorUrl: null,
  presets: [SwaggerUIBundle.presets.apis],
});
"""


def page(title: str) -> bytes:
    """The page."""
    return _PAGE.format(title=escape(title), icon=_ICON, script=SCRIPT).encode()


def asset(folder: Path, name: str) -> tuple[bytes, str] | None:
    """A part of the page and its media type; None when there is no such part, or the bundle left it out."""
    if name == SCRIPT:
        return _START, "text/javascript"
    if name not in ASSETS:
        return None
    try:
        return _file(folder / name), ASSETS[name]
    except FileNotFoundError:
        return None


@cache
def _file(path: Path) -> bytes:
    return path.read_bytes()
