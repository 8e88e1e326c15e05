"""The draft as `problem.toml`, with findings as comments beside what they concern, and the data card to fill in."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import tomlkit
from tomlkit.items import SingleKey, Table

from andamio.cli.new.draft import Decision
from andamio.cli.new.identity import Role
from andamio.cli.new.target import Target
from andamio.contract.contract import FORMAT

_WIDTH = 110
_INLINE = 100


@dataclass
class Draft:
    """A contract as it is being written. `data` and `problem` are comments by key of their tables."""

    name: str
    files: list[str]
    target: Target
    roles: dict[str, Role]
    decisions: list[Decision]
    data: dict[str, Any] = field(default_factory=dict)
    data_comments: list[str] = field(default_factory=list)
    comments: list[str] = field(default_factory=list)

    @property
    def title(self) -> str:
        """The name as a title."""
        return self.name.replace("-", " ").capitalize()

    def of(self, column: str) -> Decision | None:
        """The decision on a column, None for one that has a role."""
        return next((decision for decision in self.decisions if decision.name == column), None)

    @property
    def used(self) -> list[Decision]:
        """The features."""
        return [decision for decision in self.decisions if decision.used]


def toml_of(draft: Draft) -> str:
    """`problem.toml`: valid whatever names and values hold."""
    document = tomlkit.document()
    _comment(document, f"{draft.title}: a draft made by andamio new. Read each comment, correct, and delete it.")
    for comment in draft.comments:
        _comment(document, comment)
    document.add(tomlkit.nl())
    document.add("format", tomlkit.item(FORMAT))
    document.add("problem", _problem(draft))
    data = tomlkit.table()
    for comment in draft.data_comments:
        _comment(data, comment)
    data.add("files", _value(draft.files))
    for key, value in draft.data.items():
        data.add(key, _value(value))
    document.add("data", data)
    features = tomlkit.table(is_super_table=True)
    for decision in draft.used:
        features.add(SingleKey(decision.name), _feature(decision))
    document.add("features", features)
    text = tomlkit.dumps(document)
    left_out = [_left_out(decision) for decision in draft.decisions if not decision.used]
    return "\n".join([text.rstrip("\n") + "\n", *left_out])


def _problem(draft: Draft) -> Table:
    table, target = tomlkit.table(), draft.target
    table.add("name", _value(draft.name))
    table.add("title", _value(draft.title))
    table.add("description", _value(f"What is {target.column}?"))
    for comment in target.comments:
        _comment(table, comment)
    keys = {key: value for key, value in target.keys.items() if key != "positive"}
    for key, value in keys.items():
        table.add(key, _value(value))
    labels = _inline(target.labels)
    inline = bool(target.labels) and len(labels.as_string()) <= _INLINE
    if inline:
        table.add("labels", labels)
    if "positive" in target.keys:
        table.add("positive", _value(target.keys["positive"]))
    for role in draft.roles.values():
        _comment(table, f"'{role.column}' {role.why}.")
        if role.set:
            table.add(role.role, _value(role.column))
            for key, value in role.keys.items():
                table.add(key, _value(value))
        else:
            _comment(table, f"{role.role} = {_value(role.column).as_string()}", wrap=False)
    if target.labels and not inline:
        long = tomlkit.table()
        for key, value in target.labels.items():
            long.add(SingleKey(key), _inline(value) if isinstance(value, Mapping) else _value(value))
        table.add("labels", long)
    return table


def _feature(decision: Decision) -> Table:
    table = tomlkit.table()
    for comment in decision.comments:
        _comment(table, comment)
    for key, value in decision.keys.items():
        table.add(key, _value(value))
    return table


def _left_out(decision: Decision) -> str:
    lines = [f"[features.{SingleKey(decision.name).as_string()}]"]
    for comment in decision.comments:
        lines += textwrap.wrap(_printable(comment), _WIDTH)
    return "".join(f"# {line}\n" for line in lines)


def _inline(values: Mapping[str, Any]) -> tomlkit.items.InlineTable:
    table = tomlkit.inline_table()
    for key, value in values.items():
        table.add(SingleKey(key), _inline(value) if isinstance(value, Mapping) else _value(value))
    return table


def _value(value: Any) -> tomlkit.items.Item:
    if not isinstance(value, list):
        plain: tomlkit.items.Item = tomlkit.item(value)
        return plain
    array = tomlkit.array()
    array.extend(value)
    if len(array.as_string()) > _INLINE:
        array.multiline(True)
    return array


def _comment(where: Any, text: str, *, wrap: bool = True) -> None:
    for line in textwrap.wrap(_printable(text), _WIDTH) if wrap else [text]:
        where.add(tomlkit.comment(line))


def _printable(text: str) -> str:
    """A comment on one line: values of the data may hold line breaks and control characters."""
    return "".join(character if character.isprintable() else " " for character in text)


def data_card(draft: Draft, facts: Sequence[tuple[str, str]], source: str, licence: str) -> str:
    """`DATA.md`: what is known of the data, and what a person has to say."""
    ask = "TODO"
    columns = [
        f"| `{_cell(decision.name)}` | {decision.keys.get('type', 'left out')} | "
        f"{_cell(str(decision.keys.get('unit', '')))} | |"
        for decision in draft.decisions
    ]
    return "\n".join(
        [
            f"# {draft.title}: the data",
            "",
            "| | |",
            "|---|---|",
            f"| source | {_cell(source or ask)} |",
            f"| licence | {_cell(licence or ask)} |",
            *(f"| {_cell(name)} | {_cell(fact)} |" for name, fact in facts),
            "",
            "## Questions",
            "",
            "- Who collected the data, when, and for what?",
            f"- What does a row stand for, and how was `{_cell(draft.target.column)}` decided?",
            "- Which rows are not in it, and why?",
            "- What is known of a record when a prediction is asked for? Mark all else with "
            "`available_at_prediction = false`.",
            "- Is it about persons? Mark what nobody else may see with `private = true`.",
            "",
            "## Columns",
            "",
            "| column | type | unit | meaning |",
            "|---|---|---|---|",
            *columns,
            "",
        ]
    )


def _cell(text: str) -> str:
    return _printable(text).replace("|", "\\|")
