"""A role for one thing, with what it may do spelled out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from aws_cdk import CfnElement, Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_s3 as s3
from constructs import Construct

from infra.constructs.trust import Trust
from infra.constructs.waivers import waive


@dataclass(frozen=True, slots=True)
class Permission:
    """Actions on resources. `findings` are cdk-nag's names for wildcards among them -> why they are needed.

    `conditions` are IAM's: operator -> key -> value.
    """

    actions: tuple[str, ...]
    resources: tuple[str, ...]
    findings: tuple[tuple[str, str], ...] = ()
    conditions: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


def objects(bucket: s3.Bucket, actions: Sequence[str], *prefixes: str) -> Permission:
    """Actions on the objects under prefixes of a bucket (a prefix that does not end in '/' is a key, or a pattern)."""
    keys = tuple(f"{prefix}*" if prefix.endswith("/") else prefix for prefix in prefixes)
    name = _logical_id(bucket)
    why = "The keys of this form are made at run time; no other keys of the bucket are open."
    return Permission(
        tuple(actions),
        tuple(bucket.arn_for_objects(key) for key in keys),
        tuple((f"IAM5[Resource::<{name}.Arn>/{key}]", why) for key in keys if "*" in key),
    )


def listing(bucket: s3.Bucket, *, versions: bool = False) -> Permission:
    """List a bucket's keys. Without it S3 answers 403, not 404, for a key that does not exist."""
    actions = ("s3:ListBucket", "s3:ListBucketVersions") if versions else ("s3:ListBucket",)
    return Permission(actions, (bucket.bucket_arn,))


def create_role(scope: Construct, id: str, trust: Trust, permissions: Iterable[Permission], given: str) -> iam.IRole:
    """The role of one function, machine or rule; with `given`, that existing role, left as it is.

    What it may do is said here and nowhere else: constructs that would add to it are not able to.
    """
    if given:
        return iam.Role.from_role_arn(scope, id, given, mutable=False)
    granted = list(permissions)
    role = iam.Role(
        scope,
        id,
        assumed_by=iam.ServicePrincipal(trust.service, conditions=dict(trust.conditions)),
        inline_policies={
            "permissions": iam.PolicyDocument(
                statements=[
                    iam.PolicyStatement(
                        actions=list(p.actions),
                        resources=list(p.resources),
                        conditions=dict(p.conditions) or None,
                    )
                    for p in granted
                ]
            )
        }
        if granted
        else None,
    )
    waive(role, {finding: reason for permission in granted for finding, reason in permission.findings})
    return role.without_policy_updates()


def _logical_id(bucket: s3.Bucket) -> str:
    resource = bucket.node.default_child
    assert isinstance(resource, CfnElement)
    return str(Stack.of(bucket).resolve(resource.logical_id))
