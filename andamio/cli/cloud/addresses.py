"""Updates of deployed systems when the local cloud starts on other ports; no redeploy is needed.

The emulator passes its address to functions at each start. This module updates the outputs, and the
address of MLflow in the environment of the registry function.
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
    """Update the outputs and functions of all systems on this local cloud to its current addresses.

    The caller has checked that this cloud answers. Raises `CommandError` when a function cannot be changed.
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
        note(f"{updated['system']} has new addresses: {updated['api_url']}")


def _changed_addresses(deployed: dict[str, Any], recorded: dict[str, Any]) -> dict[str, Any]:
    """The addresses that changed."""
    changed: dict[str, Any] = {}
    old, new = deployed["endpoint_url"], recorded["endpoint_url"]
    if new and new != old:
        changed |= {"endpoint_url": new, "api_url": new + deployed["api_url"].removeprefix(old)}
    mlflow = recorded["mlflow_url"]
    # A tracking server that the user named is not part of the local cloud.
    if mlflow and deployed["mlflow_own"] and mlflow != deployed["mlflow_url"]:
        changed["mlflow_url"] = mlflow
    return changed
