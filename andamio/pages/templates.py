"""Templates of pages: the one place that knows Jinja."""

from __future__ import annotations

from typing import Any

from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined, select_autoescape

from andamio.pages import theme


def environment(package: str) -> Environment:
    """The templates of a package's folder `templates`, beside the shared layout.

    Every value is escaped in `.html`; a name that the page was not given is an error, never an empty place.
    """
    found = Environment(
        loader=ChoiceLoader([PackageLoader(package), PackageLoader("andamio.pages")]),
        autoescape=select_autoescape(["html"]),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    found.globals["theme"] = {name.lower(): value for name, value in vars(theme).items() if name.isupper()}
    # The same values always make the same bytes, and NaN is not JSON.
    options: dict[str, Any] = {"sort_keys": True, "separators": (",", ":"), "allow_nan": False}
    found.policies["json.dumps_kwargs"] = options
    return found
