"""What holds for every deployment, whatever it was told."""

from __future__ import annotations

import json

import pytest

from andamio import names
from andamio.settings import (
    ApiSettings,
    CaptureSettings,
    EtlSettings,
    MonitorSettings,
    RegistrySettings,
    ScoreSettings,
    SearchSettings,
    TrainSettings,
)
from andamio.storage import layout
from etl.extent import MOST_BYTES
from infra.options import LARGEST_SHARD_MIB, read_options
from monitoring.compaction import MOST_KEPT
from tests.infra.conftest import LOCAL

FUNCTIONS = {
    "andamio-heart-api": ApiSettings,
    "andamio-heart-etl": EtlSettings,
    "andamio-heart-train": TrainSettings,
    "andamio-heart-search": SearchSettings,
    "andamio-heart-registry": RegistrySettings,
    "andamio-heart-score": ScoreSettings,
    "andamio-heart-monitor": MonitorSettings,
    "andamio-heart-capture": CaptureSettings,
}
OUTPUTS = {
    "Problem", "Stage", "ApiUrl", "ApiKeyId", "LakeBucket", "ModelsBucket", "BatchBucket", "EtlMachine", "TrainMachine",
    "BatchMachine", "MonitorMachine", "RolloutMachine", "BatchTopic", "PredictionsTable", "AlertsTopic", "MlflowUri",
}  # fmt: skip


def test_no_custom_resource_and_no_setting_of_the_whole_account(deployment):
    kinds = {resource["Type"] for resource in deployment.resources.values()}
    assert not [kind for kind in kinds if kind.startswith("Custom::")]
    assert not kinds & {"AWS::CloudFormation::CustomResource", "AWS::ApiGateway::Account"}


def test_nothing_is_found_that_is_not_waived_with_a_reason(deployment):
    assert deployment.findings == []


def test_cloudformations_own_schemas_find_nothing(validated, aws):
    assert validated.findings == []
    assert validated.template == aws.template


def test_a_finding_without_a_waiver_fails_the_synth(empty_bundles, tmp_path):
    from aws_cdk import App
    from aws_cdk.aws_sns import Topic

    from infra.app import add_stack

    app = App(outdir=str(tmp_path / "out"), builtin_cloud_formation_validation=False)
    stack = add_stack(app, read_options(lambda key: None, LOCAL), empty_bundles, tmp_path)
    Topic(stack, "Unguarded")
    with pytest.raises(RuntimeError, match="ValidationFailed"):
        app.synth()


def test_outputs_are_the_ones_that_programs_read(deployment):
    assert set(deployment.template["Outputs"]) == OUTPUTS


def test_functions_have_a_name_and_log_where_an_emulator_logs(deployment):
    groups = deployment.of_type("AWS::Logs::LogGroup")
    found = deployment.of_type("AWS::Lambda::Function")
    assert {function["FunctionName"] for function in found.values()} == set(FUNCTIONS)
    for function in found.values():
        group = groups[function["LoggingConfig"]["LogGroup"]["Ref"]]
        assert group["LogGroupName"] == names.log_group(function["FunctionName"])
        assert group["RetentionInDays"] == 90


def test_functions_get_the_settings_that_they_read(deployment):
    for function in deployment.of_type("AWS::Lambda::Function").values():
        variables = {
            key: value if isinstance(value, str) else "named by CloudFormation"
            for key, value in function["Environment"]["Variables"].items()
        }
        settings = FUNCTIONS[function["FunctionName"]]
        assert settings.from_env(variables).as_env() == variables


def test_the_api_keeps_the_share_of_predictions_that_the_contract_says(deployment):
    variables = deployment.named("AWS::Lambda::Function", "ApiFunction")["Environment"]["Variables"]
    assert (variables["ANDAMIO_CAPTURE_SHARE"], variables["ANDAMIO_AUDIT_SHARE"]) == ("1.0", "0.0")
    assert json.loads(variables["ANDAMIO_PRIVATE"]) == []


def test_functions_fit_a_new_account(deployment):
    for function in deployment.of_type("AWS::Lambda::Function").values():
        assert function["MemorySize"] <= 3008
        assert "ReservedConcurrentExecutions" not in function
        assert function["Timeout"] <= 900
        assert function["Runtime"] == "python3.13"
        assert "VpcConfig" not in function


