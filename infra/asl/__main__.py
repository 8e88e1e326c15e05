"""`python -m infra.asl`: our rules on the files, then asl-validator on what they render to; or one file, rendered."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from infra.asl.definition import FOLDER, SUFFIX, AslError, render
from infra.asl.placeholders import PLACEHOLDERS, example, placeholders
from infra.asl.policies import load
from infra.asl.rules import lint
from infra.asl.validator import validate


def main(arguments: Sequence[str] | None = None) -> int:
    """Check state machines, or print one; 1 when one is wrong, or cannot be checked."""
    parser = argparse.ArgumentParser(prog="python -m infra.asl", description=__doc__)
    parser.add_argument("file", nargs="*", type=Path, help=f"a state machine; default: each *{SUFFIX} of {FOLDER}")
    parser.add_argument("--print", action="store_true", help="print the files as they are deployed, do not check them")
    given = parser.parse_args(arguments)
    paths = given.file or sorted(FOLDER.glob(f"*{SUFFIX}"))
    return _print(paths) if given.print else _check(paths, everything=not given.file)


def _print(paths: Sequence[Path]) -> int:
    try:
        for path in paths:
            print(json.dumps(rendered(path), indent=2))
    except AslError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


def _check(paths: Sequence[Path], *, everything: bool) -> int:
    names = {path.name.removesuffix(SUFFIX) for path in paths}
    missing = sorted(set(PLACEHOLDERS) - names) if everything else []
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
