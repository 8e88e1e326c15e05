"""`python -m infra.proof`: checks that permissions suffice, that all are needed, and that the page is current."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Collection, Sequence
from pathlib import Path

from infra.proof.grants import Grant, Template, grants
from infra.proof.judge import missed, refused
from infra.proof.needs import Need, needs, roles
from infra.proof.page import FILE, page
from infra.proof.reasons import reason
from infra.templates import CASES, template


def faults(made: Template) -> list[str]:
    """What is wrong with the permissions of a template, a sentence each."""
    return _judged(grants(made), needs(made))


def _judged(allowed: Collection[Grant], needed: Collection[Need]) -> list[str]:
    found = [
        f"{need.who} may not {need.action} on {need.resource}, which it needs ({need.purpose})"
        for need in refused(needed, allowed)
    ]
    for grant in sorted(allowed):
        useful, reasons = missed(grant, needed, allowed), reason(grant)
        if not useful and not reasons:
            found.append(f"{grant.who} may {grant.action} on {grant.resource}, which nothing is seen to need")
        elif useful and reasons:
            found.append(
                f"{grant.who} needs {grant.action} on {grant.resource}: infra/proof/reasons.py need not say why"
            )
    return found


def main(arguments: Sequence[str] | None = None) -> int:
    """Judge the template as it goes to AWS; 1 when something is wrong."""
    write = "--write" in (sys.argv[1:] if arguments is None else arguments)
    with tempfile.TemporaryDirectory() as folder:
        made = template(CASES["default"], Path(folder))
    allowed, needed = grants(made), needs(made)
    text = page(allowed, needed, roles(made))
    if write:
        FILE.write_text(text)
    found = _judged(allowed, needed)
    if not FILE.is_file() or FILE.read_text() != text:
        found.append("docs/permissions.md is out of date: run `python -m infra.proof --write`")
    for sentence in found:
        print(f"error: {sentence}", file=sys.stderr)
    if not found:
        reasons = sum(bool(reason(grant)) for grant in allowed)
        print(
            f"{len(allowed)} permissions suffice for {len(needed)} needs. Each is missed when it is taken away, "
            f"but for {reasons} that stay for a reason in infra/proof/reasons.py."
        )
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
