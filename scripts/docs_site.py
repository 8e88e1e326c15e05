"""What the documentation site is made of beside `docs/`: a hook of MkDocs.

Pages about commands and routes are generated from the command line and from `docs/openapi.json`, so that they cannot
go out of date. Pages that lie elsewhere in the project (README, CONTRIBUTING, gaps.md, ...) get a place on the site.
"""

from __future__ import annotations

import json
import posixpath
import re
from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

from scripts import accepted_values

ROOT = Path(__file__).resolve().parents[1]
MERMAID = ROOT / "node_modules" / "@mermaid-js" / "tiny" / "dist" / "mermaid.tiny.js"
PLACES = {
    "README.md": "index.md",
    "CONTRIBUTING.md": "project/contributing.md",
    "SECURITY.md": "project/security.md",
    "CHANGELOG.md": "project/changelog.md",
    "localstack/gaps.md": "project/gaps.md",
    "benchmarks/RESULTS.md": "project/benchmarks.md",
}
"""Page of the project -> its place on the site."""
RECORDS = sorted((ROOT / "docs" / "adr").glob("[0-9]*.md"))
_LINK = re.compile(r"\[([^\]]+)\]\((?![a-z]+:|#)([^)#\s]*)(#[^)\s]*)?\)")


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """List the decision records at the end of the explanations."""
    (explanation,) = [part["Explanation"] for part in config["nav"] if "Explanation" in part]
    explanation.append({"Decision records": ["adr/index.md", *(f"adr/{record.name}" for record in RECORDS)]})
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages that do not lie in `docs/`, and the script that draws diagrams."""
    made = {
        "adr/index.md": decision_records(),
        "reference/cli.md": command_line(),
        "reference/values.md": accepted_values.page(),
        "reference/http.md": http(json.loads((ROOT / "docs" / "openapi.json").read_text())),
        "javascripts/mermaid.js": MERMAID.read_text(),
        **{place: (ROOT / name).read_text() for name, place in PLACES.items()},
    }
    for place, content in made.items():
        files.append(File.generated(config, place, content=content))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Point links at where their pages lie on the site; what is no page becomes plain text."""
    place = page.file.src_uri
    source = next((name for name, target in PLACES.items() if target == place), f"docs/{place}")

    def link(match: re.Match[str]) -> str:
        text, target, anchor = match[1], match[2], match[3] or ""
        name = posixpath.normpath(posixpath.join(posixpath.dirname(source), target))
        if not (ROOT / name).exists():
            return match[0]  # MkDocs says that it is broken, or knows it as a generated page
        name = "docs/adr/index.md" if name == "docs/adr" else name
        on_site = PLACES.get(name, name.removeprefix("docs/") if name.startswith("docs/") else None)
        if on_site is None:
            return text
        return f"[{text}]({posixpath.relpath(on_site, posixpath.dirname(place) or '.')}{anchor})"

    return _LINK.sub(link, markdown)


def decision_records() -> str:
    """The list of decision records, by number."""
    titles = [(record.read_text().split("\n", 1)[0].removeprefix("# "), record.name) for record in RECORDS]
    return "# Decision records\n\n" + "\n".join(f"- [{title}]({name})" for title, name in titles) + "\n"


def command_line() -> str:
    """All commands with arguments and options, from their help."""
    import typer
    from typer.cli import get_docs_for_click
    from typer.main import get_command

    from andamio.cli.main import app

    command = get_command(app)
    text = get_docs_for_click(obj=command, ctx=typer.Context(command), name="andamio")
    return "# The `andamio` command\n\n" + text.replace(f"{ROOT}/", "").split("\n", 1)[1]


def http(document: dict[str, Any]) -> str:
    """Every route of the API: what it takes, and how it answers."""
    lines = ["# HTTP API", "", document["info"].get("description", ""), ""]
    for path, methods in document["paths"].items():
        for method, route in methods.items():
            if method == "parameters":
                continue
            lines += [f"## {method.upper()} {path} {{: #{method}-{_slug(path)} }}", ""]
            lines += [route.get("summary", ""), "", route.get("description", ""), ""]
            parameters = route.get("parameters", [])
            if parameters:
                lines += ["| parameter | in | meaning |", "|---|---|---|"]
                lines += [
                    f"| `{p['name']}` | {p['in']} | {p.get('description', '')} |" for p in parameters if "name" in p
                ]
                lines.append("")
            lines += ["| status | meaning |", "|---|---|"]
            lines += [f"| {code} | {reply.get('description', '')} |" for code, reply in route["responses"].items()]
            lines.append("")
    return "\n".join(lines)


def _slug(path: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", path.lower()).strip("-") or "root"
