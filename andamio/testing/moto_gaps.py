"""Where moto does other than AWS: what is put right for the time of an account."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any
from unittest.mock import patch

import boto3
from moto.awslambda_simple.models import LambdaSimpleBackend
from moto.s3.responses import S3Response
from moto.stepfunctions.parser.asl.component.state.exec.state_task.service.state_task_service_sfn import (
    StateTaskServiceSfn,
)

Invoke = Callable[[str, "str | bytes"], tuple[bytes, bool]]
"""A function's name and its payload; what Lambda answers, and whether it is an error."""


@contextmanager
def corrected(invoke: Invoke) -> Iterator[None]:
    """Functions are answered by `invoke`, conditional writes are one step, and nested executions start."""

    def invoked(
        backend: object, function_name: str, qualifier: object, body: Any, headers: object, response: dict[str, Any]
    ) -> bytes:
        payload, failed = invoke(function_name, body)
        if failed:
            response["x-amz-function-error"] = "Unhandled"
        return payload

    with ExitStack() as patches:
        patches.enter_context(patch.object(LambdaSimpleBackend, "invoke", invoked))
        patches.enter_context(patch.object(StateTaskServiceSfn, "_eval_service_task", _nested))
        patches.enter_context(patch.object(S3Response, "put_object", _one_at_a_time(S3Response.put_object)))
        yield


def _one_at_a_time(write: Callable[..., Any]) -> Callable[..., Any]:
    """A conditional write that is one step, as S3's is: moto looks first, and writes when it has seen nothing."""
    lock = threading.Lock()

    def locked(*args: Any, **kwargs: Any) -> Any:
        with lock:
            return write(*args, **kwargs)

    return locked


def _nested(task: StateTaskServiceSfn, env: Any, normalised_parameters: dict[str, Any], **_context: object) -> None:
    """`states:startExecution` and its kin: moto hands boto3 the state language's spelling, which it does not know."""
    call = getattr(boto3.client("stepfunctions"), task._get_boto_service_action())
    reply = call(**{name[0].lower() + name[1:]: value for name, value in normalised_parameters.items()})
    env.stack.append({name[0].upper() + name[1:]: reply[name] for name in reply if name != "ResponseMetadata"})
