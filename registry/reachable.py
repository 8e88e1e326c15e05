"""Whether the MLflow server answers: checked before it is needed, since its client retries without a message."""

from __future__ import annotations

import http.client
import json
import time
from collections.abc import Callable
from urllib.parse import urlsplit

from andamio.errors import TrainingError

WAIT_SECONDS = 90.0
"""How long a server that does not answer is waited for: it may be starting."""
_LOOK_SECONDS = 5.0
_ANSWER_SECONDS = 5.0


def wait(
    uri: str,
    *,
    seconds: float = WAIT_SECONDS,
    sleep: Callable[[float], None] = time.sleep,
    clock: Callable[[], float] = time.monotonic,
) -> None:
    """Wait until the server of a tracking URI answers, with a line of log a look; raises `TrainingError` at the end.

    A URI that is no address (a database in a file, an ARN) is not looked at.
    """
    begun = clock()
    while not answers(uri):
        waited = clock() - begun
        if waited >= seconds:
            raise TrainingError(down(uri, waited))
        print(json.dumps({"event": "mlflow", "message": f"MLflow does not answer at {uri}: waiting."}), flush=True)
        sleep(_LOOK_SECONDS)


def answers(uri: str) -> bool:
    """Whether something speaks HTTP at an address, whatever it says; True for a URI that is no address."""
    address = urlsplit(uri)
    if address.scheme not in ("http", "https") or address.hostname is None:
        return True
    kind = http.client.HTTPSConnection if address.scheme == "https" else http.client.HTTPConnection
    connection = kind(address.hostname, address.port, timeout=_ANSWER_SECONDS)
    try:
        connection.request("GET", f"{address.path.rstrip('/')}/health")
        connection.getresponse()
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
    return True


def down(uri: str, waited: float = 0.0) -> str:
    """The message for a server that does not answer."""
    since = f" for {waited:.0f} s" if waited else ""
    return (
        f"MLflow does not answer at {uri}{since}. What was trained is kept, and what serves goes on serving. Start it "
        "(locally: andamio up), then start training again: it goes on at this step."
    )
