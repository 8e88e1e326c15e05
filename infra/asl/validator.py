"""asl-validator, the npm package that knows the States Language as AWS does, on definitions as they are deployed."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from infra import REPOSITORY
from infra.asl.definition import AslError

NODE = Path(sys.prefix) / "bin" / "node"
PACKAGE = REPOSITORY / "node_modules" / "asl-validator"
# One process for all of them: {NAME: definition} in, {NAME: [what is wrong]} out.
_PROGRAM = """
const validate = require(process.argv[1]);
const given = JSON.parse(require('fs').readFileSync(0, 'utf8'));
const found = {};
for (const [name, definition] of Object.entries(given)) {
  found[name] = validate(definition).errors.map((error) => `${error['Error code']}: ${error.Message}`);
}
console.log(JSON.stringify(found));
"""


def validate(definitions: Mapping[str, Any]) -> list[str]:
    """What asl-validator refuses in rendered definitions, by name, a sentence each; raises `AslError` without it."""
    for needed in (NODE, PACKAGE):
        if not needed.exists():
            raise AslError(f"asl-validator needs {needed}, which is not there. Run `make install`.")
    done = subprocess.run(
        [str(NODE), "-e", _PROGRAM, str(PACKAGE)],
        input=json.dumps(definitions),
        capture_output=True,
        text=True,
        timeout=60,
    )
    if done.returncode != 0:
        raise AslError(f"asl-validator ended with code {done.returncode}: {done.stderr.strip()[-2000:]}")
    found: dict[str, list[str]] = json.loads(done.stdout)
    return [f"{name}: asl-validator: {sentence}" for name, sentences in found.items() for sentence in sentences]
