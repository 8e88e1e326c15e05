"""Permissions suffice for everything that is called, and each is needed: take one away, and something is missed.

Functions' calls are those that tests/flows records; what AWS's services do for us is read off the template.
"""

from __future__ import annotations

import copy

import pytest

from infra.proof.__main__ import faults
from infra.proof.grants import grants, readable
from infra.proof.judge import missed, refused
from infra.proof.needs import needs, recorded, roles
from infra.proof.page import FILE, page
from infra.proof.reasons import KEPT, reason
from infra.templates import CASES, template


@pytest.fixture(scope="module")
def made(aws):
    return aws.template


@pytest.fixture
def planted(made):
    """A copy of the template, to plant a fault in."""
    return copy.deepcopy(made)


def statements(made, role):
    (found,) = [item for name, item in made["Resources"].items() if name[:-8] == role]
    return found["Properties"]["Policies"][0]["PolicyDocument"]["Statement"]


def without(made, role, action, resource):
    """Take one permission out of a role's policy."""
    taken = []
    for statement in list(statements(made, role)):
        for field in ("Action", "Resource"):
            statement[field] = statement[field] if isinstance(statement[field], list) else [statement[field]]
        kept = [item for item in statement["Resource"] if readable(item) != resource]
        if action not in statement["Action"] or kept == statement["Resource"]:
            continue
        taken.append(statement)
        rest = [{**statement, "Action": [action], "Resource": kept}] if kept else []
        others = [other for other in statement["Action"] if other != action]
        statements(made, role).remove(statement)
        statements(made, role).extend([*rest, *([{**statement, "Action": others}] if others else [])])
    assert taken, f"{role} does not hold {action} on {resource}"


def test_every_call_is_allowed(made):
    assert refused(needs(made), grants(made)) == []


def test_nothing_is_allowed_that_no_call_needs(made):
    assert faults(made) == []


def test_each_permission_that_is_taken_away_is_missed(made):
    """For every role and every service, one permission at a time."""
    allowed, needed = grants(made), needs(made)
    checked = 0
    for grant in allowed:
        if not reason(grant):
            assert missed(grant, needed, allowed), grant
            checked += 1
    assert checked > 150


@pytest.mark.parametrize(
    ("role", "action", "resource"),
    [
        ("TrainFunctionRole", "s3:ListBucketVersions", "Models"),
        ("EtlFunctionRole", "s3:GetObjectVersion", "Lake/raw/*"),
        ("ApiFunctionRole", "s3:PutObject", "Batch/incoming/*"),
        ("ScoringFunctionRole", "s3:ListBucket", "Models"),
        ("RegistryFunctionRole", "s3:PutObject", "Models/serving/heart.json"),
        ("ScoringMachineRole", "sns:Publish", "ScoringTopic"),
        ("ScoringMachineRole", "s3:GetObject", "Batch/batches/*/todo/*"),
        ("EtlMachineRole", "states:StartExecution", "TrainMachine"),
        ("TrainMachineRole", "lambda:InvokeFunction", "SearchFunction"),
        ("RawFilesRole", "states:StartExecution", "EtlMachine"),
    ],
)
def test_a_permission_that_is_missing_is_named_with_its_role_and_what_it_is_for(planted, role, action, resource):
    without(planted, role, action, resource)
    found = [sentence for sentence in faults(planted) if role in sentence and action in sentence]
    assert found
    assert "which it needs (" in found[0]


@pytest.mark.parametrize("kind", ["AWS::Lambda::Permission", "AWS::SNS::TopicPolicy", "AWS::SQS::QueuePolicy"])
def test_a_policy_of_a_resource_that_is_missing_is_noticed(planted, kind):
    gone = [name for name, resource in planted["Resources"].items() if resource["Type"] == kind]
    for name in gone:
        del planted["Resources"][name]
    assert any(".amazonaws.com" in sentence and " may not " in sentence for sentence in faults(planted))


