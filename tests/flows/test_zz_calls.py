"""What functions call in these tests is what `calls.json` says: permissions are judged by it, see tests/infra.

Last by its name: the other files of this folder make the calls. ANDAMIO_RECORD=1 writes the file anew.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from tests.support.recording import Call, as_rows, recorded

FILE = Path(__file__).with_name("calls.json")
HOW = "If it is meant, run `ANDAMIO_RECORD=1 .venv/bin/python -m pytest tests/flows` and look at what changed."


def known() -> set[Call]:
    return {Call(*row) for row in json.loads(FILE.read_text())} if FILE.is_file() else set()


def test_no_function_makes_a_call_that_is_not_written_down() -> None:
    if os.environ.get("ANDAMIO_RECORD"):
        rows = ",\n".join(f"  {json.dumps(row)}" for row in as_rows(recorded()))
        FILE.write_text(f"[\n{rows}\n]\n")
    new = recorded() - known()
    assert not new, f"Not in {FILE.name}: {as_rows(frozenset(new))}. {HOW}"


def test_every_call_that_is_written_down_is_made(request: pytest.FixtureRequest) -> None:
    ran = {item.path for item in request.session.items}
    left_out = set(FILE.parent.glob("test_*.py")) - ran
    if left_out:
        pytest.skip(f"only a run of the whole folder says so: {', '.join(sorted(file.name for file in left_out))}")
    gone = known() - recorded()
    assert not gone, f"No test makes these calls any more: {as_rows(frozenset(gone))}. {HOW}"
