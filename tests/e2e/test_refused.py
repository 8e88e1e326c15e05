"""What IAM refuses stops here as it would on AWS, and says which role may not do what."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from .conftest import Clone, Deployed, Done

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(900)]
HEART = ("--problem", "heart")
# A run that no other test makes: one that was decided before would be found decided, without a listing.
QUICK = (*HEART, "--families", "logistic_regression", "--trials", "2")


@contextmanager
def without(heart: Deployed, part: str, action: str) -> Iterator[str]:
    """Take one action from the role of a function for a while; yields the role's name."""
    iam, functions = heart.account.client("iam"), heart.account.client("lambda")
    function = functions.get_function(FunctionName=f"andamio-heart-{part}")["Configuration"]
    role = function["Role"].rsplit("/", 1)[1]
    (name,) = iam.list_role_policies(RoleName=role)["PolicyNames"]
    policy: dict[str, Any] = iam.get_role_policy(RoleName=role, PolicyName=name)["PolicyDocument"]
    rest = [{**statement, "Action": others(statement, action)} for statement in policy["Statement"]]
    lacking = json.dumps({**policy, "Statement": [statement for statement in rest if statement["Action"]]})
    assert action in json.dumps(policy)
    assert action not in lacking
    iam.put_role_policy(RoleName=role, PolicyName=name, PolicyDocument=lacking)
    try:
        yield role
    finally:
        iam.put_role_policy(RoleName=role, PolicyName=name, PolicyDocument=json.dumps(policy))


def others(statement: dict[str, Any], action: str) -> list[str]:
    actions = statement["Action"] if isinstance(statement["Action"], list) else [statement["Action"]]
    return [other for other in actions if other != action]


def test_the_demo_ran_with_iam_enforced(clone: Clone, demo: Done) -> None:
    assert clone.file("cloud.json")["iam"] is True


def test_a_training_run_whose_role_lacks_a_permission_fails_and_names_it(clone: Clone, heart: Deployed) -> None:
    with without(heart, "train", "s3:ListBucketVersions") as role:
        done = clone.run("train", *QUICK)
        assert done.code == 1
        said = " ".join(done.said.split())
        bucket = heart.outputs["buckets"]["models"]
        assert f"Role {role} may not s3:ListBucketVersions on arn:aws:s3:::{bucket}: no policy allows it." in said
        assert "infra/permissions.py" in said
        assert "s3:ListBucketVersions" in clone.ok("logs", "train", *HEART).said
    assert clone.run("train", *QUICK).code == 0, "with the permission back, the same command goes through"


def test_what_the_api_may_not_read_is_a_500_with_the_id_of_a_line_in_its_log(clone: Clone, heart: Deployed) -> None:
    path = "/predictions/20261121T100000-0123456789ab-2"
    assert heart.request("GET", path).status_code == 404
    with without(heart, "api", "dynamodb:GetItem"):
        answer = heart.request("GET", path)
        assert (answer.status_code, answer.json()["type"]) == (500, "urn:andamio:problem:internal")
        request = answer.json()["instance"].rsplit(":", 1)[1]
        logged = [
            line for line in clone.ok("logs", "api", *HEART).said.splitlines() if request in line and "GetItem" in line
        ]
        assert logged, "the log names the permission under the id that the client was told"
