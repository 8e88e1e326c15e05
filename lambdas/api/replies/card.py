"""The model card that was sealed into the release, as a page or as Markdown."""

from __future__ import annotations

from typing import Literal

from fastapi import Response

from andamio.release.release import CARD, CARD_PAGE, Release
from lambdas.api.replies.problems import RequestError
from lambdas.api.replies.reply import page_reply

Format = Literal["html", "md"]

FILES: dict[Format, tuple[str, str]] = {"html": (CARD_PAGE, "text/html"), "md": (CARD, "text/markdown")}
"""The file of each format, and its media type."""
POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'"
)
"""The page has its styles and plots in it, and needs nothing else: no script, no other address."""


def card_reply(release: Release, wanted: Format) -> Response:
    """The card in a format; raises `RequestError` where the release has none (404)."""
    file, kind = FILES[wanted]
    body = release.find(file)
    if body is None:
        raise RequestError(
            "not-found",
            "The release that serves was sealed before there were model cards: GET model has its figures, and the next "
            "training brings a card.",
        )
    return page_reply(body, f"{kind}; charset=utf-8", policy=POLICY)


def preferred_format(accept: str) -> Format:
    """The format that an `Accept` header prefers; HTML by default."""
    accepted = _accepted(accept)
    html = max(accepted.get(kind, 0.0) for kind in ("text/html", "application/xhtml+xml"))
    return "md" if accepted.get("text/markdown", 0.0) > html else "html"


def _accepted(header: str) -> dict[str, float]:
    """Media types of an `Accept` header, and how much each is wanted (q)."""
    qualities = {}
    for part in header.lower().split(","):
        kind, _, parameters = part.partition(";")
        quality = 1.0
        for parameter in parameters.split(";"):
            name, _, value = parameter.partition("=")
            if name.strip() == "q":
                try:
                    quality = float(value)
                except ValueError:
                    quality = 0.0
        qualities[kind.strip()] = quality
    return qualities
