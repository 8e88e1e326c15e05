"""`docs/permissions.md`: who may do what, on what, and for which call."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from infra import REPOSITORY
from infra.proof.grants import Grant
from infra.proof.needs import TASK, Need
from infra.proof.reasons import reason

FILE = REPOSITORY / "docs" / "permissions.md"

_INTRODUCTION = """# Permissions

Who may do what, on what, and for which call. `python -m infra.proof --write` writes this page, out of the template and
of the calls that the tests record; `make check` fails when it is out of date, when a call is not allowed, and when
something is allowed that no call needs and for which `infra/proof/reasons.py` gives no reason.

In brackets is the call. One call may need several permissions: a conditional PutObject also needs GetObject, and a
GetObject of a key that may not exist needs ListBucket ([why](adr/0008-roles-by-hand.md)). What Firehose, SageMaker's
MLflow app and the log of a state machine need is what their guides ask for; MLflow's own calls were recorded.

Functions get their permissions from `infra/permissions.py`. A machine gets what its definition needs, a rule what its
target needs. Resources are named as in the template: `Lake`, `Models` and `Batch` are the buckets, `Predictions` is the
table.
"""


def page(allowed: Iterable[Grant], needs: Iterable[Need], functions: Mapping[str, str]) -> str:
    """The page. `functions` is function -> the logical id of its role."""
    parts = {role: function for function, role in functions.items()}
    needed: dict[tuple[str, str], list[Need]] = {}
    for need in needs:
        needed.setdefault((need.who, need.action), []).append(need)
    by_holder: dict[str, list[Grant]] = {}
    for grant in allowed:
        by_holder.setdefault(grant.who, []).append(grant)
    order = sorted(by_holder, key=lambda who: (who not in parts, "." in who, who))
    sections = [_section(who, parts.get(who, ""), sorted(by_holder[who]), needed) for who in order]
    return "\n".join([_INTRODUCTION, *sections])


def _section(who: str, function: str, allowed: list[Grant], needed: Mapping[tuple[str, str], list[Need]]) -> str:
    title = "The tasks of training" if function == TASK else f"The function `{function}`" if function else f"`{who}`"
    lines = [f"## {title}", ""]
    if function:
        lines += [f"Role `{who}`.", ""]
    elif "." in who:
        lines += ["What resource policies allow to this AWS service.", ""]
    lines += ["| action | on | for |", "|---|---|---|"]
    lines += _rows(allowed, needed)
    return "\n".join([*lines, ""])


def _rows(allowed: list[Grant], needed: Mapping[tuple[str, str], list[Need]]) -> Iterator[str]:
    shared: dict[tuple[str, str], list[str]] = {}
    for grant in allowed:
        purposes = {
            need.purpose
            for need in needed.get((grant.who, grant.action), [])
            if grant.covers(need.who, need.action, need.resource)
        }
        what_for = _purpose_text(purposes) or reason(grant)
        shared.setdefault((grant.resource, what_for), []).append(grant.action)
    for (resource, what_for), actions in shared.items():
        named = ", ".join(f"`{action}`" for action in actions)
        yield f"| {named} | `{resource}` | {what_for} |"


def _purpose_text(purposes: Iterable[str]) -> str:
    """Calls by the step that makes them: `commit (GetObject, PutObject), publish (GetObject)`."""
    steps: dict[str, list[str]] = {}
    for purpose in sorted(purposes):
        step, _, call = purpose.partition(": ")
        steps.setdefault(step, []).extend([call] if call else [])
    return ", ".join(f"{step} ({', '.join(calls)})" if calls else step for step, calls in steps.items())
