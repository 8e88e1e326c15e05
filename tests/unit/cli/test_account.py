"""An account that does not answer: every command says what to do."""

from __future__ import annotations

import time

import pytest

from andamio.adapters.aws import Account
from andamio.errors import CommandError

NOBODY = "http://127.0.0.1:9"


def test_a_cloud_that_is_down_is_said_whether_a_call_is_made_at_once_or_page_by_page(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(time, "sleep", lambda seconds: None)  # botocore waits between its attempts
    account = Account(NOBODY, "us-east-1")
    with pytest.raises(CommandError, match=r"Nothing answers at .* andamio up"):
        account.stack_outputs("andamio-heart")
    with pytest.raises(CommandError, match=r"Nothing answers at .* andamio up"):
        list(account.log_lines("/aws/lambda/andamio-heart-api", 0))
    with pytest.raises(CommandError, match=r"Nothing answers at .* andamio up"):
        account.empty("lake")
