"""Alarms: on what the watch decides, and on what AWS measures of the service. Each goes to the alerts topic.

One metric an alarm and no metric math: it costs the same, the name says which function or queue it is, and emulators
take it. What the watch decides is a metric of 0 or 1: statistics decide, and the alarm rings.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_logs as logs
from aws_cdk import aws_sns as sns
from constructs import Construct

from andamio import names

MANUAL = "docs/operations.md"

CALLED_ALONE = ("api", "capture")
"""Functions that no state machine calls: where Lambda has no room for them, nobody tries again for long."""

OF_A_CHALLENGER = ("challenger-errors", "challenger-latency")
"""Alarms that withdraw the challenger by themselves."""
FAULTS = 3
SLOWER = 10
"""An alarm does not wait for the rule: its median is so many times what the gate allows."""

STEP_ERRORS, STEP_SECONDS = 3, 900
"""A state machine tries again what fails once, and says what fails for good. So many errors so soon are a crash."""


@dataclass(frozen=True, slots=True)
class Alarm:
    """One alarm: `name` is also its section in docs/operations.md, `means` its first sentence.

    It rings when `statistic` of the metric is at least `least` in each of `periods` periods of `seconds`. `missing` is
    what no data mean: "ignore" keeps the state, "notBreaching" is fine.
    """

    name: str
    means: str
    namespace: str
    metric: str
    dimensions: Mapping[str, str]
    least: float
    statistic: str = "Sum"
    seconds: int = 300
    periods: int = 1
    missing: str = "notBreaching"
    section: str = ""


@dataclass(frozen=True, slots=True)
class Measured:
    """What AWS measures of a system: the name of its API, functions, queues and access log, and the API's log group.

    functions is part -> name of the function; queues are names; `stream` is empty where there is no access log.
    `max_latency_ms` is what the gate allows a model.
    """

    api: str
    functions: Mapping[str, str]
    queues: Sequence[str]
    stream: str
    api_log: logs.ILogGroup
    max_latency_ms: float


def of_the_watch(system: str) -> Iterator[Alarm]:
    """The alarms on metrics that the watch puts, once a window: between two windows the state stays."""
    decided = {
        "drift": ("DriftPersistent", "The data have moved, in several windows."),
        "rejects": ("RejectAlarm", "More records are refused than before, in a field and for a reason."),
        "performance": ("PerformanceWorse", "With the labels that have come, the champion is worse than it was."),
        "label-coverage": ("LabelCoverageUneven", "Labels come for some scores more often than for others."),
    }
    for name, (metric, means) in decided.items():
        yield _put(system, name, means, metric, 1)
    yield _put(system, "capture-lag", "Predictions reach the lake an hour late, or later.", "CaptureLagSeconds", 3600)


def of_the_service(system: str, measured: Measured) -> Iterator[Alarm]:
    """The alarms on metrics that AWS measures itself, which no emulator does."""
    api = {"ApiName": measured.api, "Stage": names.API_STAGE}
    yield Alarm("server-errors", "The API answered 5xx.", "AWS/ApiGateway", "5XXError", api, 1)
    yield Alarm(
        "latency",
        "One request in a hundred took five seconds or more, for a quarter of an hour.",
        "AWS/ApiGateway",
        "Latency",
        api,
        5000,
        statistic="p99",
        periods=3,
    )
    for part, function in measured.functions.items():
        yield from _of_a_function(part, function)
    for queue in measured.queues:
        yield Alarm(
            queue.removeprefix(names.resource(system, "")),
            f"Something could not be delivered, and waits in the queue {queue}.",
            "AWS/SQS",
            "ApproximateNumberOfMessagesVisible",
            {"QueueName": queue},
            1,
            statistic="Maximum",
            # A queue that nobody uses is not measured, whatever is in it.
            missing="ignore",
            section="dead-letters",
        )
    if measured.stream:
        yield Alarm(
            "access-log-late",
            "Lines of the access log have waited for S3 a quarter of an hour.",
            "AWS/Firehose",
            "DeliveryToS3.DataFreshness",
            {"DeliveryStreamName": measured.stream},
            900,
            statistic="Maximum",
            periods=3,
        )
    yield Alarm(
        "capture-undelivered",
        "CloudWatch Logs could not hand log lines of the API to the function capture.",
        "AWS/Logs",
        "DeliveryErrors",
        # By the group alone: how DestinationType is spelled for a function is not documented, and one filter delivers.
        {"LogGroupName": names.log_group(measured.functions["api"])},
        1,
    )
    yield Alarm(
        "release-refused",
        "The API refused to serve a release.",
        f"{names.METRICS}/{system}",
        "ReleaseRefused",
        {},
        1,
    )


def of_a_challenger(system: str, max_latency_ms: float) -> Iterator[Alarm]:
    """The alarms that end a trial: on metrics that are counted from the API's log, in which no emulator counts."""
    errors, latency = OF_A_CHALLENGER
    yield Alarm(
        errors,
        f"A challenger had no answer in {FAULTS} requests of five minutes, which the champion answered.",
        f"{names.METRICS}/{system}",
        "ChallengerFaults",
        {},
        FAULTS,
    )
    yield Alarm(
        latency,
        f"A challenger takes {SLOWER * max_latency_ms:g} ms a record, or more, for three minutes.",
        f"{names.METRICS}/{system}",
        "ChallengerMilliseconds",
        {},
        SLOWER * max_latency_ms,
        statistic="p50",
        seconds=60,
        periods=3,
    )


