"""cdk-nag findings that are accepted, each with its reason, where the resource is made."""

from __future__ import annotations

from aws_cdk import Acknowledgment, Validations
from constructs import IConstruct


def waive(scope: IConstruct, findings: dict[str, str]) -> None:
    """Accept findings of the AwsSolutions pack on a construct and what is in it: finding -> reason."""
    Validations.of(scope).acknowledge(
        *(Acknowledgment(id=f"AwsSolutions-{finding}", reason=reason) for finding, reason in findings.items())
    )
