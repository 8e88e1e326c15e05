"""Schemathesis over an API: requests that its OpenAPI document allows and forbids, and what the answers must be."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

CONFIG = Path(__file__).with_name("schemathesis.toml")


def fuzz(address: str, key: str, *, examples: int, random: bool = False, without: tuple[str, ...] = ()) -> None:
    """Send generated requests to the API at an address, and raise an assertion with all that went wrong.

    `examples` are cases of one operation in one phase; all phases and operations make about a hundred times as many.
    `random` takes others in each run, `without` leaves checks out.
    """
    command = [
        str(Path(sys.executable).with_name("schemathesis")),
        *("--config-file", str(CONFIG)),
        *("run", f"{address}/openapi.json"),
        *("--header", f"x-api-key: {key}"),
        *("--checks", "all"),
        *(("--exclude-checks", ",".join(without)) if without else ()),
        *("--max-examples", str(examples)),
        *(("--generation-database", "none") if random else ("--generation-deterministic",)),
        *("--continue-on-failure", "--no-color"),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
