"""What functions call in these tests is what infra/proof/calls.json says: permissions are judged by it.

Last by its name: the other files of this folder make the calls. ANDAMIO_RECORD=1 writes the file anew.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from infra.proof.needs import CALLS
from tests.support.recording import Call, as_rows, recorded

FILE = CALLS
HOW = "If it is meant, run `ANDAMIO_RECORD=1 .venv/bin/python -m pytest tests/flows` and look at what changed."


def known() -> set[Call]:
    return {Call(*row) for row in json.loads(FILE.read_text())} if FILE.is_file() else set()


def need(call: Call) -> tuple[str, str, str]:
    """What matters of a call: which step makes it may depend on who comes first."""
    return call.function, call.action, call.resource


def left_out(request: pytest.FixtureRequest) -> str:
    """Which files of this folder do not take part in this run."""
    ran = {item.path for item in request.session.items}
    return ", ".join(sorted(file.name for file in set(Path(__file__).parent.glob("test_*.py")) - ran))


def test_no_function_makes_a_call_that_is_not_written_down(request: pytest.FixtureRequest) -> None:
    if os.environ.get("ANDAMIO_RECORD"):
        assert not left_out(request), f"record a run of the whole folder; this one lacks {left_out(request)}"
        rows = ",\n".join(f"  {json.dumps(row)}" for row in as_rows(recorded()))
        FILE.write_text(f"[\n{rows}\n]\n")
    new = {need(call) for call in recorded()} - {need(call) for call in known()}
    assert not new, f"Not in {FILE.name}: {sorted(new)}. {HOW}"


def test_every_call_that_is_written_down_is_made(request: pytest.FixtureRequest) -> None:
    if left_out(request):
        pytest.skip(f"only a run of the whole folder says so, and this one lacks {left_out(request)}")
    gone = {need(call) for call in known()} - {need(call) for call in recorded()}
    assert not gone, f"No test makes these calls any more: {sorted(gone)}. {HOW}"
