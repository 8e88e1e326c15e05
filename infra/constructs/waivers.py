"""cdk-nag findings that are accepted, each with its reason, where the resource is made."""

from __future__ import annotations

from aws_cdk import Acknowledgment, Validations
from constructs import IConstruct


def waive(scope: IConstruct, findings: dict[str, str]) -> None:
    """Accept findings on a construct and what is in it: finding -> reason.

    A finding is one of the AwsSolutions pack (`S1`), or an annotation of CDK's by its full name (`Annotation::...`).
    """
    Validations.of(scope).acknowledge(
        *(
            Acknowledgment(id=finding if "::@" in finding else f"AwsSolutions-{finding}", reason=reason)
            for finding, reason in findings.items()
        )
    )
