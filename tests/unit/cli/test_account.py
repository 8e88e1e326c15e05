"""An account that does not answer: every command says what to do."""

from __future__ import annotations

import time
from types import SimpleNamespace
from unittest.mock import Mock

import botocore.exceptions
import pytest
from botocore.httpsession import URLLib3Session

from andamio.adapters import aws
from andamio.adapters.aws import Account, NoAnswer
from andamio.errors import AwsError

NOBODY = "http://127.0.0.1:9"


def test_a_cloud_that_is_down_is_said_whether_a_call_is_made_at_once_or_page_by_page(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(time, "sleep", lambda seconds: None)  # botocore waits between its attempts
    account = Account(NOBODY, "us-east-1")
    with pytest.raises(NoAnswer, match=r"Nothing answers at .* andamio up"):
        account.stack_outputs("andamio-heart")
    with pytest.raises(NoAnswer, match=r"Nothing answers at .* andamio up"):
        list(account.log_lines("/aws/lambda/andamio-heart-api", 0))
    with pytest.raises(NoAnswer, match=r"Nothing answers at .* andamio up"):
        account.empty("lake")


@pytest.mark.parametrize("seen", ["closed", "silent"])
def test_a_cloud_that_dies_under_a_call_does_not_answer(seen: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "sleep", lambda seconds: None)
    fault = {
        "closed": botocore.exceptions.ConnectionClosedError(endpoint_url=NOBODY),
        "silent": botocore.exceptions.ReadTimeoutError(endpoint_url=NOBODY),
    }[seen]
    monkeypatch.setattr(URLLib3Session, "send", Mock(side_effect=fault))
    with pytest.raises(NoAnswer, match=f"{NOBODY} does not answer: "):
        Account(NOBODY, "us-east-1").stack_outputs("andamio-heart")


def test_a_call_that_cannot_be_made_is_another_error() -> None:
    with pytest.raises(AwsError) as raised:
        Account(NOBODY, "us-east-1").guarded("stepfunctions").describe_execution(executionArn=1)
    assert not isinstance(raised.value, NoAnswer)


def test_a_function_that_does_not_answer_in_time_is_called_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "sleep", lambda seconds: None)
    send = Mock(side_effect=botocore.exceptions.ReadTimeoutError(endpoint_url=NOBODY))
    monkeypatch.setattr(URLLib3Session, "send", send)
    with pytest.raises(NoAnswer):
        Account(NOBODY, "us-east-1").invoke("registry", {}, seconds=180)
    assert send.call_count == 1


def test_a_log_goes_on_where_the_emulator_ends_a_full_page(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(aws, "FULL_PAGE", 4)
    log = [{"timestamp": moment, "message": f"{number}\n"} for number, moment in enumerate([1, 2, 2, 3, 3, 3, 4, 5, 5])]

    def pages(operation: str, *, logGroupName: str, startTime: int) -> list[dict[str, object]]:  # noqa: N803
        return [{"events": [event for event in log if event["timestamp"] >= startTime][:4]}]

    account = Account(NOBODY, "us-east-1")
    monkeypatch.setattr(account, "guarded", lambda service: SimpleNamespace(pages=pages))
    assert [line for _, line in account.log_lines("group", 1)] == [str(number) for number in range(9)]
