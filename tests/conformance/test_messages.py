"""Topics and alarms: who is told, and what a message may be."""

from __future__ import annotations

import datetime
import json

import pytest

from tests.conformance.account import eventually
from tests.conformance.verdicts import Missing, came, refusal

NAMESPACE = "andamio-conf"


def test_a_topic_sends_to_a_queue(account):
    """A message that is published to a topic comes out of a queue that has subscribed.

    Source: SNS Developer Guide, Fanout to Amazon SQS queues.
    """
    queue = account.queue()
    account.client("sns").publish(TopicArn=account.topic(queue), Subject="s", Message='{"batch": 1}')
    came(account.message(queue), {"batch": 1})


def test_a_subject_of_more_than_100_characters(account):
    """A subject of 100 characters or more is refused.

    Source: SNS API Reference, Publish.

    Here: `tests/flows/test_batch.py` looks at its length.
    """
    sns, topic = account.client("sns"), account.topic()
    came(refusal(sns.publish, TopicArn=topic, Subject="x" * 99, Message="m"), "accepted")
    came(refusal(sns.publish, TopicArn=topic, Subject="x" * 101, Message="m"), "400 InvalidParameter")


def test_a_message_of_more_than_256_kb(account):
    """A message of more than 256 KB is refused.

    Source: SNS API Reference, Publish.

    Here: the output of a batch is a few hundred bytes, and state data hold 256 KB.
    """
    sns, topic = account.client("sns"), account.topic()
    came(refusal(sns.publish, TopicArn=topic, Message="x" * (256 << 10)), "accepted")
    came(refusal(sns.publish, TopicArn=topic, Message="x" * ((256 << 10) + 1)), "400 InvalidParameter")


def alarm(name: str, **more) -> dict:
    """An alarm that goes off where the metric of its name is above zero in one minute."""
    return {
        "AlarmName": name,
        "Namespace": NAMESPACE,
        "MetricName": name,
        "Statistic": "Maximum",
        "Period": 60,
        "EvaluationPeriods": 1,
        "Threshold": 0,
        "ComparisonOperator": "GreaterThanThreshold",
        "TreatMissingData": "notBreaching",
        **more,
    }


def put_alarm(account, **more) -> str:
    """Make an alarm; returns its name, which is its metric's."""
    cloudwatch, name = account.client("cloudwatch"), account.name()
    cloudwatch.put_metric_alarm(**alarm(name, **more))
    account.later(cloudwatch.delete_alarms, AlarmNames=[name])
    return name


def put_metric(account, name: str) -> None:
    account.client("cloudwatch").put_metric_data(Namespace=NAMESPACE, MetricData=[{"MetricName": name, "Value": 1.0}])


@pytest.mark.needs("events")
def test_a_metric_that_is_put_sets_off_an_alarm(account):
    """An alarm on a metric that PutMetricData feeds goes into ALARM and publishes to its topic.

    Source: CloudWatch User Guide, Using Amazon CloudWatch alarms.
    """
    queue = account.queue()
    name = put_alarm(account, AlarmActions=[account.topic(queue)])
    put_metric(account, name)
    seconds = max(75.0, account.target.patience)  # an alarm may look once a period
    message = account.message(queue, lambda it: it.get("AlarmName") == name, seconds)
    came(message["NewStateValue"], "ALARM")


@pytest.mark.needs("events")
def test_a_state_that_is_set_sets_off_an_alarm(account):
    """SetAlarmState puts an alarm into ALARM, and it publishes to its topic.

    Source: CloudWatch API Reference, SetAlarmState.
    """
    queue = account.queue()
    name = put_alarm(account, AlarmActions=[account.topic(queue)])
    account.client("cloudwatch").set_alarm_state(AlarmName=name, StateValue="ALARM", StateReason="asked for")
    came(account.message(queue, lambda it: it.get("AlarmName") == name)["NewStateValue"], "ALARM")


@pytest.mark.needs("events")
def test_an_alarm_tells_eventbridge(account):
    """An alarm that changes its state is an event of EventBridge.

    Source: CloudWatch User Guide, Alarm events and EventBridge.

    Here: alarms publish to a topic.
    """
    events, name, queue = account.client("events"), account.name(), account.queue()
    alarm_name = put_alarm(account)
    pattern = {"source": ["aws.cloudwatch"], "detail": {"alarmName": [alarm_name]}}
    events.put_rule(Name=name, EventPattern=json.dumps(pattern))
    account.later(events.delete_rule, Name=name)
    events.put_targets(Rule=name, Targets=[{"Id": "q", "Arn": queue.arn}])
    account.later(events.remove_targets, Rule=name, Ids=["q"])
    account.client("cloudwatch").set_alarm_state(AlarmName=alarm_name, StateValue="ALARM", StateReason="asked for")
    came(account.message(queue)["detail"]["state"]["value"], "ALARM")


def test_an_alarm_of_alarms(account):
    """A composite alarm goes into ALARM with one that its rule names, and publishes to its topic.

    Source: CloudWatch User Guide, Combining alarms.

    Here: none is used.
    """
    cloudwatch, queue, name = account.client("cloudwatch"), account.queue(), account.name()
    inner = put_alarm(account)
    topic = account.topic(queue)
    cloudwatch.put_composite_alarm(AlarmName=name, AlarmRule=f'ALARM("{inner}")', AlarmActions=[topic])
    account.later(cloudwatch.delete_alarms, AlarmNames=[name])
    cloudwatch.set_alarm_state(AlarmName=inner, StateValue="ALARM", StateReason="asked for")
    came(account.message(queue, lambda it: it.get("AlarmName") == name)["NewStateValue"], "ALARM")


@pytest.mark.needs("runtime")
def test_a_metric_within_a_log_line(account):
    """A log line in the embedded metric format becomes a metric.

    Source: CloudWatch User Guide, Embedding metrics within logs.

    Here: metrics that drive something are put.
    """
    cloudwatch, name = account.client("cloudwatch"), account.name()
    metrics = {"Namespace": NAMESPACE, "Dimensions": [[]], "Metrics": [{"Name": name}]}
    source = f"""
import json, time
def handler(event, context):
    line = {{"_aws": {{"Timestamp": int(time.time() * 1000), "CloudWatchMetrics": [{metrics!r}]}}, "{name}": 1}}
    print(json.dumps(line))
"""
    account.invoke(account.function(source))
    now = datetime.datetime.now(datetime.UTC)
    hour = {"StartTime": now - datetime.timedelta(hours=1), "EndTime": now + datetime.timedelta(hours=1)}

    def points() -> list:
        asked = {"Namespace": NAMESPACE, "MetricName": name, "Period": 60, "Statistics": ["Maximum"]}
        return cloudwatch.get_metric_statistics(**asked, **hour)["Datapoints"]

    if not eventually(points, account.target.patience):
        raise Missing("no metric came")
