"""Asking the served model, over HTTP, as any client does."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import Any

import httpx

from andamio.errors import CommandError

_TIMEOUT_SECONDS = 60.0


def call(deployed: dict[str, Any], method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
    """One request with the API key; raises `CommandError` with what the service said when it refuses."""
    url = deployed["api_url"] + path
    try:
        reply = httpx.request(
            method, url, json=body, headers={"x-api-key": deployed["api_key"]}, timeout=_TIMEOUT_SECONDS
        )
    except httpx.HTTPError as error:
        hint = "Is the local cloud up? andamio status" if deployed["emulator"] else "Is the stack still there?"
        raise CommandError(f"{url} does not answer ({type(error).__name__}). {hint}") from None
    try:
        content = reply.json()
    except ValueError:
        content = {}
    if reply.is_error:
        raise CommandError(_said(reply.status_code, content, url))
    return content if isinstance(content, dict) else {}


def _said(status: int, content: dict[str, Any], url: str) -> str:
    lines = [f"{url} answered {status}: {content.get('detail') or content.get('message') or 'no reason given'}"]
    lines += [f"  {item.get('field') or 'record'}: {item.get('reason')}" for item in content.get("errors", [])]
    return "\n".join(lines)


def curl(deployed: dict[str, Any], features: dict[str, Any]) -> str:
    """The same prediction as a line to paste into a shell."""
    body = shlex.quote(json.dumps({"features": features}))
    url, key = shlex.quote(deployed["api_url"] + "/predict"), shlex.quote("x-api-key: " + deployed["api_key"])
    return f"curl -s {url} -H {key} -H 'content-type: application/json' -d {body}"


def features_from(file: Path | None, pairs: list[str], stdin: str | None) -> list[dict[str, Any]]:
    """Records from a JSON file, `name=value` pairs or standard input; raises `CommandError` when they are not that.

    Accepts one object of features, a list of them, or the API's own `{"features": {...}}`.
    """
    if pairs:
        return [dict(_pair(pair) for pair in pairs)]
    text = stdin
    if file is not None:
        try:
            text = file.read_text()
        except OSError as error:
            raise CommandError(f"{file} cannot be read: {error.strerror}") from None
    if not text or not text.strip():
        raise CommandError(
            "Nothing to predict. Give --file record.json, --set age=63 --set sex=1 ..., or JSON on stdin."
        )
    try:
        content = json.loads(text)
    except ValueError as error:
        raise CommandError(f"Not valid JSON: {error}") from None
    records = content if isinstance(content, list) else [content]
    unwrapped = [record.get("features", record) if isinstance(record, dict) else record for record in records]
    if not all(isinstance(record, dict) for record in unwrapped):
        raise CommandError('Expected an object of features, such as {"age": 63, "sex": 1}, or a list of them.')
    return unwrapped


def _pair(pair: str) -> tuple[str, Any]:
    name, equals, value = pair.partition("=")
    if not equals:
        raise CommandError(f"--set {pair}: expected NAME=VALUE, such as --set age=63")
    try:
        return name, json.loads(value)
    except ValueError:
        return name, value
