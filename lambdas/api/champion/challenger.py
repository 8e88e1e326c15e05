"""The challenger as the API holds it, and which records it answers. No AWS call is made for it in a request."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from andamio import names
from andamio.contract.canonical import canonical
from andamio.release.pointer import Strategy
from lambdas.api import log
from lambdas.api.champion.champion import Champion

_ALL = 2**32


@dataclass(frozen=True, slots=True)
class Challenger:
    """A release on trial: `rollout` names the trial, `share` is that of the records that a canary answers."""

    model: Champion
    rollout: str
    strategy: Strategy
    share: float

    def answers(self, record_id: object, prediction_id: str) -> bool:
        """Whether a record is the challenger's: by the caller's id, and without one by that of the prediction.

        The same id has the same answer during a trial; another trial takes other ids.
        """
        if self.strategy != "canary":
            return False
        subject = prediction_id if record_id is None else f"record {canonical(record_id)}"
        digest = hashlib.sha256(f"{self.rollout}\n{subject}".encode(errors="surrogatepass")).digest()
        return int.from_bytes(digest[:4]) < self.share * _ALL


def failed(rollout: str, release: str, error: Exception, code: str, records: int = 1) -> None:
    """Write the line by which a challenger's fault is counted: the caller was answered by the champion.

    The message of an error is withheld that may repeat a value of the record.
    """
    log.error(error, release=release, variant=names.CHALLENGER)
    log.event(
        names.EVENT_CHALLENGER_FAILED,
        time=log.now(),
        rollout=rollout,
        release=release,
        variant=names.CHALLENGER,
        code=code,
        error=type(error).__name__,
        records=records,
    )