def test_a_shard_of_a_narrow_file_fits_where_it_is_written(deployment):
    """A shard of one digit a row has a row every two bytes, and a hundred bytes are added to each."""
    scratch = deployment.named("AWS::Lambda::Function", "ScoringFunction")["EphemeralStorage"]["Size"]
    assert scratch > LARGEST_SHARD_MIB / 2 * 110


def test_the_largest_raw_file_fits_where_etl_copies_it_beside_what_it_is_unpacked_to(deployment):
    scratch = deployment.named("AWS::Lambda::Function", "EtlFunction")["EphemeralStorage"]["Size"]
    assert scratch * 2**20 > 2 * MOST_BYTES + 2**31


def test_the_watch_has_room_for_an_hour_of_predictions(deployment):
    """Of a hundred features a prediction takes less than a kilobyte; some are written before they are thinned."""
    scratch = deployment.named("AWS::Lambda::Function", "WatchFunction")["EphemeralStorage"]["Size"]
    assert scratch * 2**20 > 20 * MOST_KEPT * 1000


def test_the_contract_reaches_what_asks_the_deployed_one(deployment):
    (layer,) = deployment.of_type("AWS::Lambda::LayerVersion")
    layers = {
        function["FunctionName"]: function.get("Layers")
        for function in deployment.of_type("AWS::Lambda::Function").values()
    }
    assert layers == {
        "andamio-heart-etl": [{"Ref": layer}],
        "andamio-heart-train": [{"Ref": layer}],
        "andamio-heart-search": None,
        "andamio-heart-registry": [{"Ref": layer}],
        "andamio-heart-score": None,
        "andamio-heart-api": None,
        "andamio-heart-monitor": [{"Ref": layer}],
        "andamio-heart-capture": [{"Ref": layer}],
    }


def test_whatever_is_called_without_being_waited_for_has_a_dead_letter_queue(deployment):
    """Rules, webhooks, and the function that a log calls: machines and API Gateway wait for the answers of others."""
    queues = set(deployment.of_type("AWS::SQS::Queue"))
    (subscription,) = deployment.of_type("AWS::Logs::SubscriptionFilter").values()
    used = []
    for name, function in deployment.of_type("AWS::Lambda::Function").items():
        assert ("DeadLetterConfig" in function) == (subscription["DestinationArn"] == {"Fn::GetAtt": [name, "Arn"]})
        if "DeadLetterConfig" in function:
            used.append(function["DeadLetterConfig"]["TargetArn"]["Fn::GetAtt"][0])
    assert not deployment.of_type("AWS::Lambda::EventInvokeConfig")
    assert not deployment.of_type("AWS::Lambda::EventSourceMapping")
    for rule in deployment.of_type("AWS::Events::Rule").values():
        for target in rule["Targets"]:
            used.append(target["DeadLetterConfig"]["Arn"]["Fn::GetAtt"][0])
            assert target["RetryPolicy"]["MaximumRetryAttempts"] > 0
    used += [
        subscription["RedrivePolicy"]["deadLetterTargetArn"]["Fn::GetAtt"][0]
        for subscription in deployment.of_type("AWS::SNS::Subscription").values()
        if subscription["Protocol"] == "https"
    ]
    assert set(used) == queues


def test_the_log_of_the_api_and_no_other_reaches_capture(deployment):
    """A subscription to its own log would call a function for ever."""
    ((name, subscription),) = deployment.of_type("AWS::Logs::SubscriptionFilter").items()
    group = subscription["LogGroupName"]["Ref"]
    assert deployment.of_type("AWS::Logs::LogGroup")[group]["LogGroupName"] == "/aws/lambda/andamio-heart-api"
    for event in (names.EVENT_PREDICTION, names.EVENT_REJECTION):
        assert subscription["FilterPattern"].strip('"') in event
    permissions = deployment.of_type("AWS::Lambda::Permission")
    (leave,) = [name for name, each in permissions.items() if each["Principal"] == "logs.amazonaws.com"]
    assert permissions[leave]["SourceArn"] == {"Fn::GetAtt": [group, "Arn"]}
    assert permissions[leave]["SourceAccount"] == {"Ref": "AWS::AccountId"}
    assert leave in deployment.resources[name]["DependsOn"]


