"""What mypy follows: of aws-cdk the parts that we use, and all of those."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

REPO = Path(__file__).resolve().parents[2]


def test_every_part_of_aws_cdk_that_we_import_is_followed() -> None:
    """Else its types would be Any, without a word."""
    overrides = tomllib.loads((REPO / "pyproject.toml").read_text())["tool"]["mypy"]["overrides"]
    followed = {
        name for override in overrides if override.get("follow_imports") == "normal" for name in override["module"]
    }
    code = "\n".join(path.read_text() for path in (REPO / "infra").rglob("*.py"))
    used = {f"aws_cdk.{name}" for name in re.findall(r"from aws_cdk import (aws_\w+)", code)}
    used |= set(re.findall(r"(?:from|import) (aws_cdk\.aws_\w+)", code))
    assert "aws_cdk.aws_s3" in used
    assert used <= followed
