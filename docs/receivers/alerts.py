"""An endpoint for `-c alert_webhook=`: checks that a message is SNS's and of your topic, and confirms the subscription.

    pip install cryptography
    ALERTS_TOPIC=arn:aws:sns:eu-west-1:123456789012:andamio-heart-alerts python alerts.py

It listens on 127.0.0.1:8080; put it behind whatever ends TLS for you. Replace `tell` with what should happen.
"""

from __future__ import annotations

import base64
import json
import os
import re
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, HTTPServer
from urllib.request import urlopen

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA256

Message = dict[str, str]
Fetch = Callable[[str], bytes]

SIGNED = {
    "Notification": ("Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type"),
    "SubscriptionConfirmation": ("Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"),
}
"""What SNS signs of each type of message, in this order; `Subject` only where there is one."""

OF_SNS = re.compile(r"https://sns\.[a-z0-9-]+\.amazonaws\.com(\.cn)?/")
"""Addresses that are SNS's own: anyone may write another one into a message."""
LARGEST = 512 * 1024


class NotOfSns(Exception):
    """The message is not SNS's, or not of the topic."""


def fetch(address: str) -> bytes:
    """What is at an address of SNS's."""
    if not OF_SNS.match(address):
        raise NotOfSns(f"{address} is not an address of SNS")
    with urlopen(address, timeout=10) as reply:  # noqa: S310 - https, by the pattern
        return bytes(reply.read())


def receive(body: bytes, topic: str, tell: Callable[[Message], None], get: Fetch = fetch) -> None:
    """Tell of a notification, or confirm a subscription; raises `NotOfSns`."""
    message = verified(body, topic, get)
    if message["Type"] == "SubscriptionConfirmation":
        if not OF_SNS.match(message["SubscribeURL"]):
            raise NotOfSns("SubscribeURL is not an address of SNS")
        get(message["SubscribeURL"])
    else:
        tell(message)


def verified(body: bytes, topic: str, get: Fetch = fetch) -> Message:
    """A message whose signature holds; raises `NotOfSns`."""
    try:
        message: Message = json.loads(body)
        fields = SIGNED[message["Type"]]
        if message["TopicArn"] != topic or message["SignatureVersion"] != "2":
            raise NotOfSns("another topic or another version of signatures")
        if not OF_SNS.match(message["SigningCertURL"]):
            raise NotOfSns("SigningCertURL is not an address of SNS")
        text = "".join(f"{name}\n{message[name]}\n" for name in fields if name in message)
        key = x509.load_pem_x509_certificate(get(message["SigningCertURL"])).public_key()
        signature = base64.b64decode(message["Signature"], validate=True)
    except (ValueError, KeyError, TypeError) as error:
        raise NotOfSns("not a signed message of SNS") from error
    if not isinstance(key, RSAPublicKey):
        raise NotOfSns("the certificate has another kind of key")
    try:
        key.verify(signature, text.encode(), PKCS1v15(), SHA256())
    except InvalidSignature:
        raise NotOfSns("the signature is not that of the message") from None
    return message


def tell(message: Message) -> None:
    """What should happen: an alarm's `Message` is JSON with `AlarmName`, an execution's is its event."""
    print(message.get("Subject", "An execution did not end well"), message["Message"])


class Receiver(BaseHTTPRequestHandler):
    """Takes SNS's POSTs: 200 when done, 403 for anything that is not SNS's."""

    def do_POST(self) -> None:
        """One message."""
        length = int(self.headers.get("Content-Length", 0))
        try:
            if length > LARGEST:
                raise NotOfSns("larger than any message of SNS")
            receive(self.rfile.read(length), os.environ["ALERTS_TOPIC"], tell)
        except NotOfSns as error:
            self.send_error(403, str(error))
        else:
            self.send_response(200)
            self.end_headers()


if __name__ == "__main__":
    HTTPServer(("127.0.0.1", 8080), Receiver).serve_forever()
