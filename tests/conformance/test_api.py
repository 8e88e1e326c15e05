"""A REST API in front of a function: keys, throttling, what the function gets, and what the gateway answers itself."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import pytest
import requests

from tests.conformance.account import Account, eventually
from tests.conformance.verdicts import Missing, came

pytestmark = pytest.mark.needs("gateway")

STAGE = "v1"
FUNCTION = """
import json
SEEN = ("path", "resource", "httpMethod", "pathParameters", "queryStringParameters", "multiValueQueryStringParameters",
        "isBase64Encoded", "body")
def handler(event, context):
    what = event["path"].rsplit("/", 1)[-1]
    if what == "raise":
        raise ValueError("no")
    if what == "malformed":
        return "no"
    headers = {"access-control-allow-origin": "*", "content-type": "application/json", "x-own": "1"}
    if event["httpMethod"] == "OPTIONS":
        return {"statusCode": 204, "headers": {**headers, "access-control-allow-headers": "x-api-key"}, "body": ""}
    if what == "large":
        return {"statusCode": 200, "headers": headers, "body": str(len(event["body"]))}
    body = {key: event.get(key) for key in SEEN}
    body["headers"] = {key.lower(): value for key, value in (event.get("headers") or {}).items()}
    body["context"] = {key: event["requestContext"].get(key) for key in ("stage", "path", "requestId", "identity")}
    return {"statusCode": 200, "headers": headers, "body": json.dumps(body)}
