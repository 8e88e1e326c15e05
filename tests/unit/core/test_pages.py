"""Pages: what a template does with what it is given, and the one theme that all drawings share."""

from __future__ import annotations

import re
from pathlib import Path

import jinja2
import pytest

from andamio.pages import theme
from andamio.pages.templates import environment

ROOT = Path(__file__).parents[3]
DRAWN = ("etl/report", "registry/card", "training/evaluate", "andamio/pages/templates")


@pytest.mark.parametrize("package", ["etl.report", "registry.card"])
def test_every_template_is_found_and_compiles(package: str) -> None:
    found = environment(package)
    for name in ("number", "count", "cell", "markdown", "anchor"):  # filters of the two pages
        found.filters.setdefault(name, str)
    found.tests.setdefault("number_cell", bool)
    assert "layout.html" in found.list_templates()
    for name in found.list_templates():
        found.get_template(name)


def test_a_value_that_the_page_was_not_given_is_an_error() -> None:
    with pytest.raises(jinja2.UndefinedError, match="policy"):
        environment("etl.report").get_template("layout.html").render(title="t")


def test_a_value_is_escaped() -> None:
    text = environment("etl.report").get_template("layout.html").render(title="<script>", policy="'\"")
    assert "&lt;script&gt;" in text
    assert 'content="&#39;&#34;"' in text


def test_style_sheets_carry_the_theme() -> None:
    text = environment("registry.card").get_template("layout.html").render(title="", policy="")
    assert f"--ink: {theme.INK};" in text
    assert theme.FONT in text


def test_colours_of_drawings_are_the_themes() -> None:
    """A colour is written in the theme, or in a style sheet that says why it has another one."""
    for folder in DRAWN:
        for file in (ROOT / folder).rglob("*"):
            if file.suffix in (".py", ".html", ".js"):
                assert not re.findall(r"#[0-9a-fA-F]{6}\b", file.read_text()), file
