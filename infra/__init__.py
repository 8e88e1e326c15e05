"""The infrastructure: CDK for AWS and for the local cloud, one template for both.

Of our own code it imports `andamio.names` and `andamio.settings`, nothing else.
"""

from __future__ import annotations

from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent
"""Where the project lies: the folder that holds pyproject.toml, lambdas/ and stepfunctions/."""
