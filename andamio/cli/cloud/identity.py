"""Whose cloud answers: asked before a command does anything on a local cloud.

Ports change hands: after a stop, another clone's cloud or a stranger's web server may listen where
ours did, and account and ARNs are the same in every local cloud. So each has an id, which
`cloud.json` and the outputs carry, and which the emulator answers itself.
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
from andamio.errors import CommandError

PATH = "/_andamio/cloud"
_SECONDS = 5.0
_ANSWER_BYTES = 1 << 16


@dataclass(frozen=True, slots=True)
class Answer:
    """Who answers at an address: a local cloud by id and home, or nobody that we know, described in `what`."""

    cloud: str | None = None
    home: str | None = None
    description: str = ""

    @property
    def is_silent(self) -> bool:
        """Whether nothing answers at all."""
        return self.cloud is None and not self.description


def ask(endpoint_url: str) -> Answer:
    """Ask who answers at an address of this machine; a proxy is never asked."""
    where = urlsplit(endpoint_url)
    connection = http.client.HTTPConnection(where.hostname or "", where.port, timeout=_SECONDS)
    try:
        connection.request("GET", PATH)
        reply = connection.getresponse()
        body = reply.read(_ANSWER_BYTES)
    except ConnectionError:
        return Answer()
    except TimeoutError:
        return Answer(description=f"it says nothing for {_SECONDS:.0f} s")
    except (OSError, http.client.HTTPException) as error:
        return Answer(description=f"it does not speak HTTP: {type(error).__name__}")
    finally:
        connection.close()
    try:
        answer = json.loads(body)
        return Answer(str(answer["cloud"]), str(answer["home"]))
    except (ValueError, KeyError, TypeError):
        server = reply.getheader("server")
        return Answer(description=f"HTTP {reply.status}" + (f" of {server[:60]}" if server else ""))


def require(recorded: dict[str, Any]) -> None:
    """Raise `CommandError` unless this home's own cloud answers where `cloud.json` says that it is."""
    if not recorded.get("endpoint_url"):
        raise CommandError(f"The local cloud of {home()} does not run. Start it: andamio up")
    _require(recorded["endpoint_url"], recorded.get("cloud"))


def require_deployed(deployed: dict[str, Any]) -> None:
    """Raise `CommandError` unless the local cloud that a system was deployed to is the one that answers."""
    recorded = cloud() or {}
    running = recorded.get("cloud")
    if running is not None and running != deployed.get("cloud"):
        raise CommandError(
            f"{deployed['system']} was deployed to another local cloud (id {deployed.get('cloud')}) than the one of "
            f"{home()} (id {running}). Nothing was done. Deploy it here: andamio deploy"
        )
    _require(recorded.get("endpoint_url") or deployed["endpoint_url"], deployed.get("cloud"))


def with_current_addresses(deployed: dict[str, Any]) -> dict[str, Any]:
    """A deployed system, with the addresses of now; raises `CommandError` unless its own local cloud answers."""
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
        raise CommandError(
            f"Nothing answers at {endpoint_url}, where {expected_cloud} was. Start the local cloud: andamio up"
        )
    actual = (
        f"the local cloud of {found.home} (id {found.cloud}) answers"
        if found.cloud is not None
        else f"something that is no local cloud of this version answers ({found.description})"
    )
    raise CommandError(
        f"At {endpoint_url}, where {expected_cloud} was, {actual}. Nothing was done.\n"
        "  Start the local cloud, which takes another port where its own is taken: andamio up"
    )
