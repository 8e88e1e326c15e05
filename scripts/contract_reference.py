"""The reference of problem.toml, made from the contract's tables: key, type and range, default, meaning.

    .venv/bin/python scripts/contract_reference.py --write

Writes docs/reference/contract.md. A key without a text under it in `andamio/contract/tables.py` is an error.
"""

from __future__ import annotations

import ast
import inspect
import json
import sys
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

from pydantic.fields import FieldInfo

from andamio.contract import Contract, tables
from andamio.contract.tables import NOT_BUILT, Section

PAGE = Path(__file__).resolve().parents[1] / "docs" / "reference" / "contract.md"
HEAD = """# Keys of `problem.toml`

Made from `andamio/contract/tables.py` by `python scripts/contract_reference.py --write`. [The contract](../contract.md)
describes how the keys work together. An unknown key is an error that names the key and the nearest known one. Above all
tables stands `format = 1`, the version of this format: a newer one is refused, `andamio check --upgrade` rewrites
an older.
"""


def page() -> str:
    """The whole page, in Markdown; raises `ValueError` that names a key without a text."""
    said = _texts()
    parts = [HEAD]
    for table, model in sections():
        title = f"[{table}.NAME]" if table in ("features", "raw") else f"[{table}]"
        parts += [f"## {title}", "", "| key | type | default | meaning |", "|---|---|---|---|"]
        properties = model.model_json_schema(mode="validation")
        for key, field in model.model_fields.items():
            name = field.alias or key
            if (table, name) in NOT_BUILT:
                continue
            text = next((said[kind.__name__, key] for kind in model.__mro__ if (kind.__name__, key) in said), None)
            if text is None:
                raise ValueError(f"tables.py says nothing of '{name}' of [{table}]: write a text under the key")
            kind = _kind(properties["properties"][name], properties.get("$defs", {}))
            parts.append(f"| `{name}` | {_cell(kind)} | {_default(field)} | {_cell(text)} |")
        parts.append("")
    return "\n".join(parts)


def _parts(annotation: Any) -> Iterator[Any]:
    """An annotation and all that it is made of."""
    yield annotation
    for part in getattr(annotation, "__args__", ()):
        yield from _parts(part)


def sections() -> list[tuple[str, type[Section]]]:
    """The tables of the file in their order, with their models."""
    return [
        (table, part)
        for table, field in Contract.model_fields.items()
        for part in _parts(field.annotation)
        if isinstance(part, type) and issubclass(part, Section)
    ]


def _texts() -> dict[tuple[str, str], str]:
    """(model, key) -> the text that stands under the key in the source."""
    found = {}
    for node in ast.parse(inspect.getsource(tables)).body:
        if not isinstance(node, ast.ClassDef):
            continue
        for key, text in pairwise(node.body):
            match key, text:
                case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=str(said))):
                    found[node.name, name] = " ".join(said.split())
    return found


def _kind(schema: dict[str, Any], defs: dict[str, Any]) -> str:
    """What a value is, in words: its type, what it may be, its range."""
    if "$ref" in schema:
        named = defs[schema["$ref"].rsplit("/", 1)[-1]]
        return f"a table of {', '.join(f'`{key}`' for key in named['properties'])}"
    if "anyOf" in schema:
        return " or ".join(_kind(one, defs) for one in schema["anyOf"] if one.get("type") != "null")
    if "enum" in schema:
        *most, last = (f'`"{value}"`' for value in schema["enum"])
        return f"{', '.join(most)} or {last}" if most else last
    if "const" in schema:
        return f'`"{schema["const"]}"`'
    if schema["type"] == "array":
        return f"a list, each {_kind(schema['items'], defs)}"
    if schema["type"] == "object":
        return "a table"
    named = {"integer": "an integer", "number": "a number", "boolean": "`true` or `false`", "string": "a text"}
    bounds = {"minimum": "at least", "exclusiveMinimum": "above", "maximum": "at most", "exclusiveMaximum": "below"}
    limits = [f"{words} {schema[bound]:.10g}" for bound, words in bounds.items() if bound in schema]
    if schema.get("maxLength") == 1:
        return "one character"
    return " ".join([named[schema["type"]], ", ".join(limits)]).strip()


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    value = field.get_default(call_default_factory=True)
    if value is None or value == "" or value == ():
        return "none"
    return f"`{json.dumps(value)}`"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def main() -> None:
    """Write the page, or say whether it is out of date."""
    made = page()
    if "--write" in sys.argv[1:]:
        PAGE.write_text(made)
    elif PAGE.read_text() != made:
        sys.exit(f"{PAGE.name} is out of date: run python scripts/contract_reference.py --write")


if __name__ == "__main__":
    main()
