"""Errors for calls that IAM refuses: they name the role, the action, the resource, and where to allow it."""

from __future__ import annotations

import os
import re
from typing import Any

from andamio.errors import AccessRefused

_CODES = frozenset({"AccessDenied", "AccessDeniedException", "403", "Forbidden"})
_SENTENCE = re.compile(r"User: (?P<who>\S+) is not authorized to perform: (?P<action>[\w-]+:\w+)")
_RESOURCE = re.compile(r"on resource: \\?\"?(?P<resource>arn:[^\s\"\\]+)")
_ROLE = re.compile(r":assumed-role/(?P<role>[^/]+)/")
# IAM has another name than the API for these calls; a refused HEAD comes without a sentence.
_ACTIONS = {
    "HeadObject": "s3:GetObject",
    "ListObjectVersions": "s3:ListBucketVersions",
    "ListObjectsV2": "s3:ListBucket",
    "CreateMultipartUpload": "s3:PutObject",
    "UploadPart": "s3:PutObject",
    "CompleteMultipartUpload": "s3:PutObject",
}


def refusal(error: Any, service: str, resource: str, *, version: bool = False) -> AccessRefused | None:
    """What to raise for a botocore `ClientError` on a resource (an ARN); None where IAM did not refuse the call.

    `service` is IAM's prefix: "s3", "dynamodb". `version` says that a version of an object was named.
    """
    details = error.response.get("Error", {})
    if str(details.get("Code")) not in _CODES:
        return None
    operation = str(getattr(error, "operation_name", ""))
    action = _ACTIONS.get(operation, f"{service}:{operation}")
    return _access_refused(str(details.get("Message", "")), f"{action}Version" if version else action, resource)


def quoted_refusal(error: Exception) -> AccessRefused | None:
    """What to raise for another library's error whose text quotes a refusal of IAM's; None where it quotes none."""
    text = str(error)
    return _access_refused(text, "", "a resource that it does not name") if _SENTENCE.search(text) else None


def _access_refused(message: str, action: str, resource: str) -> AccessRefused:
    sentence, resource_match = _SENTENCE.search(message), _RESOURCE.search(message)
    role = _ROLE.search(sentence["who"]) if sentence else None
    function = os.environ.get("AWS_LAMBDA_FUNCTION_NAME", "")
    caller = f"Role {role['role']}" if role else f"The role of {function}" if function else "The caller"
    if not sentence:
        reason = "AWS gives no reason; most often no policy allows it"
    elif "explicit deny" in message:
        reason = "a policy denies it"
    else:
        reason = "no policy allows it"
    advice = (
        f"Allow it for {function} in infra/permissions.py and deploy again; "
        "docs/permissions.md lists what each role may do."
        if function
        else "Use credentials that allow it."
    )
    denied_action = sentence["action"] if sentence else action
    return AccessRefused(
        f"{caller} may not {denied_action} on {resource_match['resource'] if resource_match else resource}: {reason}. "
        f"{advice}"
    )
