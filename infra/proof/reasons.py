"""What is allowed though no test of ours is seen to need it, and why it stays."""

from __future__ import annotations

from infra.proof.grants import Grant

KEPT: dict[tuple[str, str], str] = {
    ("ScoringFunctionRole", "s3:AbortMultipartUpload"): (
        "An upload that was cut off is abandoned, or its parts are kept and billed unseen."
    ),
    ("RegistryFunctionRole", "s3:AbortMultipartUpload"): "MLflow's client abandons an upload that was cut off.",
}
"""Role (its logical id) and action -> the reason."""


def reason(grant: Grant) -> str:
    """Why a grant stays that nothing is seen to need; empty where there is no reason."""
    return KEPT.get((grant.who, grant.action), "")
