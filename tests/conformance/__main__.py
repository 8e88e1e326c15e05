"""`python -m tests.conformance [TARGET ...]`: what each target does, as a table, and written where it is kept.

Without a target it runs ministack, localstack and moto. It ends with 1 where a verdict is another one than before,
and with pytest's code where a test could not be run. `aws` compares and writes nothing, and ends with 1 where nobody is
signed in. A signal stops it as Ctrl-C does: what it created is deleted.
"""

from __future__ import annotations

import signal
import sys
from pathlib import Path

import pytest

from tests.conformance import verdicts
from tests.conformance.targets import LOCAL, NoCredentials, running


def main(names: list[str]) -> int:
    """Run the suite on targets and renew the table; returns the exit code."""
    before = kinds()
    targets = names or list(LOCAL)
    try:
        if "aws" in targets:
            with running("aws"):
                pass
    except NoCredentials as error:
        print(error, file=sys.stderr)
        return 1
    arguments = [str(Path(__file__).parent), "-q", "--no-header", "-p", "no:cacheprovider"]
    code = pytest.main(
        [
            *arguments,
            *(f"--target={name}" for name in targets),
            *(["--renew"] if "aws" not in targets else []),
        ]
    )
    if code:
        return int(code)
    changed = sorted(key for key in before | kinds() if before.get(key) != kinds().get(key))
    for name, target in changed:
        print(f"{name} on {target}: {before.get((name, target))} before, {kinds().get((name, target))} now")
    if changed:
        print("The table is renewed. See what was built around each gap, and commit the table with it.")
    return int(bool(changed))


def _stop(*_: object) -> None:
    """Stop as Ctrl-C does: pytest then deletes what tests created."""
    raise KeyboardInterrupt


def kinds() -> dict[tuple[str, str], str]:
    """The verdicts that are kept, without what came."""
    return {(name, target): it.kind for name, found in verdicts.read().items() for target, it in found.items()}


if __name__ == "__main__":
    # SIGINT too: it is ignored in what a shell starts in the background.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _stop)
    sys.exit(main(sys.argv[1:]))
