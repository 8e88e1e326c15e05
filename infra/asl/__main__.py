"""`python -m infra.asl`: our rules on the files, then asl-validator on what they render to."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from infra.asl.definition import FOLDER, SUFFIX, AslError, load, render
from infra.asl.placeholders import PLACEHOLDERS, example, placeholders
from infra.asl.rules import lint
from infra.asl.validator import validate


def main(arguments: Sequence[str] | None = None) -> int:
    """Check state machines; 1 when one is wrong, or cannot be checked."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    paths = [Path(name) for name in given] or sorted(FOLDER.glob(f"*{SUFFIX}"))
    missing = [] if given else sorted(set(PLACEHOLDERS) - {path.name.removesuffix(SUFFIX) for path in paths})
    broken = [sentence for path in paths for sentence in lint(path)]
    broken += [f"{name}{SUFFIX}: expected in {FOLDER}, but it is not there" for name in missing]
    try:
        broken += validate({path.name: rendered(path) for path in paths})
    except AslError as error:
        broken.append(str(error))
    for sentence in dict.fromkeys(broken):
        print(f"error: {sentence}", file=sys.stderr)
    if not broken:
        print(f"{len(paths)} state machines are fine: {', '.join(path.name for path in paths)}")
    return 1 if broken else 0


def rendered(path: Path) -> Any:
    """A file as a deployment might fill it in; raises `AslError`."""
    definition = load(path)
    return render(definition, {name: example(name) for name in placeholders(definition)})


if __name__ == "__main__":
    sys.exit(main())
