"""An older `problem.toml` in the format of today: keys are rewritten, comments and the order of keys stay."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import tomlkit
from tomlkit.exceptions import ParseError

from andamio.contract import Contract
from andamio.contract.contract import FORMAT
from andamio.contract.tables import NOT_BUILT
from andamio.errors import ContractError

_FIRST = re.compile(r"(?:[ \t]*#[^\n]*\n)+[ \t]*\n", re.ASCII)
"""A comment on the file as a whole: the first lines, up to an empty one."""
_FORMAT_LINE = re.compile(r"^format[ \t]*=.*$", re.MULTILINE)


def upgraded(text: str, file: str = "problem.toml") -> tuple[str, list[str]]:
    """The text in the format of today, and what was changed, in words; raises `ContractError` as reading does.

    A text that is in that format already is returned as it is.
    """
    try:
        document = tomlkit.parse(text)
    except ParseError as error:
        raise ContractError(f"{file}: not valid TOML: {error}") from None
    said = document.get("format", 0)
    if isinstance(said, bool) or not isinstance(said, int) or said > FORMAT:
        Contract.from_toml(text, file)  # it says what is wrong
    version = int(said)
    if version >= FORMAT:
        return text, []
    changes: list[str] = []
    for step in _STEPS[version:]:
        changes += step(document)
    result = tomlkit.dumps(document)
    line = f"format = {FORMAT}"
    if "format" in document:
        result = _FORMAT_LINE.sub(line, result, count=1)
    else:
        start = found.end() if (found := _FIRST.match(result)) else 0
        result = f"{result[:start]}{line}\n\n{result[start:]}"
    Contract.from_toml(result, file)
    return result, [*changes, f"format is {FORMAT}"]


def upgrade(folder: Path) -> list[str]:
    """Rewrite the file of a folder; returns what was changed. It is replaced at once, or not at all."""
    file = folder / "problem.toml" if folder.is_dir() else folder
    try:
        text = file.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise ContractError(f"{file}: no such file") from None
    result, changes = upgraded(text, str(file))
    if changes:
        part = file.with_suffix(".part")
        part.write_text(result, encoding="utf-8")
        part.replace(file)
    return changes


def _without_reserved(document: tomlkit.TOMLDocument) -> list[str]:
    """From files without a version: settings that were accepted once, and that nothing ever read."""
    changes = []
    for table, key in sorted(NOT_BUILT):
        if table in document and key in document[table]:
            del document[table][key]
            changes.append(f"[{table}] {key} is taken out: it never had an effect")
    return changes


_STEPS: tuple[Callable[[tomlkit.TOMLDocument], list[str]], ...] = (_without_reserved,)
"""What leads from each version to the next; the first is that of files without a version."""
