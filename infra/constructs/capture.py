"""Capture: what the API logs of each prediction, to the function that keeps it."""

from __future__ import annotations

from aws_cdk import Stack
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from constructs import Construct

from andamio import names
from infra.constructs.function import BundledFunction

PATTERN = f'"{names.NAMESPACE}."'
"""Lines of ours, of which the function takes those it keeps.

Emulators know no pattern but a phrase, and a log group has room for two subscriptions: one of them stays free.
"""

LOGS = "logs.amazonaws.com"


class Capture(Construct):
    """The subscription of a function to the log of another one, and leave for CloudWatch Logs to call it."""

    def __init__(
        self, scope: Construct, id: str, *, system: str, source: BundledFunction, function: BundledFunction
    ) -> None:
        super().__init__(scope, id)
        permission = lambda_.CfnPermission(
            self,
            "Leave",
            action="lambda:InvokeFunction",
            function_name=function.function_arn,
            principal=LOGS,
            source_arn=source.lines.log_group_arn,
            source_account=Stack.of(self).account,
        )
        subscription = logs.CfnSubscriptionFilter(
            self,
            "Subscription",
            filter_name=names.resource(system, "capture"),
            log_group_name=source.lines.log_group_name,
            filter_pattern=PATTERN,
            destination_arn=function.function_arn,
        )
        # CloudWatch Logs calls the function to see that it may.
        subscription.add_resource_dependency(permission)
