"""Starts LocalStack's open core, in its own environment, with two things added.

It says which local cloud it is, and an event of S3 names its object as it is called (`by_its_name`).
"""

import dataclasses
import os
import runpy
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from localstack.http import Response
from localstack.runtime import main
from localstack.services.edge import ROUTER
from localstack.services.s3.notifications import EventBridgeNotifier

# By its path: in this environment `localstack` is LocalStack.
identity = runpy.run_path(str(Path(__file__).with_name("identity.py")))
WHO = identity["answer"]()


def by_its_name(payload: Callable[..., Any]) -> Callable[..., Any]:
    """How an event of S3 is made for EventBridge, with the object's key as it is.

    LocalStack quotes it as in an address. S3 does so for SNS, SQS and Lambda, but not for EventBridge, and a file with
    a space in its name would never be found.
    """

    def made(context: Any, config_id: Any = None) -> Any:
        return payload(dataclasses.replace(context, key_name=unquote(context.key_name)), config_id)

    return made


if __name__ == "__main__":
    EventBridgeNotifier._get_event_payload = staticmethod(by_its_name(EventBridgeNotifier._get_event_payload))
    ROUTER.add(identity["PATH"], lambda request: Response(WHO, mimetype="application/json"))
    try:
        main.main()
    except SystemExit as end:
        # Everything is stopped; taking its memory apart would last as long as the start did.
        sys.stdout.flush()
        os._exit(end.code if isinstance(end.code, int) else 1)
