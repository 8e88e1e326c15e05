"""GET /model/card: the model card that was sealed into the release, as a page or as Markdown."""

from __future__ import annotations

from fastapi import Request, Response

from andamio.release.release import CARD, CARD_PAGE, Release
from lambdas.api import replies
from lambdas.api.problems import RequestError

FORMATS = {"html": (CARD_PAGE, "text/html"), "md": (CARD, "text/markdown")}
"""What `?format=` takes: the file, and its media type."""
POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'"
)
"""The page has its styles and plots in it, and needs nothing else: no script, no other address."""


def reply(request: Request, release: Release) -> Response:
    """The card in the format that was asked for; raises `RequestError` where the release has none (404)."""
    file, kind = FORMATS[_format(request)]
    body = release.find(file)
    if body is None:
        raise RequestError(
            404,
            "not-found",
            "The release that serves was sealed before there were model cards: GET model has its figures, and the next "
            "training brings a card.",
        )
    return replies.page_reply(body, f"{kind}; charset=utf-8", policy=POLICY)


def _format(request: Request) -> str:
    """Which format to answer in: `?format=` first, then what `Accept` prefers, HTML where it says nothing."""
    said = request.query_params.get("format")
    if said is not None:
        if said not in FORMATS:
            wrong = ("format", f"expected {' or '.join(FORMATS)}")
            raise RequestError(422, "invalid-request", "The query cannot be understood.", [wrong])
        return said
    accepted = _accepted(request.headers.get("accept", ""))
    html = max(accepted.get(kind, 0.0) for kind in ("text/html", "application/xhtml+xml"))
    return "md" if accepted.get("text/markdown", 0.0) > html else "html"


def _accepted(header: str) -> dict[str, float]:
    """Media types of an `Accept` header, and how much each is wanted (q)."""
    found = {}
    for part in header.lower().split(","):
        kind, _, parameters = part.partition(";")
        wanted = 1.0
        for parameter in parameters.split(";"):
            name, _, value = parameter.partition("=")
            if name.strip() == "q":
                try:
                    wanted = float(value)
                except ValueError:
                    wanted = 0.0
        found[kind.strip()] = wanted
    return found
