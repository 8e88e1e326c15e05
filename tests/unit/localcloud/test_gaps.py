"""What ministack does not do, and no test of `tests/conformance` shows: one that fails here is good news.

Then a gap has closed: say so in `localstack/gaps.md`, and see whether something was built around it.
"""

from __future__ import annotations

import json

import httpx
import pytest

pytestmark = pytest.mark.timeout(120)


def test_a_path_named_health_is_the_emulators_own(cloud):
    recorded = json.loads((cloud.home / "cloud.json").read_text())
    answer = httpx.get(f"{recorded['endpoint_url']}/health", headers={"host": "abc.execute-api.localhost"})
    assert answer.status_code == 200
    assert "services" in answer.json()
