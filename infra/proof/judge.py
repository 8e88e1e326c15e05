"""Whether what is allowed suffices, and whether all of it is needed."""

from __future__ import annotations

from collections.abc import Iterable

from infra.proof.grants import Grant
from infra.proof.needs import Need


def refused(needs: Iterable[Need], allowed: Iterable[Grant]) -> list[Need]:
    """What is needed and no grant allows: AWS would end each in AccessDenied."""
    by_holder: dict[tuple[str, str], list[Grant]] = {}
    for grant in allowed:
        by_holder.setdefault((grant.who, grant.action), []).append(grant)
    return sorted(
        need
        for need in needs
        if not any(
            grant.covers(need.who, need.action, need.resource) for grant in by_holder.get((need.who, need.action), [])
        )
    )


def missed(grant: Grant, needs: Iterable[Need], allowed: Iterable[Grant]) -> list[Need]:
    """What would be refused if this one grant were taken away."""
    concerned = [need for need in needs if (need.who, need.action) == (grant.who, grant.action)]
    return refused(concerned, [other for other in allowed if other != grant])