def test_queues_are_encrypted_and_take_tls_only(deployment):
    for queue in deployment.of_type("AWS::SQS::Queue").values():
        assert queue["SqsManagedSseEnabled"] is True
    guarded = {policy["Queues"][0]["Ref"] for policy in deployment.of_type("AWS::SQS::QueuePolicy").values()
               if refuses_plain_http(policy["PolicyDocument"])}  # fmt: skip
    assert guarded == set(deployment.of_type("AWS::SQS::Queue"))


def test_buckets_are_private_encrypted_versioned_and_take_tls_only(deployment):
    buckets = deployment.of_type("AWS::S3::Bucket")
    assert len(buckets) == 3
    for bucket in buckets.values():
        assert set(bucket["PublicAccessBlockConfiguration"].values()) == {True}
        assert len(bucket["PublicAccessBlockConfiguration"]) == 4
        (rule,) = bucket["BucketEncryption"]["ServerSideEncryptionConfiguration"]
        assert rule["ServerSideEncryptionByDefault"] == {"SSEAlgorithm": "AES256"}
        assert bucket["VersioningConfiguration"] == {"Status": "Enabled"}
        assert bucket["OwnershipControls"] == {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]}
        assert "BucketName" not in bucket
        assert any("AbortIncompleteMultipartUpload" in rule for rule in bucket["LifecycleConfiguration"]["Rules"])
    guarded = {policy["Bucket"]["Ref"] for policy in deployment.of_type("AWS::S3::BucketPolicy").values()
               if refuses_plain_http(policy["PolicyDocument"])}  # fmt: skip
    assert guarded == set(buckets)


def test_no_version_of_a_raw_file_is_ever_forgotten(deployment):
    for rule in deployment.named("AWS::S3::Bucket", "Lake")["LifecycleConfiguration"]["Rules"]:
        expires = {"ExpirationInDays", "NoncurrentVersionExpiration"} & set(rule)
        assert not expires or not layout.RAW.startswith(rule["Prefix"])


def test_a_release_never_expires(deployment):
    for rule in deployment.named("AWS::S3::Bucket", "Models")["LifecycleConfiguration"]["Rules"]:
        assert "ExpirationInDays" not in rule


def test_a_raw_file_starts_etl_and_nothing_else_does(deployment):
    rule = deployment.named("AWS::Events::Rule", "RawFiles")
    (lake,) = [name for name in deployment.of_type("AWS::S3::Bucket") if name.startswith("Lake")]
    (machine,) = [name for name in deployment.of_type("AWS::StepFunctions::StateMachine") if name.startswith("Etl")]
    assert rule["EventPattern"]["source"] == ["aws.s3"]
    assert rule["EventPattern"]["detail-type"] == ["Object Created"]
    assert rule["EventPattern"]["detail"] == {
        "bucket": {"name": [{"Ref": lake}]},
        "object": {"key": [{"prefix": "raw/"}]},
    }
    assert [target["Arn"] for target in rule["Targets"]] == [{"Ref": machine}]
    announced = deployment.named("AWS::S3::Bucket", "Lake")["NotificationConfiguration"]
    assert announced == {"EventBridgeConfiguration": {"EventBridgeEnabled": True}}


def test_an_execution_that_did_not_end_well_reaches_the_alerts_topic(deployment):
    rule = deployment.named("AWS::Events::Rule", "AlertsFailedExecutions")
    machines = deployment.of_type("AWS::StepFunctions::StateMachine")
    assert rule["EventPattern"]["detail"]["status"] == ["FAILED", "TIMED_OUT", "ABORTED"]
    watched = [machine["Ref"] for machine in rule["EventPattern"]["detail"]["stateMachineArn"]]
    assert sorted(watched) == sorted(machines)
    (topic,) = [name for name in deployment.of_type("AWS::SNS::Topic") if name.startswith("Alerts")]
    assert [target["Arn"] for target in rule["Targets"]] == [{"Ref": topic}]
    approvals = deployment.named("AWS::Events::Rule", "AlertsApprovals")
    assert approvals["EventPattern"] == {"source": ["andamio.heart"], "detail-type": ["Approval needed"]}
    assert [target["Arn"] for target in approvals["Targets"]] == [{"Ref": topic}]


