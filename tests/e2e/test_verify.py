"""`andamio verify` on the local cloud: the rehearsal of what people run on their own accounts."""

from __future__ import annotations

import os
import re

import pytest

from andamio.adapters.stacks import Stacks

from .conftest import Clone, Deployed

NIGHTLY = os.environ.get("HYPOTHESIS_PROFILE") == "explore" or "ANDAMIO_EMULATOR" in os.environ
pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(not NIGHTLY, reason="a deployment and a training more: every night, and in `make e2e`"),
]


def there(heart: Deployed) -> tuple[list[str], list[str]]:
    """The names of all stacks and buckets."""
    stacks = sorted(stack.name for stack in Stacks(heart.account).list_all() if not stack.is_deleted)
    return stacks, sorted(bucket["Name"] for bucket in heart.account.client("s3").list_buckets()["Buckets"])


def test_everything_works_and_nothing_is_left_of_it(clone: Clone, heart: Deployed) -> None:
    before, last = there(heart), clone.file("outputs.json")
    done = clone.run("verify", "--yes")
    report = (clone.home / "verify-report.md").read_text()
    assert done.code == 0, f"{report}\n{done.said}"
    assert re.findall(r"^\| (\w+) \| works \|", report, re.MULTILINE) == [
        "deploy", "ingest", "train", "predict", "explain", "batch", "lookup", "delete",
    ]  # fmt: skip
    assert "**Everything works.** Nothing is left." in report
    assert there(heart) == before
    assert clone.file("outputs.json") == last, "commands act on the system that they acted on before"
    assert heart.request("GET", "/version").status_code == 200
    for secret in (heart.outputs["account"], heart.outputs["api_key"], str(clone.home)):
        assert secret not in report
