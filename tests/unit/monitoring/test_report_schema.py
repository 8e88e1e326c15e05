"""docs/monitoring.schema.json is the format of a report, for programs that read it."""

from __future__ import annotations

import json
from pathlib import Path

from monitoring.report import Report, schema

FILE = Path(__file__).parents[3] / "docs" / "monitoring.schema.json"


def test_the_committed_schema_is_that_of_a_report() -> None:
    assert FILE.read_text() == schema(), "run `.venv/bin/python -m monitoring.report > docs/monitoring.schema.json`"


def test_every_field_of_a_report_is_required() -> None:
    described = json.loads(FILE.read_text())
    assert set(described["required"]) | {"format"} == set(Report.model_fields)
