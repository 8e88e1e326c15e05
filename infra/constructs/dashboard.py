"""The dashboard of a system in CloudWatch: its alarms, and the figures that they stand on, under the same names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from aws_cdk import Stack
from aws_cdk import aws_cloudwatch as cloudwatch
from constructs import Construct

from andamio import names
from infra.constructs.alarms import Alarms, Measured

HALF, WHOLE, HEIGHT = 12, 24, 6
"""Columns of a graph and of the list of alarms, and rows of each."""
MINUTES, HOUR = 300, 3600
"""Seconds of a point: of what requests make, and of what the watch puts."""

Line = tuple[str, str, Mapping[str, str], str, str]
"""Namespace, metric, dimensions, statistic, label."""


class Dashboard(Construct):
    """`andamio-NAME` in CloudWatch. machines is part -> ARN of the state machine."""

    def __init__(
        self, scope: Construct, id: str, *, system: str, alarms: Alarms, measured: Measured, machines: Mapping[str, str]
    ) -> None:
        super().__init__(scope, id)
        self._region = Stack.of(self).region
        api = {"ApiName": measured.api, "Stage": names.API_STAGE}
        watch = {names.SYSTEM_DIMENSION: system}
        functions = measured.functions.items()

        def gateway(metric: str, statistic: str, label: str) -> Line:
            return ("AWS/ApiGateway", metric, api, statistic, label)

        def put(metric: str) -> Line:
            return (names.METRICS, metric, watch, "Maximum", metric)

        def of_functions(metric: str) -> list[Line]:
            return [("AWS/Lambda", metric, {"FunctionName": function}, "Sum", part) for part, function in functions]

        def of_machines(metric: str) -> list[Line]:
            return [
                (
                    "AWS/States",
                    metric,
                    {"StateMachineArn": arn},
                    "Sum",
                    f"{part}, {metric[len('Executions') :].lower()}",
                )
                for part, arn in machines.items()
            ]

        graphs = [
            self._graph(
                "Requests and errors",
                [
                    gateway("Count", "Sum", "requests"),
                    gateway("4XXError", "Sum", "4xx"),
                    gateway("5XXError", "Sum", "5xx"),
                ],
            ),
            self._graph(
                "Latency in ms (p50, p99)",
                [gateway("Latency", "p50", "p50"), gateway("Latency", "p99", "p99")],
            ),
            self._graph("Drift", [put("DriftedFeatures"), put("DriftPersistent")], seconds=HOUR),
            self._graph("Performance", [put("PerformanceWorse"), put("LabelCoverageUneven")], seconds=HOUR),
            self._graph("Refused records", [put("RejectRate"), put("RejectAlarm")], seconds=HOUR),
            self._graph(
                "Capture and feedback",
                [put("RowsCompared"), put("OrphanFeedback"), put("CaptureLagSeconds")],
                seconds=HOUR,
            ),
            self._graph(
                "Executions",
                [line for end in ("Succeeded", "Failed", "TimedOut") for line in of_machines(f"Executions{end}")],
                seconds=HOUR,
            ),
            self._graph("Errors of functions", of_functions("Errors")),
            self._graph("Calls of functions that were refused", of_functions("Throttles")),
            self._graph(
                "Dead letters",
                [
                    (
                        "AWS/SQS",
                        "ApproximateNumberOfMessagesVisible",
                        {"QueueName": queue},
                        "Maximum",
                        queue.removeprefix(names.resource(system, "")),
                    )
                    for queue in measured.queues
                ],
            ),
        ]
        status = {
            "type": "alarm",
            "width": WHOLE,
            "height": HEIGHT,
            "properties": {"title": f"Alarms of {names.stack(system)}", "alarms": list(alarms.arns)},
        }
        cloudwatch.CfnDashboard(
            self,
            "Dashboard",
            dashboard_name=names.stack(system),
            dashboard_body=Stack.of(self).to_json_string({"widgets": [status, *graphs]}),
        )

    def _graph(self, title: str, lines: Sequence[Line], *, seconds: int = MINUTES) -> dict[str, Any]:
        return {
            "type": "metric",
            "width": HALF,
            "height": HEIGHT,
            "properties": {
                "title": title,
                "region": self._region,
                "view": "timeSeries",
                "period": seconds,
                "metrics": [
                    [
                        namespace,
                        metric,
                        *(word for pair in dimensions.items() for word in pair),
                        {"stat": statistic, "label": label},
                    ]
                    for namespace, metric, dimensions, statistic, label in lines
                ],
            },
        }
