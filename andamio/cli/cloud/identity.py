"""Identity check of the local cloud, made before a command changes anything on it.

After a stop, another local cloud or another web server may listen on the same port, and account and
ARNs are equal in all local clouds. So each local cloud has an id: `cloud.json` and the outputs hold
it, and the emulator returns it.
"""

from __future__ import annotations

import http.client
import json
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from andamio.cli.cloud import outputs
from andamio.cli.cloud.addresses import follow
from andamio.cli.home import cloud, home
from andamio.errors import LocalCloudError

PATH = "/_andamio/cloud"
_SECONDS = 5.0
_ANSWER_BYTES = 1 << 16


@dataclass(frozen=True, slots=True)
class Answer:
    """The reply at an address: a local cloud by id and home, else a `description` of the reply."""

    cloud: str | None = None
    home: str | None = None
    description: str = ""
    is_late: bool = False
    """Whether a connection was accepted and no reply came in time: a busy local cloud, or one that hangs, or another
    server."""

    @property
    def is_silent(self) -> bool:
        """Whether nothing answers."""
        return self.cloud is None and not self.description and not self.is_late


def ask(endpoint_url: str) -> Answer:
    """Request the identity at an address of this machine, without a proxy."""
    where = urlsplit(endpoint_url)
    connection = http.client.HTTPConnection(where.hostname or "", where.port, timeout=_SECONDS)
    try:
        connection.request("GET", PATH)
        reply = connection.getresponse()
        body = reply.read(_ANSWER_BYTES)
    except ConnectionError:
        return Answer()
    except TimeoutError:
        return Answer(is_late=True)
    except (OSError, http.client.HTTPException) as error:
        return Answer(description=f"not HTTP: {type(error).__name__}")
    finally:
        connection.close()
    try:
        answer = json.loads(body)
        return Answer(str(answer["cloud"]), str(answer["home"]))
    except (ValueError, KeyError, TypeError):
        server = reply.getheader("server")
        return Answer(description=f"HTTP {reply.status}" + (f" of {server[:60]}" if server else ""))


def require(recorded: dict[str, Any]) -> None:
    """Raise `LocalCloudError` unless the local cloud of this home answers at the address in `cloud.json`."""
    if not recorded.get("endpoint_url"):
        raise LocalCloudError(f"The local cloud of {home()} is not running. Start it: andamio up")
    _require(recorded["endpoint_url"], recorded.get("cloud"))


def require_deployed(deployed: dict[str, Any]) -> None:
    """Raise `LocalCloudError` unless the local cloud of a deployed system answers."""
    recorded = cloud() or {}
    running = recorded.get("cloud")
    if running is not None and running != deployed.get("cloud"):
        raise LocalCloudError(
            f"{deployed['system']} was deployed to another local cloud (id {deployed.get('cloud')}) than the one of "
            f"{home()} (id {running}). Nothing was changed. Deploy it here: andamio deploy"
        )
    _require(recorded.get("endpoint_url") or deployed["endpoint_url"], deployed.get("cloud"))


def with_current_addresses(deployed: dict[str, Any]) -> dict[str, Any]:
    """A deployed system with current addresses; raises `LocalCloudError` unless its local cloud answers."""
    if not deployed["emulator"]:
        return deployed
    require_deployed(deployed)
    recorded = cloud()
    if recorded is None:
        return deployed
    follow(recorded)
    return outputs.read(outputs.LOCAL, deployed["system"]) or deployed


def _require(endpoint_url: str, cloud_id: str | None) -> None:
    found = ask(endpoint_url)
    if found.cloud is not None and found.cloud == cloud_id:
        return
    expected_cloud = f"the local cloud of {home()}" + (f" (id {cloud_id})" if cloud_id else "")
    if found.is_silent:
        raise LocalCloudError(
            f"Nothing answers at {endpoint_url}. Expected {expected_cloud}. Start the local cloud: andamio up"
        )
    if found.is_late:
        raise LocalCloudError(
            f"{endpoint_url} accepted a connection, and did not reply within {_SECONDS:.0f} s. Expected "
            f"{expected_cloud}, which may be busy. Nothing was changed.\n"
            "  Try again in a minute. If it stays so, start the local cloud anew: andamio down, then andamio up"
        )
    actual = (
        f"the local cloud of {found.home} (id {found.cloud}) answers"
        if found.cloud is not None
        else f"another server answers ({found.description})"
    )
    raise LocalCloudError(
        f"Expected {expected_cloud} at {endpoint_url}, but {actual}. Nothing was changed.\n"
        "  Start the local cloud: andamio up. It uses another port when its own is taken."
    )
