"""Starts LocalStack's open core, in its own environment, with what it lacks.

It says which local cloud it is, an event of S3 names its object as it is called (`by_its_name`), a call that Lambda
refuses has the name in a state machine that it has on AWS (`refused_by_name`), and its end is a matter of a second
(`leave`).
"""

import dataclasses
import os
import runpy
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from botocore.exceptions import ClientError
from localstack_process_executor.plugin import end_all

from localstack.http import Response
from localstack.runtime import main
from localstack.runtime.shutdown import SHUTDOWN_HANDLERS
from localstack.services.edge import ROUTER
from localstack.services.s3.notifications import EventBridgeNotifier
from localstack.services.stepfunctions.asl.component.common.error_name.custom_error_name import CustomErrorName
from localstack.services.stepfunctions.asl.component.state.state_execution.state_task.state_task_lambda import (
    StateTaskLambda,
)

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


def refused_by_name(from_error: Callable[..., Any]) -> Callable[..., Any]:
    """How a task that names a function by its ARN fails where Lambda refuses the call: `Lambda.` and Lambda's error.

    LocalStack says so only of tasks of `lambda:invoke`. Of the others it makes `Exception`, which no retrier that waits
    for room can name, and which on AWS is an exception of the function's own.
    """

    def named(task: Any, env: Any, ex: Exception) -> Any:
        failure = from_error(task, env, ex)
        if isinstance(ex, ClientError):
            name = f"Lambda.{ex.response['Error']['Code']}"
            failure.error_name = CustomErrorName(name)
            failure.event_details["lambdaFunctionFailedEventDetails"]["error"] = name
        return failure

    return named


def leave() -> None:
    """End the functions, then this process, at once.

    LocalStack would first stop each version of each function, which waits for polls of 2 s and for calls that run;
    its memory, which nobody keeps, is all that it would then leave in order.
    """
    end_all()
    os._exit(0)


if __name__ == "__main__":
    EventBridgeNotifier._get_event_payload = staticmethod(by_its_name(EventBridgeNotifier._get_event_payload))
    StateTaskLambda._from_error = refused_by_name(StateTaskLambda._from_error)
    ROUTER.add(identity["PATH"], lambda request: Response(WHO, mimetype="application/json"))
    SHUTDOWN_HANDLERS.register(leave)
    main.main()
