"""What `andamio verify` says that it creates is what the template makes."""

from __future__ import annotations

from andamio.cli.verify.announcement import CREATED

WITH_ANOTHER = {"SQS", "KMS"}
"""Services whose resources are named in the phrase about another one's."""


def test_every_service_of_the_template_is_announced_and_every_announced_type_is_made(aws) -> None:
    types = {resource["Type"] for resource in aws.resources.values()}
    assert set(CREATED) <= types
    assert {name.split("::")[1] for name in types} - {"CDK"} == {name.split("::")[1] for name in CREATED} | WITH_ANOTHER