"""
OWN_BODY = '{"title": "own", "instance": "$context.requestId"}'


@dataclass(frozen=True, slots=True)
class Api:
    """A stage of an API: everything needs a key but OPTIONS and GET of /open."""

    url: str
    key: str
    slow_key: str
    """A key of which one request a second may come."""

    def ask(self, method: str, path: str, *, key: str | None = "", **more: Any) -> requests.Response:
        headers = {"x-api-key": self.key if key == "" else key} if key is not None else {}
        return requests.request(method, self.url + path, headers=headers | more.pop("headers", {}), timeout=60, **more)


def api(account: Account) -> Api:
    """The API, made once."""
    return account.once("api", _api)


def _api(account: Account) -> Api:
    gateway, name = account.client("apigateway"), account.name()
    function = account.function(FUNCTION, Timeout=20)
    account.client("lambda").add_permission(
        FunctionName=function, StatementId="api", Action="lambda:InvokeFunction", Principal="apigateway.amazonaws.com"
    )
    region = account.target.region
    uri = f"arn:aws:apigateway:{region}:lambda:path/2015-03-31/functions/{account.arn(function)}/invocations"
    made = gateway.create_rest_api(name=name, endpointConfiguration={"types": ["REGIONAL"]})["id"]
    account.later(gateway.delete_rest_api, restApiId=made)
    root = gateway.get_resources(restApiId=made)["items"][0]["id"]
    rest = gateway.create_resource(restApiId=made, parentId=root, pathPart="{proxy+}")["id"]
    opened = gateway.create_resource(restApiId=made, parentId=root, pathPart="open")["id"]
    for resource, method, key in ((rest, "ANY", True), (rest, "OPTIONS", False), (opened, "GET", False)):
        where = {"restApiId": made, "resourceId": resource, "httpMethod": method}
        gateway.put_method(**where, authorizationType="NONE", apiKeyRequired=key)
        gateway.put_integration(**where, type="AWS_PROXY", integrationHttpMethod="POST", uri=uri)
    for kind, status in (("INVALID_API_KEY", "403"), ("THROTTLED", "429")):
        gateway.put_gateway_response(
            restApiId=made,
            responseType=kind,
            statusCode=status,
            responseParameters={"gatewayresponse.header.Access-Control-Allow-Origin": "'*'"},
            responseTemplates={"application/json": OWN_BODY},
        )
    gateway.create_deployment(restApiId=made, stageName=STAGE)
    keys = []
    for rate, burst in ((1000.0, 1000), (1.0, 1)):
        key = gateway.create_api_key(name=account.name(), enabled=True)
        account.later(gateway.delete_api_key, apiKey=key["id"])
        plan = gateway.create_usage_plan(
            name=account.name(),
            apiStages=[{"apiId": made, "stage": STAGE}],
            throttle={"rateLimit": rate, "burstLimit": burst},
        )["id"]
        account.later(gateway.delete_usage_plan, usagePlanId=plan)
        # AWS deletes neither a usage plan that has a stage nor a stage that is in one.
        stage_out = {"op": "remove", "path": "/apiStages", "value": f"{made}:{STAGE}"}
        account.later(gateway.update_usage_plan, usagePlanId=plan, patchOperations=[stage_out])
        gateway.create_usage_plan_key(usagePlanId=plan, keyId=key["id"], keyType="API_KEY")
        keys.append(key["value"])
    # A new key takes a moment.
    found = Api(account.target.api_url(made, STAGE), *keys)
    eventually(lambda: found.ask("GET", "/ready").status_code == 200, max(30.0, account.target.patience), pause=0.5)
    return found


def answer(account: Account, method: str, path: str, **more: Any) -> dict[str, Any]:
    """What the function saw of a request; raises `Missing` where the gateway does not answer 200."""
    reply = api(account).ask(method, path, **more)
    if reply.status_code != 200:
        raise Missing(f"answered {reply.status_code}")
    seen: dict[str, Any] = reply.json()
    return seen


def test_a_request_with_a_key(account):
    """A request with a key is answered by the function: its status, headers and body.

    Source: API Gateway Developer Guide, Lambda proxy integrations.
    """
    reply = api(account).ask("GET", "/a")
    came((reply.status_code, reply.headers.get("x-own"), reply.json()["httpMethod"]), (200, "1", "GET"))


def test_a_request_without_a_key(account):
    """A request without a key, or with one that is none, is refused with 403; a method that needs none is answered.

    Source: API Gateway Developer Guide, Usage plans and API keys.
    """
    said = [api(account).ask("GET", path, key=key).status_code for path, key in (("/a", None), ("/a", "x" * 30))]
    came([*said, api(account).ask("GET", "/open", key=None).status_code], [403, 403, 200])


def test_the_words_of_a_refusal(account):
    """A refusal of the gateway has the body and the headers that its gateway response says.

    Source: API Gateway Developer Guide, Gateway responses.

    Here: clients look at the status.
    """
    reply = api(account).ask("GET", "/a", key=None)
    came((reply.status_code, "own" if "own" in reply.text else reply.text), (403, "own"))
    came(reply.headers.get("access-control-allow-origin"), "*")


def test_too_many_requests(account):
    """Requests beyond the rate of a key's usage plan are refused with 429.

    Source: API Gateway Developer Guide, Throttle requests to your REST APIs.

    Here: it is a cost guard; `tests/infra/test_routes.py` holds the plan in the template.
    """
    it = api(account)
    said = [it.ask("GET", "/a", key=it.slow_key).status_code for _ in range(20)]
    came("some refused" if {200, 429} <= set(said) else str(set(said)), "some refused")


def test_the_stage_in_a_path(account):
    """The function gets the path without the stage, and in its context the stage and the path with it.

    Source: API Gateway Developer Guide, Lambda proxy integrations, input format.
    """
    seen = answer(account, "GET", "/predictions/7")
    came((seen["path"], seen["pathParameters"]), ("/predictions/7", {"proxy": "predictions/7"}))
    came(seen["context"]["stage"], STAGE)
    came(seen["context"]["path"], f"/{STAGE}/predictions/7")


def test_a_query(account):
    """Of a query parameter that comes twice the function gets both values, and one of them as the only one.

    Source: API Gateway Developer Guide, Lambda proxy integrations, input format.
    """
    seen = answer(account, "GET", "/a?x=1&x=2&y=%C3%B1")
    came(seen["multiValueQueryStringParameters"], {"x": ["1", "2"], "y": ["ñ"]})
    came(seen["queryStringParameters"] | {"x": "either"}, {"x": "either", "y": "ñ"})


def test_a_body(account):
    """A body of JSON arrives as text, not in Base64, where the API has no binary media types.

    Source: API Gateway Developer Guide, Content type conversions.
    """
    text = json.dumps({"name": "Peña"}, ensure_ascii=False)
    seen = answer(account, "POST", "/a", data=text.encode(), headers={"content-type": "application/json"})
    came((seen["isBase64Encoded"], seen["body"]), (False, text))


def test_a_caller(account):
    """The function gets the request's id, the id of its key, and the address of who calls.

    Source: API Gateway Developer Guide, $context variables.

    Here: the access log names the key, and no function reads it.
    """
    seen = answer(account, "GET", "/a")["context"]
    identity = seen["identity"] or {}
    came([it for it in ("sourceIp", "apiKeyId") if not identity.get(it)], [])
    came(bool(seen["requestId"]), True)


def test_a_preflight(account):
    """OPTIONS without a key reaches the function where its method needs none, and its headers come back.

    Source: API Gateway Developer Guide, Enabling CORS for a REST API resource.
    """
    asks = {"Origin": "https://example.org", "Access-Control-Request-Method": "POST"}
    reply = api(account).ask("OPTIONS", "/predict", key=None, headers=asks)
    said = reply.headers.get("access-control-allow-origin"), reply.headers.get("access-control-allow-headers")
    came((reply.status_code, *said), (204, "*", "x-api-key"))


def test_a_function_that_fails(account):
    """A function that raises is answered with 502 and no word of its error.

    Source: API Gateway Developer Guide, Handle Lambda errors.
    """
    reply = api(account).ask("GET", "/raise")
    came((reply.status_code, "ValueError" in reply.text), (502, False))


def test_a_reply_of_another_form(account):
    """A function that returns no reply is answered with 502.

    Source: API Gateway Developer Guide, Output format of a Lambda function for proxy integration.

    Here: `tests/unit/api` reads every reply as API Gateway does.
    """
    came(api(account).ask("GET", "/malformed").status_code, 502)


def test_a_body_below_four_megabytes(account):
    """A body of 4 MB reaches the function.

    Source: API Gateway Developer Guide, Quotas; Lambda Developer Guide, Quotas.
    """
    reply = api(account).ask("POST", "/large", data=b"x" * (4 << 20), headers={"content-type": "text/csv"})
    came((reply.status_code, reply.text), (200, str(4 << 20)))


def test_a_body_of_more_than_ten_megabytes(account):
    """A body of more than 10 MB is refused with 413.

    Source: API Gateway Developer Guide, Quotas.

    Here: the API answers 413 itself above 4 MB.
    """
    reply = api(account).ask("POST", "/large", data=b"x" * ((10 << 20) + 1), headers={"content-type": "text/csv"})
    came(reply.status_code, 413)


def test_a_path_named_health(account):
    """A path may be called /health.

    Source: API Gateway Developer Guide, Set up REST API methods.

    Here: it is /ping, since ministack answers /health of an API's own host name itself.
    """
    came(answer(account, "GET", "/health")["path"], "/health")
