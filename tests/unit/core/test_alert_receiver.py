"""docs/receivers/alerts.py, the endpoint that docs/deploy.md offers: it takes what SNS signed, and nothing else."""

from __future__ import annotations

import base64
import json
import runpy
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.x509.oid import NameOID

from tests.support.releases import ROOT

RECEIVER = runpy.run_path(str(ROOT / "docs" / "receivers" / "alerts.py"))
receive, NotOfSns = RECEIVER["receive"], RECEIVER["NotOfSns"]
TOPIC = "arn:aws:sns:eu-west-1:123456789012:andamio-heart-alerts"
CERTIFICATE = "https://sns.eu-west-1.amazonaws.com/SimpleNotificationService-0123.pem"
KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
NOW = datetime(2026, 11, 27, tzinfo=UTC)


def certificate() -> bytes:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "sns.amazonaws.com")])
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(KEY.public_key())
        .serial_number(1)
        .not_valid_before(NOW)
        .not_valid_after(NOW + timedelta(days=1))
        .sign(KEY, SHA256())
    )
    return made.public_bytes(serialization.Encoding.PEM)


def signed(message: dict[str, str]) -> dict[str, str]:
    """As SNS's guide has it: the fields by their names, each as name, newline, value, newline."""
    left_out = {"Signature", "SignatureVersion", "SigningCertURL", "UnsubscribeURL"}
    text = "".join(f"{name}\n{message[name]}\n" for name in sorted(set(message) - left_out))
    signature = KEY.sign(text.encode(), padding.PKCS1v15(), SHA256())
    return {**message, "Signature": base64.b64encode(signature).decode()}


def notification(**other: str) -> dict[str, str]:
    return signed(
        {
            "Type": "Notification",
            "MessageId": "22b80b92",
            "TopicArn": TOPIC,
            "Subject": 'ALARM: "andamio-heart-alarm-drift" in EU (Ireland)',
            "Message": '{"AlarmName": "andamio-heart-alarm-drift"}',
            "Timestamp": "2026-11-27T09:00:00.000Z",
            "SignatureVersion": "2",
            "SigningCertURL": CERTIFICATE,
            "UnsubscribeURL": "https://sns.eu-west-1.amazonaws.com/?Action=Unsubscribe",
            **other,
        }
    )


class Internet:
    """What is fetched, and by whom nothing may be."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def __call__(self, address: str) -> bytes:
        self.asked.append(address)
        return certificate() if address == CERTIFICATE else b""


def received(message: Any) -> tuple[list[dict[str, str]], list[str]]:
    told: list[dict[str, str]] = []
    internet = Internet()
    receive(json.dumps(message).encode(), TOPIC, told.append, internet)
    return told, internet.asked


def test_what_sns_signed_is_told():
    message = notification()
    assert received(message) == ([message], [CERTIFICATE])
    without = notification()
    del without["Subject"]
    assert received(signed(without))[0]


def test_a_subscription_is_confirmed_and_not_told():
    address = "https://sns.eu-west-1.amazonaws.com/?Action=ConfirmSubscription&Token=1"
    message = notification(Type="SubscriptionConfirmation", SubscribeURL=address, Token="1")
    del message["Subject"]
    assert received(signed(message)) == ([], [CERTIFICATE, address])


@pytest.mark.parametrize("field", ["Message", "MessageId", "Subject", "Timestamp", "Signature"])
def test_a_field_that_was_changed_is_noticed(field):
    message = notification()
    with pytest.raises(NotOfSns):
        received({**message, field: "A" + message[field][1:-1] + "="})


@pytest.mark.parametrize(
    "message",
    [
        notification(TopicArn=TOPIC + "2"),
        notification(SignatureVersion="1"),
        notification(SigningCertURL="https://sns.eu-west-1.amazonaws.com.example.org/a.pem"),
        notification(SigningCertURL="http://sns.eu-west-1.amazonaws.com/a.pem"),
        notification(Type="Other"),
        {"Type": "Notification"},
        [],
        "text",
    ],
)
def test_what_is_not_sns_s_or_not_of_the_topic_is_refused_and_nothing_is_fetched(message):
    internet = Internet()
    with pytest.raises(NotOfSns):
        receive(json.dumps(message).encode(), TOPIC, pytest.fail, internet)
    assert not internet.asked


def test_a_confirmation_that_leads_elsewhere_is_not_followed():
    message = notification(Type="SubscriptionConfirmation", SubscribeURL="https://example.org/", Token="1")
    del message["Subject"]
    internet = Internet()
    with pytest.raises(NotOfSns):
        receive(json.dumps(signed(message)).encode(), TOPIC, pytest.fail, internet)
    assert internet.asked == [CERTIFICATE]
