"""A bucket: private, encrypted, versioned, TLS only, and tidy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from aws_cdk import Duration, RemovalPolicy
from aws_cdk import aws_s3 as s3
from constructs import Construct

from infra.constructs.waivers import waive


class DataBucket(s3.Bucket):
    """A bucket whose name CloudFormation makes up.

    expire         prefix -> days after which its objects go (they can be made again)
    forget         prefix -> days after which replaced versions of its objects go
    origins        web origins whose pages may read objects and send files to a form
    announces      object events go to EventBridge (as an L1 property: the L2 one is a custom resource)
    """

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        removal_policy: RemovalPolicy,
        expire: Mapping[str, int] | None = None,
        forget: Mapping[str, int] | None = None,
        origins: Sequence[str] = (),
        announces: bool = False,
    ) -> None:
        rules = [
            s3.LifecycleRule(id="abandoned-uploads", abort_incomplete_multipart_upload_after=Duration.days(7)),
            *(
                s3.LifecycleRule(
                    id=f"expire-{prefix.strip('/')}",
                    prefix=prefix,
                    expiration=Duration.days(days),
                    noncurrent_version_expiration=Duration.days(7),
                )
                for prefix, days in (expire or {}).items()
            ),
            *(
                s3.LifecycleRule(
                    id=f"forget-{prefix.strip('/')}",
                    prefix=prefix,
                    noncurrent_version_expiration=Duration.days(days),
                )
                for prefix, days in (forget or {}).items()
            ),
        ]
        super().__init__(
            scope,
            id,
            block_public_access=s3.BlockPublicAccess.BLOCK_ALL,
            object_ownership=s3.ObjectOwnership.BUCKET_OWNER_ENFORCED,
            encryption=s3.BucketEncryption.S3_MANAGED,
            enforce_ssl=True,
            versioned=True,
            lifecycle_rules=rules,
            cors=[_browsers(origins)] if origins else None,
            removal_policy=removal_policy,
        )
        if announces:
            resource = self.node.default_child
            assert isinstance(resource, s3.CfnBucket)
            resource.notification_configuration = s3.CfnBucket.NotificationConfigurationProperty(
                event_bridge_configuration=s3.CfnBucket.EventBridgeConfigurationProperty(event_bridge_enabled=True)
            )
        waive(
            self,
            {
                "S1": "Server access logs need another bucket and say little here: only this stack's roles have "
                "access, versions are kept, and CloudTrail data events record who did what where an account wants it."
            },
        )


def _browsers(origins: Sequence[str]) -> s3.CorsRule:
    """GET, HEAD and POST from pages of these origins: what a presigned address or form is for, and nothing else."""
    return s3.CorsRule(
        allowed_origins=list(origins),
        allowed_methods=[s3.HttpMethods.GET, s3.HttpMethods.HEAD, s3.HttpMethods.POST],
        allowed_headers=["*"],
        exposed_headers=["ETag"],
        max_age=86_400,
    )
