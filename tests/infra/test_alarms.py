"""Alarms: there is one for whatever may go wrong unseen, each reaches the alerts topic, and the manual explains it."""

from __future__ import annotations

import json
import re

import pytest

from andamio import names
from infra import REPOSITORY
from infra.options import OptionError, read_options
from infra.templates import LOCAL
from tests.infra.conftest import Deployment

WATCH = {"drift", "rejects", "performance", "label-coverage", "capture-lag"}
ALARM = "AWS::CloudWatch::Alarm"
PREFIX = "andamio-heart-alarm-"
SECTIONS = set(re.findall(r"^### (.+)$", (REPOSITORY / "docs" / "operations.md").read_text(), re.M))


def alarms(deployment: Deployment) -> dict[str, dict]:
    """The alarms by name, without the system's."""
    return {found["AlarmName"].removeprefix(PREFIX): found for found in deployment.of_type(ALARM).values()}


def dimensions(alarm: dict) -> dict[str, str]:
    return {pair["Name"]: pair["Value"] for pair in alarm.get("Dimensions", [])}


def on(deployment: Deployment, metric: str, dimension: str) -> set[str]:
    """What there is an alarm for on a metric, by a dimension."""
    return {dimensions(alarm)[dimension] for alarm in alarms(deployment).values() if alarm["MetricName"] == metric}


def test_each_alarm_reaches_the_alerts_topic_and_no_other(deployment):
    (topic,) = [name for name in deployment.of_type("AWS::SNS::Topic") if name.startswith("Alerts")]
    found = alarms(deployment)
    assert len(found) == len(deployment.of_type(ALARM))
    for alarm in found.values():
        assert alarm["AlarmActions"] == [{"Ref": topic}]
        assert not {"OKActions", "InsufficientDataActions"} & set(alarm)


def test_the_topic_takes_messages_of_this_system_s_alarms(prod):
    (policy,) = [
        policy
        for policy in prod.of_type("AWS::SNS::TopicPolicy").values()
        if policy["Topics"][0]["Ref"].startswith("Alerts")
    ]
    (statement,) = [
        statement
        for statement in policy["PolicyDocument"]["Statement"]
        if statement["Principal"] == {"Service": "cloudwatch.amazonaws.com"}
    ]
    assert statement["Action"] == "sns:Publish"
    assert statement["Condition"]["StringEquals"] == {"aws:SourceAccount": {"Ref": "AWS::AccountId"}}
    source = json.dumps(statement["Condition"]["ArnLike"]["aws:SourceArn"])
    assert source.endswith(':alarm:andamio-heart--prod-alarm-*"]]}')
    assert all(alarm["AlarmName"].startswith("andamio-heart--prod-alarm-") for alarm in prod.of_type(ALARM).values())


def test_each_alarm_says_what_it_means_and_has_a_section_in_the_manual(aws):
    for name, alarm in alarms(aws).items():
        means, _, section = alarm["AlarmDescription"].partition(" What to do: docs/operations.md, ")
        assert means.endswith("."), name
        assert section.rstrip(".") in SECTIONS, f"docs/operations.md has no section '### {section}' for {name}"
        assert section


def test_the_page_says_what_as_many_alarms_cost(aws):
    page = (REPOSITORY / "docs" / "deploy.md").read_text()
    (row,) = re.findall(r"\| alarms, one metric each.* \| (\d+) \| \$0.10 \| \$([\d.]+) \|", page)
    assert row == (str(len(alarms(aws))), f"{len(alarms(aws)) / 10:.2f}")


def test_what_the_watch_decides_has_an_alarm_everywhere_that_keeps_its_state_between_two_windows(deployment):
    found = {name: alarm for name, alarm in alarms(deployment).items() if alarm["Namespace"] == names.METRICS}
    assert set(found) == WATCH
    for alarm in found.values():
        assert dimensions(alarm) == {names.SYSTEM_DIMENSION: "heart"}
        assert (alarm["Statistic"], alarm["TreatMissingData"]) == ("Maximum", "ignore")
        assert alarm["ComparisonOperator"] == "GreaterThanOrEqualToThreshold"
    decided = {found[name]["MetricName"]: found[name]["Threshold"] for name in WATCH - {"capture-lag"}}
    assert decided == dict.fromkeys(("DriftPersistent", "RejectAlarm", "PerformanceWorse", "LabelCoverageUneven"), 1)