@pytest.mark.parametrize("kind", ["AWS::Lambda::Permission", "AWS::SQS::QueuePolicy"])
def test_a_policy_that_lets_in_another_source_is_noticed(planted, kind):
    """An API or a rule that is not the one that calls."""
    other = {"Fn::Join": ["", ["arn:aws:events:us-east-1:1:rule/", "another"]]}
    for resource in planted["Resources"].values():
        if resource["Type"] == kind == "AWS::Lambda::Permission":
            resource["Properties"]["SourceArn"] = other
        elif resource["Type"] == kind:
            for statement in resource["Properties"]["PolicyDocument"]["Statement"]:
                if statement["Effect"] == "Allow":  # a queue that Lambda itself fills has none for a service
                    statement["Condition"] = {"ArnEquals": {"aws:SourceArn": other}}
    found = faults(planted)
    assert any(" may not " in sentence for sentence in found)
    assert any("another" in sentence and "nothing is seen to need" in sentence for sentence in found)


@pytest.mark.parametrize("role", ["AccessLogRole", "TrackingRole"])
@pytest.mark.parametrize("action", ["s3:PutObject", "s3:AbortMultipartUpload", "s3:GetBucketLocation"])
def test_a_service_that_no_emulator_judges_keeps_all_that_it_needs(planted, role, action):
    held = next(grant for grant in grants(planted) if (grant.who, grant.action) == (role, action))
    without(planted, role, action, held.resource)
    assert any(f"{role} may not {action}" in sentence for sentence in faults(planted))


@pytest.mark.parametrize("role", ["AccessLogRole", "TrackingRole", "ApiFunctionRole"])
@pytest.mark.parametrize("action", ["s3:PutBucketPolicy", "logs:DeleteLogGroup"])
def test_a_role_of_a_service_holds_nothing_more(planted, role, action):
    statements(planted, role).append({"Effect": "Allow", "Action": action, "Resource": "*"})
    assert any(f"{role} may {action}" in sentence for sentence in faults(planted))


def test_a_function_that_may_write_another_ones_log_and_not_its_own_is_noticed(planted):
    logs = next(item for item in statements(planted, "ApiFunctionRole") if "logs:PutLogEvents" in str(item))
    logs["Resource"] = "EtlFunctionLogs"
    assert any("ApiFunctionRole may not logs:PutLogEvents" in sentence for sentence in faults(planted))


def test_a_key_that_does_not_let_events_use_it_is_noticed(planted):
    (key,) = [item for item in planted["Resources"].values() if item["Type"] == "AWS::KMS::Key"]
    key["Properties"]["KeyPolicy"]["Statement"] = key["Properties"]["KeyPolicy"]["Statement"][:1]
    assert any("events.amazonaws.com may not kms:GenerateDataKey" in sentence for sentence in faults(planted))


@pytest.mark.parametrize("resource", ["Lake/*", "*"])
def test_a_permission_that_nothing_needs_is_noticed(planted, resource):
    statements(planted, "SearchFunctionRole").append(
        {"Effect": "Allow", "Action": "s3:DeleteObject", "Resource": resource}
    )
    assert any("SearchFunctionRole may s3:DeleteObject" in sentence for sentence in faults(planted))


def test_a_wider_permission_makes_the_narrow_one_needless(planted):
    """Two that overlap: neither is missed, and both are named."""
    statements(planted, "SearchFunctionRole").append(
        {"Effect": "Allow", "Action": "s3:PutObject", "Resource": {"Fn::Join": ["", [lake_arn(planted), "/*"]]}}
    )
    assert any("SearchFunctionRole may s3:PutObject on Models/" in sentence for sentence in faults(planted))


def lake_arn(made):
    (models,) = [name for name in made["Resources"] if name[:-8] == "Models"]
    return {"Fn::GetAtt": [models, "Arn"]}


def test_every_reason_to_keep_something_is_one_for_something_that_is_there(made):
    assert set(KEPT) <= {(grant.who, grant.action) for grant in grants(made)}
    assert len(KEPT) < 5, "reasons are for the few that no test can reach"


def test_calls_of_every_function_were_recorded(made):
    parts = {"api", "etl", "train", "search", "registry", "score", "capture", "monitor", "task"}
    assert {row[0] for row in recorded()} == set(roles(made)) == parts


def test_the_page_says_what_the_template_and_the_recording_say(made):
    text = page(grants(made), needs(made), roles(made))
    assert FILE.read_text() == text, "run `python -m infra.proof --write`"
    assert "decide (ListObjectVersions)" in text


@pytest.mark.parametrize("case", sorted(set(CASES) - {"default", "existing role", "second problem"}))
def test_they_suffice_however_it_is_deployed(case, tmp_path):
    other = template(CASES[case], tmp_path)
    assert refused(needs(other), grants(other)) == []
