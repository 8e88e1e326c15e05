"""Every benchmark, one after the other; files of records in their small size."""

import subprocess
import sys
import tempfile

from benchmarks.serving import api, burst, capture, emulators, explain
from benchmarks.sureness import gate, gate_numbers
from benchmarks.training import execution, racing, trials

api.main()
explain.main([])
burst.main()
capture.main([])
emulators.main([])
gate.main([])
gate_numbers.main([])
trials.main([])
MEASURED = ["--families", "logistic_regression", "hist_gradient_boosting"]
trials.main(["100000", "1000000", *MEASURED])
trials.main(["1000", "20000", "100000", "--table", "wide", *MEASURED])
execution.main([])
execution.main(["100000", "--trials", "6", "--ours-only", "--budget", "180"])
race = ["--rows", "20000", "--tables", "clusters"]
with tempfile.TemporaryDirectory() as scores:
    racing.main(["measure", scores, *race, "--families", "logistic_regression", "hist_gradient_boosting"])
    racing.main(["replay", scores, *race])
# In processes of their own: how much memory a child had is counted from what its parent has.
subprocess.run([sys.executable, "-m", "benchmarks.batch", "--quick"], check=True)
subprocess.run([sys.executable, "-m", "benchmarks.watch", "scale"], check=True)