def test_on_the_local_cloud_there_is_no_alarm_that_could_never_ring(local, synthesize):
    assert {alarm["Namespace"] for alarm in alarms(local).values()} == {names.METRICS}
    assert not local.of_type("AWS::CloudWatch::Dashboard")
    assert not local.of_type("AWS::Logs::MetricFilter")


def test_emulators_take_every_alarm(deployment):
    """Ministack refuses metric math."""
    assert not [alarm for alarm in deployment.of_type(ALARM).values() if "Metrics" in alarm]


def test_every_queue_that_something_may_wait_in_has_an_alarm(switched):
    queues = {queue["QueueName"] for queue in switched.of_type("AWS::SQS::Queue").values()}
    assert "andamio-heart-alert-webhook-dead-letters" in queues
    assert on(switched, "ApproximateNumberOfMessagesVisible", "QueueName") == queues


def test_who_is_told_is_what_was_asked_for(switched, aws):
    told = {found["Protocol"]: found for found in switched.of_type("AWS::SNS::Subscription").values()}
    assert {protocol: found["Endpoint"] for protocol, found in told.items()} == {
        "email": "you@example.org",
        "https": "https://example.org/alerts",
    }
    assert all(found["TopicArn"]["Ref"].startswith("Alerts") for found in told.values())
    assert not aws.of_type("AWS::SNS::Subscription")


def test_a_webhook_gets_signed_messages_that_are_sent_again_for_as_long_as_sns_takes(switched):
    assert switched.named("AWS::SNS::Topic", "Alerts")["SignatureVersion"] == "2", "SHA-256; 1 is SHA-1"
    (webhook,) = [
        found for found in switched.of_type("AWS::SNS::Subscription").values() if found["Protocol"] == "https"
    ]
    policy = webhook["DeliveryPolicy"]["healthyRetryPolicy"]
    assert policy["numRetries"] >= 10
    assert policy["numRetries"] * policy["maxDelayTarget"] <= 3600
    assert "RedrivePolicy" in webhook


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("alert_email", "you"),
        ("alert_email", "you@example.org, me@example.org"),
        ("alert_email", "You <you@example.org>"),
        ("alert_webhook", "http://example.org/alerts"),
        ("alert_webhook", "https://"),
        ("alert_webhook", "https://me:secret@example.org/"),
        ("alert_webhook", "https://example.org/#secret"),
        ("alert_webhook", "https://example.org:80/"),
        ("alert_webhook", "https://example.org:99999/"),
        ("alert_webhook", "https://exam ple.org/"),
    ],
)
def test_what_sns_would_not_take_is_refused_before_a_deploy_and_no_secret_is_shown(key, value):
    with pytest.raises(OptionError, match=key) as error:
        read_options({key: value}.get, LOCAL)
    assert "secret" not in str(error.value)


def test_an_endpoint_with_a_path_a_query_and_a_port_is_taken():
    address = "https://example.org:8443/alerts?of=heart"
    assert read_options({"alert_webhook": address}.get, LOCAL).alert_webhook == address


def test_every_function_whose_errors_no_5xx_tells_of_has_an_alarm(aws):
    functions = {function["FunctionName"] for function in aws.of_type("AWS::Lambda::Function").values()}
    assert on(aws, "Errors", "FunctionName") == functions - {"andamio-heart-api"}


def test_a_function_that_no_machine_calls_has_an_alarm_when_it_is_throttled(aws):
    """What a machine calls is tried again for 25 minutes, and fails its execution then."""
    called = json.dumps(list(aws.of_type("AWS::StepFunctions::StateMachine").values()))
    alone = {
        function["FunctionName"]
        for name, function in aws.of_type("AWS::Lambda::Function").items()
        if name not in called
    }
    assert on(aws, "Throttles", "FunctionName") == alone


def test_the_api_and_its_access_log_have_alarms_on_what_aws_measures(aws, given_role):
    api = {"ApiName": "andamio-heart-api", "Stage": "v1"}
    assert aws.named("AWS::ApiGateway::RestApi", "Api")["Name"] == api["ApiName"]
    assert dimensions(alarms(aws)["server-errors"]) == dimensions(alarms(aws)["latency"]) == api
    assert alarms(aws)["latency"]["ExtendedStatistic"] == "p99"
    (stream,) = aws.of_type("AWS::KinesisFirehose::DeliveryStream").values()
    assert dimensions(alarms(aws)["access-log-late"]) == {"DeliveryStreamName": stream["DeliveryStreamName"]}
    assert "access-log-late" not in alarms(given_role)


