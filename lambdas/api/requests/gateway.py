"""API Gateway's proxy event (REST API, payload 1.0) as an ASGI request.

Mangum's own reading, made to never fail on what a client may send, and to know the route whatever
stands before it: a stage, or the base path of a custom domain.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote, urlencode

from mangum.handlers.api_gateway import APIGateway
from mangum.types import LambdaConfig, LambdaContext, LambdaEvent, Scope


class RestApi(APIGateway):
    """A request of a REST API."""

    @classmethod
    def infer(cls, event: LambdaEvent, context: LambdaContext, config: LambdaConfig) -> bool:
        """Whether an event is one."""
        return "httpMethod" in event and "requestContext" in event

    @property
    def body(self) -> bytes:
        """The body's bytes; a body that is marked as base64 and is not is used unchanged."""
        body = self.event.get("body") or b""
        if self.event.get("isBase64Encoded"):
            try:
                return base64.b64decode(body)
            except (binascii.Error, ValueError):
                pass
        return body.encode("utf-8", "surrogatepass") if isinstance(body, str) else bytes(body)

    @property
    def scope(self) -> Scope:
        """The ASGI scope; no route reads the server's name or the client's address."""
        event = self.event
        headers = {name.lower(): value for name, value in (event.get("headers") or {}).items()}
        for name, values in (event.get("multiValueHeaders") or {}).items():
            headers[name.lower()] = ", ".join(values)
        return {
            "type": "http",
            "http_version": "1.1",
            "method": event["httpMethod"],
            "headers": [[name.encode(), value.encode("utf-8", "replace")] for name, value in headers.items()],
            "path": route_path(event),
            "raw_path": None,
            "root_path": "",
            "scheme": "https",
            "query_string": query_string(event),
            "server": ("api", 443),
            "client": None,
            "asgi": {"version": "3.0", "spec_version": "2.0"},
            "aws.event": event,
            "aws.context": self.context,
        }


def address(scope: Scope) -> str:
    """The API's address as the client of a request wrote it, without a slash at the end.

    API Gateway names its domain, and the path before the route is a stage or the base path of a custom domain. The
    emulators name none: all their APIs are under one host, each below a path that has its id, by plain HTTP whatever
    the header says.
    """
    headers = {name.decode().lower(): value.decode() for name, value in scope["headers"]}
    event = scope.get("aws.event") or {"path": scope["path"]}
    context: Mapping[str, Any] = event.get("requestContext") or {}
    host = str(context.get("domainName") or headers.get("host", "localhost"))
    api = context.get("apiId")
    if api and "domainName" not in context and not host.startswith(f"{api}."):
        return f"http://{host}/restapis/{api}/{context['stage']}/_user_request_"
    root = f"{headers.get('x-forwarded-proto', 'http')}://{host}"
    whole = str(context.get("path") or event["path"]).rstrip("/")
    return root + whole.removesuffix(route_path(event).rstrip("/"))


def query_string(event: Mapping[str, Any]) -> bytes:
    """The query as it travels; the gateway hands over its parts decoded, each name with one value or with all."""
    one, all_of_them = event.get("queryStringParameters"), event.get("multiValueQueryStringParameters")
    parameters = {**(one or {}), **(all_of_them or {})}
    return urlencode(parameters, doseq=True, errors="replace").encode()


def route_path(event: Mapping[str, Any]) -> str:
    """The path below the API's root: `/predict`, whatever `path` has before it.

    `resource` with its parameters filled in is that path; `path` may begin with a custom domain's base
    path. A slash at the end is kept for `/docs/` only, whose relative links would lead astray.
    """
    path = unquote(event.get("path") or "/")
    resource = str(event.get("resource") or "")
    for name, value in (event.get("pathParameters") or {}).items():
        resource = resource.replace(f"{{{name}+}}", value).replace(f"{{{name}}}", value)
    bare = path.rstrip("/") or "/"
    if resource and "{" not in resource and bare.endswith(resource):
        bare = resource.rstrip("/") or "/"
    return "/docs/" if bare == "/docs" and path.endswith("/") else bare
