"""Addresses of the local cloud, which change when a port was taken: what is deployed follows, without a redeploy.

Functions are told the emulator's address at each start. What stays behind is the outputs, and the
address of MLflow in the environment of the function that registers models.
"""

from __future__ import annotations

from typing import Any

from andamio import names
from andamio.adapters.aws import Account
from andamio.cli.cloud import outputs
from andamio.cli.console import note
from andamio.settings import RegistrySettings

_TRACKING_URI = RegistrySettings.PREFIX + "TRACKING_URI"


def follow(recorded: dict[str, Any]) -> None:
    """Bring outputs and functions of everything that is deployed on this local cloud to its addresses of now.

    The caller has made sure that this cloud answers. Raises `CommandError` when a function cannot be changed.
    """
    for deployed in outputs.all_outputs(outputs.LOCAL):
        if deployed["cloud"] != recorded["cloud"]:
            continue
        updated = deployed | _changed_addresses(deployed, recorded)
        if updated == deployed:
            continue
        if updated["mlflow_url"] != deployed["mlflow_url"]:
            function = names.resource(deployed["system"], "registry")
            account = Account(updated["endpoint_url"], updated["region"])
            account.set_variable(function, _TRACKING_URI, updated["mlflow_url"])
        outputs.rewrite(updated)
        note(f"{updated['system']} follows the local cloud: {updated['api_url']}")


def _changed_addresses(deployed: dict[str, Any], recorded: dict[str, Any]) -> dict[str, Any]:
    """The addresses that have changed."""
    changed: dict[str, Any] = {}
    old, new = deployed["endpoint_url"], recorded["endpoint_url"]
    if new and new != old:
        changed |= {"endpoint_url": new, "api_url": new + deployed["api_url"].removeprefix(old)}
    mlflow = recorded["mlflow_url"]
    # A server that the deploy was given by hand is not ours to follow.
    if mlflow and deployed["mlflow_own"] and mlflow != deployed["mlflow_url"]:
        changed["mlflow_url"] = mlflow
    return changed
