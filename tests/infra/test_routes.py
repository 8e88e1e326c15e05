"""What of the API is open."""

from __future__ import annotations

import json

import pytest

from andamio.errors import PROBLEM_TYPES, URN
from lambdas.api.replies import problems, reply

PUBLIC = {"/ping", "/docs", "/docs/{asset+}", "/openapi.json"}


def routes(deployment) -> dict[tuple[str, str], dict]:
    """(method, path) -> the method's properties."""
    resources = deployment.of_type("AWS::ApiGateway::Resource")

    def path(reference) -> str:
        if "Ref" not in reference:
            return ""
        parent = resources[reference["Ref"]]
        return f"{path(parent['ParentId'])}/{parent['PathPart']}"

    return {
        (method["HttpMethod"], path(method["ResourceId"]) or "/"): method
        for method in deployment.of_type("AWS::ApiGateway::Method").values()
    }


def test_without_a_key_there_are_four_pages_to_read_and_preflights(deployment):
    keyless = {route for route, method in routes(deployment).items() if not method["ApiKeyRequired"]}
    everywhere = PUBLIC | {"/", "/{proxy+}"}
    assert keyless == {(method, path) for method in ("GET", "HEAD") for path in PUBLIC} | {
        ("OPTIONS", path) for path in everywhere
    }


def test_everything_else_needs_a_key(deployment):
    keyed = {route for route, method in routes(deployment).items() if method["ApiKeyRequired"]}
    assert keyed == {("ANY", path) for path in PUBLIC | {"/", "/{proxy+}"}}


def test_everything_goes_to_the_function_as_it_came(deployment):
    uris = set()
    for method in routes(deployment).values():
        assert method["Integration"]["Type"] == "AWS_PROXY"
        uris.add(str(method["Integration"]["Uri"]))
    assert len(uris) == 1


def test_binary_media_types_are_left_alone(deployment):
    (api,) = deployment.of_type("AWS::ApiGateway::RestApi").values()
    assert "BinaryMediaTypes" not in api
    assert api["EndpointConfiguration"] == {"Types": ["REGIONAL"]}


def test_the_key_has_a_plan_that_throttles_and_no_quota(deployment):
    (plan,) = deployment.of_type("AWS::ApiGateway::UsagePlan").values()
    assert plan["Throttle"]["RateLimit"] > 0
    assert plan["Throttle"]["BurstLimit"] > 0
    assert "Quota" not in plan
    (link,) = deployment.of_type("AWS::ApiGateway::UsagePlanKey").values()
    (key,) = deployment.of_type("AWS::ApiGateway::ApiKey")
    assert link["KeyId"] == {"Ref": key}


def test_pages_without_a_key_are_throttled_too(deployment):
    (stage,) = deployment.of_type("AWS::ApiGateway::Stage").values()
    assert stage["StageName"] == "v1"
    (every,) = stage["MethodSettings"]
    assert (every["HttpMethod"], every["ResourcePath"]) == ("*", "/*")
    assert every["ThrottlingRateLimit"] > 0


@pytest.mark.parametrize("secret", ["x-api-key", '$context.identity.apiKey"'])
def test_the_access_log_says_who_called_and_never_the_key(aws, secret):
    (stage,) = aws.of_type("AWS::ApiGateway::Stage").values()
    (stream,) = aws.of_type("AWS::KinesisFirehose::DeliveryStream")
    assert stage["AccessLogSetting"]["DestinationArn"] == {"Fn::GetAtt": [stream, "Arn"]}
    assert "$context.identity.apiKeyId" in stage["AccessLogSetting"]["Format"]
    assert secret not in stage["AccessLogSetting"]["Format"]


def test_every_line_of_the_access_log_ends(aws):
    """API Gateway and Firehose put nothing between records: without an end, an object is one unreadable line."""
    (stage,) = aws.of_type("AWS::ApiGateway::Stage").values()
    line = stage["AccessLogSetting"]["Format"]
    assert line.endswith("}\n")
    assert line.count("\n") == 1
    assert json.loads(line)["status"] == "$context.status"


def test_what_the_gateway_answers_itself_is_problem_details_that_a_browser_may_read(deployment):
    answers = {item["ResponseType"]: item for item in deployment.of_type("AWS::ApiGateway::GatewayResponse").values()}
    assert {"DEFAULT_4XX", "DEFAULT_5XX", "INVALID_API_KEY", "MISSING_AUTHENTICATION_TOKEN", "THROTTLED"} <= set(
        answers
    )
    always = dict(reply._ALWAYS)
    for kind, answer in answers.items():
        headers = {
            name.removeprefix("gatewayresponse.header."): value for name, value in answer["ResponseParameters"].items()
        }
        assert headers["Content-Type"] == f"'{problems.MEDIA_TYPE}'"
        assert headers["Access-Control-Allow-Origin"] == f"'{always[b'access-control-allow-origin'].decode()}'"
        assert all(value.strip("'").isascii() and "'" not in value[1:-1] for value in headers.values())
        body = json.loads(answer["ResponseTemplates"]["application/json"])
        assert list(answer["ResponseTemplates"]) == ["application/json"], "what API Gateway picks, whatever is accepted"
        assert set(body) - {"status"} == {"type", "title", "detail", "instance"}
        assert body["type"].startswith(URN)
        assert body["title"] == PROBLEM_TYPES[body["type"].removeprefix(URN)].title, "one title for each type"
        assert body["instance"] == problems.internal("$context.requestId")["instance"]
        assert answer.get("StatusCode") == (str(body["status"]) if "status" in body else None), kind
    statuses = {kind: answer.get("StatusCode") for kind, answer in answers.items()}
    assert (statuses["INVALID_API_KEY"], statuses["THROTTLED"]) == ("403", "429")
    assert statuses["DEFAULT_4XX"] is statuses["DEFAULT_5XX"] is None, "each keeps its own"


def test_the_gateways_answers_are_part_of_what_is_deployed(deployment):
    """A gateway's answers take effect with a deployment, so it is made after them, and anew when they change."""
    answers = set(deployment.of_type("AWS::ApiGateway::GatewayResponse"))
    (made,) = [item for item in deployment.resources.values() if item["Type"] == "AWS::ApiGateway::Deployment"]
    assert answers <= set(made["DependsOn"])