class Alarms(Construct):
    """Every alarm of a system, with the alerts topic as its action; `measured` is None on the local cloud.

    The topic's policy and its key let CloudWatch publish: see `Alerts`.
    """

    alarms: list[Alarm]
    arns: Sequence[str]

    def __init__(self, scope: Construct, id: str, *, system: str, topic: sns.ITopic, measured: Measured | None) -> None:
        super().__init__(scope, id)
        self.alarms = list(of_the_watch(system))
        if measured:
            self.alarms += [*of_the_service(system, measured), *of_a_challenger(system, measured.max_latency_ms)]
            counted = f"{names.METRICS}/{system}"
            refused = f'{{ $.event = "{names.EVENT_RELEASE_REFUSED}" }}'
            self._count("ReleaseRefused", "ReleaseRefusedLines", refused, "1", counted, measured.api_log)
            failed = f'{{ $.event = "{names.EVENT_CHALLENGER_FAILED}" }}'
            self._count("ChallengerFaults", "ChallengerFaultLines", failed, "1", counted, measured.api_log)
            variants = f'($.variant = "{names.CHALLENGER}" || $.variant = "{names.SHADOW}")'
            timed = f"{{ {variants} && $.model_ms >= 0 }}"
            self._count("ChallengerMilliseconds", "ChallengerTimes", timed, "$.model_ms", counted, measured.api_log)
        self.arns = [self._make(alarm, system, topic) for alarm in self.alarms]

    def _make(self, alarm: Alarm, system: str, topic: sns.ITopic) -> str:
        percentile = alarm.statistic.startswith("p")
        made = cloudwatch.CfnAlarm(
            self,
            "".join(word.capitalize() for word in alarm.name.split("-")),
            alarm_name=names.alarm(system, alarm.name),
            alarm_description=f"{alarm.means} What to do: {MANUAL}, {alarm.section or alarm.name}.",
            namespace=alarm.namespace,
            metric_name=alarm.metric,
            dimensions=[
                cloudwatch.CfnAlarm.DimensionProperty(name=name, value=value)
                for name, value in alarm.dimensions.items()
            ],
            statistic=None if percentile else alarm.statistic,
            extended_statistic=alarm.statistic if percentile else None,
            period=alarm.seconds,
            evaluation_periods=alarm.periods,
            threshold=alarm.least,
            comparison_operator="GreaterThanOrEqualToThreshold",
            treat_missing_data=alarm.missing,
            alarm_actions=[topic.topic_arn],
        )
        arn: str = made.attr_arn
        return arn

    def _count(self, metric: str, id: str, pattern: str, value: str, namespace: str, group: logs.ILogGroup) -> None:
        """A metric only while there is something to count: its price is by the hour in which it has data."""
        logs.CfnMetricFilter(
            self,
            id,
            log_group_name=group.log_group_name,
            filter_pattern=pattern,
            metric_transformations=[
                logs.CfnMetricFilter.MetricTransformationProperty(
                    metric_namespace=namespace, metric_name=metric, metric_value=value
                )
            ],
        )


def _put(system: str, name: str, means: str, metric: str, least: float) -> Alarm:
    return Alarm(
        name,
        means,
        names.METRICS,
        metric,
        {names.SYSTEM_DIMENSION: system},
        least,
        statistic="Maximum",
        seconds=60,
        missing="ignore",
    )


def _of_a_function(part: str, function: str) -> Iterator[Alarm]:
    by_name = {"FunctionName": function}
    if part in CALLED_ALONE:
        yield Alarm(
            f"{part}-throttled",
            f"Calls of {function} were refused, because as many functions run as the account may have.",
            "AWS/Lambda",
            "Throttles",
            by_name,
            1,
            section="throttled",
        )
    if part == "api":
        return  # each of its errors is a 5xx
    alone = part in CALLED_ALONE
    yield Alarm(
        f"{part}-errors",
        f"Calls of {function} failed.",
        "AWS/Lambda",
        "Errors",
        by_name,
        1 if alone else STEP_ERRORS,
        seconds=300 if alone else STEP_SECONDS,
        section="function-errors",
    )
