"""Client of the HTTP API."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import Any

import httpx

from andamio.contract.canonical import WrittenNumber, number_in_json
from andamio.errors import InputFileError, ServiceError, UsageError

_TIMEOUT_SECONDS = 60.0
_SERVER_ERROR = 500


def call(
    deployed: dict[str, Any], method: str, path: str, body: dict[str, Any] | list[Any] | None = None
) -> dict[str, Any]:
    """One request with the API key; raises `ServiceError` with the reply of the API when it is an error."""
    url = deployed["api_url"] + path
    headers = {"x-api-key": deployed["api_key"], "content-type": "application/json"}
    try:
        content = None if body is None else _json(body).encode()
    except ValueError:
        raise InputFileError(
            "NaN and Infinity are not JSON. For no value, leave the feature out or use null."
        ) from None
    except RecursionError:
        raise InputFileError("The record is nested too deeply: a feature has one value, no list of lists.") from None
    try:
        reply = httpx.request(method, url, content=content, headers=headers, timeout=_TIMEOUT_SECONDS)
    except httpx.HTTPError as error:
        hint = "Check the local cloud: andamio status" if deployed["emulator"] else "Check the stack in CloudFormation."
        raise ServiceError(f"{url} does not answer ({type(error).__name__}). {hint}") from None
    try:
        answer = reply.json()
    except ValueError:
        answer = {}
    if not isinstance(answer, dict):
        answer = {}
    if reply.is_error:
        raise ServiceError(_error_message(reply.status_code, answer, url))
    return answer


def _json(value: Any) -> str:
    """A value as strict JSON, every digit of its numbers kept; raises `ValueError` for NaN and infinity."""
    if isinstance(value, WrittenNumber):
        return value.text
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(key)}: {_json(each)}" for key, each in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_json, value)) + "]"
    return json.dumps(value, allow_nan=False)


def texts(deployed: dict[str, Any]) -> dict[str, str]:
    """The display text of each class of the champion; a regression has none."""
    classes: dict[str, str] = call(deployed, "GET", "/model").get("classes", {})
    return classes


def _error_message(status: int, content: dict[str, Any], url: str) -> str:
    lines = [f"{url} answered {status}: {content.get('detail') or content.get('message') or 'no reason was given'}"]
    lines += [f"  {item.get('field') or 'record'}: {item.get('reason')}" for item in content.get("errors", [])]
    if status >= _SERVER_ERROR:
        request = str(content.get("instance", "")).rsplit(":", 1)[-1]
        lines.append(f"  See: andamio logs api{f', request {request}' if request else ''}")
    return "\n".join(lines)


def curl(deployed: dict[str, Any], features: dict[str, Any]) -> str:
    """A curl command for the same prediction."""
    body = shlex.quote(json.dumps({"features": features}, ensure_ascii=False))
    url, key = shlex.quote(deployed["api_url"] + "/predict"), shlex.quote("x-api-key: " + deployed["api_key"])
    return f"curl -s {url} -H {key} -H 'content-type: application/json' -d {body}"


def records_from(file: Path | None, pairs: list[str], stdin: bytes | None) -> list[dict[str, Any]]:
    """Records, `{"features": {...}, "id"?}` each, from a JSON file, `name=value` pairs or standard input.

    Accepts one object of features, a list of them, and the API's own `{"features": {...}, "id": ...}` and
    `{"records": [...]}`; raises `CommandError` for anything else.
    """
    if pairs:
        return [{"features": dict(_pair(pair) for pair in pairs)}]
    body = stdin
    if file is not None:
        try:
            body = file.read_bytes()
        except OSError as error:
            raise InputFileError(f"{file} cannot be read: {error.strerror}") from None
    if not body or not body.strip():
        raise UsageError("No record is given. Use --file record.json, --set age=63 --set sex=1 ..., or JSON on stdin.")
    try:
        content = json.loads(body, parse_float=number_in_json)
    except UnicodeDecodeError:
        raise InputFileError(f"{file or 'Standard input'} is not UTF-8 text: save it as UTF-8.") from None
    except (ValueError, RecursionError) as error:
        raise InputFileError(f"{file or 'Standard input'} is not valid JSON: {error}") from None
    if isinstance(content, dict) and isinstance(content.get("records"), list):
        content = content["records"]
    records = content if isinstance(content, list) else [content]
    if not records or not all(isinstance(record, dict) for record in records):
        raise InputFileError('Expected an object of features, such as {"age": 63, "sex": 1}, or a list of them.')
    return [record if isinstance(record.get("features"), dict) else {"features": record} for record in records]


def _pair(pair: str) -> tuple[str, Any]:
    name, equals, value = pair.partition("=")
    if not equals:
        raise UsageError(f"--set {pair}: expected NAME=VALUE, such as --set age=63")
    try:
        return name, json.loads(value, parse_float=number_in_json)
    except ValueError:
        return name, value
