"""`andamio history`: what served, what was refused and what was taken back, as a timeline."""

from __future__ import annotations

import json
import sys
from typing import Any

from rich.markup import escape

from andamio.cli.console import note, out
from andamio.cli.home import account as account_of
from andamio.release.history import HistoryRecord, read_history

_SAID = {
    "approved": "approved",
    "promoted": "[green]promoted[/green]",
    "rejected": "rejected",
    "rolled_back": "[yellow]rolled back[/yellow]",
    "challenged": "challenger",
    "withdrawn": "[yellow]withdrawn[/yellow]",
}


def show(deployed: dict[str, Any], limit: int, *, as_json: bool) -> None:
    """Print the newest records, the newest last, so that the end of the story is above the prompt."""
    models = account_of(deployed).objects(deployed["buckets"]["models"])
    records = read_history(models, deployed["problem"])
    shown = records[-limit:]
    if as_json:
        sys.stdout.write(json.dumps([record.model_dump(mode="json") for record in shown], indent=2) + "\n")
        return
    if not shown:
        note("Nothing was promoted, rejected or rolled back yet. Upload data: andamio ingest FILE. Training follows.")
        return
    if len(shown) < len(records):
        note(f"{len(records) - len(shown)} older records are not shown: andamio history --limit {len(records)}")
    for record in shown:
        out.print(f"{record.at[:16].replace('T', ' ')}  {_SAID[record.kind]}  {escape(_what(record))}")
        out.print(f"                  [dim]{escape(f'by {record.by}: {record.reason}')}[/dim]")
        if record.numbers:
            figures = ", ".join(f"{name} {value:.3f}" for name, value in record.numbers.items())
            out.print(f"                  [dim]{escape(figures)}[/dim]")


def _what(record: HistoryRecord) -> str:
    if record.kind == "rejected":
        against = f"; release {record.before} goes on serving" if record.before else ""
        return f"{record.release}{against}"
    if record.kind == "challenged":
        return f"{record.release}, against {record.before}"
    if record.kind == "withdrawn":
        return f"{record.release}; {record.before} goes on serving"
    if record.kind == "approved":
        return f"{record.release}; {record.before} serves until it is promoted" if record.before else record.release
    if record.kind == "rolled_back":
        return f"from {record.before} to {record.release}"
    return f"{record.release}, in place of {record.before}" if record.before else f"{record.release}, the first"