def test_lines_that_capture_never_got_ring_an_alarm_on_the_subscription_as_it_is_deployed(aws):
    (subscription,) = aws.of_type("AWS::Logs::SubscriptionFilter").values()
    group = aws.resources[subscription["LogGroupName"]["Ref"]]["Properties"]
    alarm = alarms(aws)["capture-undelivered"]
    assert (alarm["Namespace"], alarm["MetricName"]) == ("AWS/Logs", "DeliveryErrors")
    assert dimensions(alarm) == {"LogGroupName": group["LogGroupName"]}


def test_a_release_that_the_api_refuses_is_counted_by_its_log_line(aws):
    counts = aws.named("AWS::Logs::MetricFilter", "AlarmsReleaseRefusedLines")
    assert counts["LogGroupName"]["Ref"].startswith("ApiFunction")
    assert counts["FilterPattern"] == '{ $.event = "andamio.release.refused" }'
    (counted,) = counts["MetricTransformations"]
    alarm = alarms(aws)["release-refused"]
    assert (counted["MetricNamespace"], counted["MetricName"]) == (alarm["Namespace"], alarm["MetricName"])
    assert not dimensions(alarm)


@pytest.mark.parametrize(
    ("name", "filter_", "pattern", "value"),
    [
        ("challenger-errors", "ChallengerFaultLines", '{ $.event = "andamio.challenger.failed" }', "1"),
        (
            "challenger-latency",
            "ChallengerTimes",
            '{ ($.variant = "challenger" || $.variant = "shadow") && $.model_ms >= 0 }',
            "$.model_ms",
        ),
    ],
)
def test_an_alarm_on_a_challenger_counts_log_lines_and_starts_the_machine_that_withdraws_it(
    aws, name, filter_, pattern, value
):
    counts = aws.named("AWS::Logs::MetricFilter", f"Alarms{filter_}")
    assert counts["FilterPattern"] == pattern
    (counted,) = counts["MetricTransformations"]
    alarm = alarms(aws)[name]
    assert (counted["MetricNamespace"], counted["MetricName"]) == (alarm["Namespace"], alarm["MetricName"])
    assert counted["MetricValue"] == value
    rule = aws.named("AWS::Events::Rule", "RolloutAlarms")
    assert f"andamio-heart-alarm-{name}" in rule["EventPattern"]["detail"]["alarmName"]
    assert rule["EventPattern"]["detail"]["state"] == {"value": ["ALARM"]}
    (target,) = rule["Targets"]
    assert target["Arn"]["Ref"].startswith("RolloutMachine")
    assert target["InputTransformer"]["InputPathsMap"] == {
        "detail-alarmName": "$.detail.alarmName",
        "time": "$.time",
    }


def test_the_dashboard_shows_every_alarm_and_every_machine_function_and_queue(aws):
    (dashboard,) = aws.of_type("AWS::CloudWatch::Dashboard").values()
    assert dashboard["DashboardName"] == "andamio-heart"
    parts = dashboard["DashboardBody"]["Fn::Join"][1]
    shown = {part["Fn::GetAtt"][0] for part in parts if isinstance(part, dict) and "Fn::GetAtt" in part}
    assert set(aws.of_type(ALARM)) <= shown
    refs = {part["Ref"] for part in parts if isinstance(part, dict) and "Ref" in part}
    assert set(aws.of_type("AWS::StepFunctions::StateMachine")) <= refs
    text = "".join(part if isinstance(part, str) else "x" for part in parts)
    widgets = json.loads(text)["widgets"]
    drawn = {(line[0], line[1], *line[2:-1]) for widget in widgets for line in widget["properties"].get("metrics", [])}
    for queue in aws.of_type("AWS::SQS::Queue").values():
        assert ("AWS/SQS", "ApproximateNumberOfMessagesVisible", "QueueName", queue["QueueName"]) in drawn
    for function in aws.of_type("AWS::Lambda::Function").values():
        assert ("AWS/Lambda", "Errors", "FunctionName", function["FunctionName"]) in drawn
    for alarm in alarms(aws).values():
        if alarm["Namespace"] == names.METRICS:
            assert (names.METRICS, alarm["MetricName"], names.SYSTEM_DIMENSION, "heart") in drawn
