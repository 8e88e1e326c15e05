"""Training: from a data version to a candidate with a decision of the gate. Knows no Lambda and no AWS client.

Steps in the order of `stepfunctions/train.asl.json`: `plan`, `search.rounds` (ask, tell), `trials.trial`, `fit` (with
`calibrate`, `threshold`, `export`), `evaluate.evaluate`, `evaluate.decide`. `documents` holds what they write,
`run` the names of the files.
"""

import os

# Before anything imports onnxruntime: it would keep a device id at home, and report its use.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
