"""The REST API in front of the API function: keys, throttling, and the four pages that need no key."""

from __future__ import annotations

from dataclasses import dataclass

from aws_cdk import aws_apigateway as apigateway
from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from andamio import names
from infra.constructs.api_errors import explain_errors
from infra.constructs.waivers import waive

# A browser cannot send a key in a header when a page is opened, and a load balancer's check has none.
PUBLIC_PAGES = ("ping", "openapi.json", "docs", "docs/{asset+}")

OPEN_METHODS = ("GET", "HEAD")
"""What needs no key on those pages."""


@dataclass(frozen=True, slots=True)
class Throttle:
    """Requests a second, and at once, of the API as a whole and of one key alike: a cost guard, no service level."""

    rate: int
    burst: int


@dataclass(frozen=True, slots=True)
class ApiLog:
    """Where API Gateway writes a line for each call, and what is in it."""

    destination: apigateway.IAccessLogDestination
    format: apigateway.AccessLogFormat


class Api(apigateway.RestApi):
    """All requests go to one function; every route needs an API key, except `PUBLIC_PAGES` and OPTIONS."""

    key: apigateway.IApiKey

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        system: str,
        handler: lambda_.IFunction,
        log: ApiLog | None,
        throttle: Throttle,
    ) -> None:
        name = names.resource(system, "api")
        super().__init__(
            scope,
            id,
            rest_api_name=name,
            description=f"Predictions of {names.stack(system)}",
            endpoint_types=[apigateway.EndpointType.REGIONAL],
            # Off: it would set the logging role of the whole account.
            cloud_watch_role=False,
            deploy_options=apigateway.StageOptions(
                stage_name=names.API_STAGE,
                throttling_rate_limit=throttle.rate,
                throttling_burst_limit=throttle.burst,
                access_log_destination=log.destination if log else None,
                access_log_format=log.format if log else None,
            ),
        )
        # One permission for the API, not one for each method.
        self._integration = apigateway.LambdaIntegration(handler, proxy=True, scope_permission_to_method=False)
        self._everything(self.root)
        self._everything(self.root.add_resource("{proxy+}"))
        for page in PUBLIC_PAGES:
            resource = self.root.resource_for_path(page)
            for method in OPEN_METHODS:
                self._add(resource, method, key_required=False)
            self._everything(resource)
        self.key = self._key_with_plan(name, throttle)
        explain_errors(self)
        # RestApi puts an output of its own into the stack; ours has a name that programs can rely on.
        self.node.try_remove_child("Endpoint")
        self._waive(logged=log is not None)

    def _everything(self, resource: apigateway.IResource) -> None:
        """Any method with a key, and OPTIONS without: a browser's preflight carries none."""
        self._add(resource, "ANY", key_required=True)
        self._add(resource, "OPTIONS", key_required=False)

    def _add(self, resource: apigateway.IResource, method: str, *, key_required: bool) -> None:
        resource.add_method(
            method,
            self._integration,
            api_key_required=key_required,
            authorization_type=apigateway.AuthorizationType.NONE,
        )

    def _key_with_plan(self, name: str, throttle: Throttle) -> apigateway.IApiKey:
        key = self.add_api_key("Key", api_key_name=name, description="Given to clients in the x-api-key header")
        plan = self.add_usage_plan(
            "Plan",
            name=name,
            throttle=apigateway.ThrottleSettings(rate_limit=throttle.rate, burst_limit=throttle.burst),
            api_stages=[apigateway.UsagePlanPerApiStage(api=self, stage=self.deployment_stage)],
        )
        plan.add_api_key(key)
        return key

    def _waive(self, *, logged: bool) -> None:
        if not logged:
            waive(self, {"APIG1": "An emulator feeds no access log, and an existing role need not trust Firehose."})
        waive(
            self,
            {
                "APIG2": "Requests are validated by the function against the problem's contract, which says which "
                "field is wrong and why; a second schema at the gateway could only disagree with it.",
                "APIG3": "A web ACL bills by the month and is an account's own choice; keys and throttling guard this.",
                "APIG4": "Clients are programs that hold an API key with a usage plan; "
                "the pages without one show no data and change nothing.",
                "APIG6": "Execution logs need a role set for the whole account; the function logs each prediction.",
                "COG4": "Clients are programs that hold an API key, not people with an account in a user pool.",
            },
        )
