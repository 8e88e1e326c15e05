"""A data version for a report, and the figures that are computed from it once."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from andamio.contract import Contract
from andamio.dataset.columns import Columns
from andamio.dataset.documents import AuditEntry, DatasetAudit, DatasetManifest, DatasetProfile
from andamio.records.target import truth_of_kept
from etl.bands import in_bands
from etl.report.figures import FeatureSummary, LabelInformation, label_information, summarize


@dataclass(frozen=True)
class Version:
    """A data version, as a report needs it: `train` and `before_train` (of the version `before`) are kept columns."""

    contract: Contract
    manifest: DatasetManifest
    profile: DatasetProfile
    audit: DatasetAudit
    train: Columns
    before: str | None = None
    before_train: Columns | None = None

    @cached_property
    def labels(self) -> NDArray[np.int64]:
        """Class indices of train's rows."""
        return self._by_class[1]

    @cached_property
    def by_class(self) -> Contract:
        """The contract as one of classes: the bands of a number."""
        return self._by_class[0]

    @cached_property
    def _by_class(self) -> tuple[Contract, NDArray[np.int64]]:
        return in_bands(self.contract, truth_of_kept(self.contract, self.train[self.contract.problem.target]))

    @cached_property
    def classes(self) -> list[str]:
        """The names of classes; when two have the same text, their keys are added."""
        by_key = self.by_class.texts
        texts = list(by_key.values())
        return [text if texts.count(text) == 1 else f"{text} ({key})" for key, text in by_key.items()]

    @cached_property
    def feature_summaries(self) -> list[FeatureSummary]:
        """Every feature in train."""
        return [
            summarize(name, feature, self.train[name], self.labels, len(self.classes))
            for name, feature in self.contract.features.items()
        ]

    @cached_property
    def label_information(self) -> list[LabelInformation]:
        """What features tell of the label."""
        return label_information(self.by_class, self.train, self.labels)

    @cached_property
    def suspects(self) -> list[AuditEntry]:
        """What looks like a leak."""
        return self.audit.suspects
