from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from andamio.contract import Contract
from tests.support.api import Api, event
from tests.support.releases import heart, serve

PATIENT = json.loads(event("api-predict")["body"])["features"]
"""What the course's example sends."""

LOANS = """
[problem]
name = "loans"
title = "Loans"
description = "What becomes of a loan?"
target = "outcome"
labels = { paid = "Paid back", late = "Paid late", lost = "Never paid" }
time = "asked_at"

[features.amount]
type = "number"
min = 0

[features.purpose]
type = "category"

[features.home]
type = "category"
values = ["own", "rent"]
unknown = "other"
required = false

[features.employed]
type = "boolean"
required = false

[features.score]
type = "number"
min = 300
max = 850
required = false
on_invalid = "missing"

[features.weight]
type = "number"
required = false

[features.name]
type = "category"
private = true
required = false

[features.born_on]
type = "date"
private = true
required = false

[features.collected]
type = "number"
available_at_prediction = false
required = false
"""
"""Three classes, every type of feature, private and later-known ones: what heart has not."""

LOAN = {"amount": 1500.5, "purpose": "car", "home": "own", "employed": True, "score": 700, "born_on": "1990-05-17"}


def loans() -> Contract:
    sealed = Contract.from_toml(LOANS).seal({"purpose": ["car", "study"], "name": ["Ada"]})
    return Contract.from_json(sealed.to_json())


@pytest.fixture
def api() -> Api:
    """The heart problem with a champion."""
    api = Api()
    serve(api.objects, heart())
    return api


@pytest.fixture
def loans_api() -> Api:
    """The loans problem with a champion."""
    api = Api(problem="loans")
    serve(api.objects, loans())
    return api


@pytest.fixture
def lines(capsys: pytest.CaptureFixture[str]) -> Callable[[str], list[dict[str, Any]]]:
    """The log lines of one event, so far; each is read once."""

    def read(name: str) -> list[dict[str, Any]]:
        found = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
        return [line for line in found if line["event"] == name]

    return read
