"""Which predictions are kept with their record, and which ask for the true label. Nothing is stored here.

The decision follows from the prediction's id, which is random: the same prediction is decided the same way wherever
it is looked at, and no random number is drawn for it.
"""

from __future__ import annotations

from dataclasses import dataclass

_ALL = 2**32


@dataclass(frozen=True, slots=True)
class Capture:
    """Shares of all predictions, from 0 to 1: `share` of them are logged with the record, `audit_share` want a label.

    A prediction that wants a label is logged with the record too, where any is: its label is compared with the record.
    What is kept is still a random sample, since neither choice looks at the record. Features in `hidden` are
    in no line.
    """

    share: float = 1.0
    audit_share: float = 0.0
    hidden: frozenset[str] = frozenset()

    def wants_label(self, prediction_id: str) -> bool:
        """Whether the reply asks for the true label of a prediction (32 hexadecimal digits)."""
        return self.audit_share > 0 and int(prediction_id[:8], 16) < self.audit_share * _ALL

    def keeps(self, prediction_id: str, wants_label: bool) -> bool:
        """Whether a prediction's line holds its record; other digits of the id decide than in `wants_label`."""
        if self.share >= 1 or self.share <= 0:
            return self.share >= 1
        return wants_label or int(prediction_id[8:16], 16) < self.share * _ALL