def test_alerts_are_encrypted_under_a_key_that_eventbridge_and_alarms_may_use(deployment):
    (key,) = deployment.of_type("AWS::KMS::Key").items()
    topic = deployment.named("AWS::SNS::Topic", "Alerts")
    assert topic["KmsMasterKeyId"] == {"Fn::GetAtt": [key[0], "Arn"]}
    assert key[1]["EnableKeyRotation"] is True
    users = [statement for statement in key[1]["KeyPolicy"]["Statement"] if "Service" in statement["Principal"]]
    assert [user["Principal"]["Service"] for user in users] == [["cloudwatch.amazonaws.com", "events.amazonaws.com"]]
    assert {"kms:Decrypt", "kms:GenerateDataKey"} <= set(users[0]["Action"])
    ((context, arn),) = users[0]["Condition"]["StringEquals"].items()
    assert context == "kms:EncryptionContext:aws:sns:topicArn", "SNS sends it; EventBridge sends no source"
    assert json.dumps(arn).endswith(f':{topic["TopicName"]}"]]}}')


def test_whoever_waits_for_a_batch_is_told_under_a_key_that_roles_of_the_account_may_use(deployment):
    topic = deployment.named("AWS::SNS::Topic", "Scoring")
    assert json.dumps(topic["KmsMasterKeyId"]).endswith(':alias/aws/sns"]]}')
    assert topic["TopicName"] == "andamio-heart-batches"


def test_topics_take_tls_only(deployment):
    guarded = {policy["Topics"][0]["Ref"] for policy in deployment.of_type("AWS::SNS::TopicPolicy").values()
               if refuses_plain_http(policy["PolicyDocument"])}  # fmt: skip
    assert guarded == set(deployment.of_type("AWS::SNS::Topic"))


def test_a_file_that_lands_is_scored_and_what_the_machine_writes_starts_nothing(deployment):
    rule = deployment.named("AWS::Events::Rule", "Scoring")
    (bucket,) = [name for name in deployment.of_type("AWS::S3::Bucket") if name.startswith("Batch")]
    (machine,) = [name for name in deployment.of_type("AWS::StepFunctions::StateMachine") if name.startswith("Scoring")]
    assert rule["EventPattern"]["detail"] == {
        "bucket": {"name": [{"Ref": bucket}]},
        "object": {"key": [{"prefix": layout.INCOMING}]},
    }
    assert not [
        prefix for prefix in (layout.SCORED, layout.REJECTED, layout.BATCHES) if prefix.startswith(layout.INCOMING)
    ]
    assert [target["Arn"] for target in rule["Targets"]] == [{"Ref": machine}]
    announced = deployment.named("AWS::S3::Bucket", "Batch")["NotificationConfiguration"]
    assert announced == {"EventBridgeConfiguration": {"EventBridgeEnabled": True}}


def test_predictions_are_found_by_either_id_and_go_when_they_expire(deployment):
    (table,) = deployment.of_type("AWS::DynamoDB::Table").values()
    assert table["KeySchema"] == [{"AttributeName": "prediction_id", "KeyType": "HASH"}]
    (index,) = table["GlobalSecondaryIndexes"]
    assert index["KeySchema"] == [
        {"AttributeName": "record_id", "KeyType": "HASH"},
        {"AttributeName": "created", "KeyType": "RANGE"},
    ]
    assert index["IndexName"] == names.BY_RECORD
    assert table["TimeToLiveSpecification"] == {"AttributeName": "expires_at", "Enabled": True}
    assert table["BillingMode"] == "PAY_PER_REQUEST"
    assert table["PointInTimeRecoverySpecification"] == {"PointInTimeRecoveryEnabled": True}
    assert "TableName" not in table


def test_the_template_holds_no_path_of_the_machine_that_made_it(deployment):
    text = json.dumps(deployment.template)
    assert "/home/" not in text
    assert "/tmp/" not in text


def refuses_plain_http(policy) -> bool:
    return any(
        statement["Effect"] == "Deny" and statement.get("Condition") == {"Bool": {"aws:SecureTransport": "false"}}
        for statement in policy["Statement"]
    )
