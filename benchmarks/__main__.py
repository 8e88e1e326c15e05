"""Every benchmark, one after the other; files of records in their small size."""

import subprocess
import sys

from benchmarks import api, burst, capture, emulators, execution, explain, gate, gate_numbers, racing, training

api.main()
explain.main([])
burst.main()
capture.main([])
emulators.main([])
gate.main([])
gate_numbers.main([])
training.main([])
execution.main([])
execution.main(["100000", "--trials", "6", "--ours-only", "--budget", "180"])
racing.main(["--families", "logistic_regression", "hist_gradient_boosting", "--tables", "mixed"])
# In processes of their own: how much memory a child had is counted from what its parent has.
subprocess.run([sys.executable, "-m", "benchmarks.batch", "--quick"], check=True)
subprocess.run([sys.executable, "-m", "benchmarks.watch", "scale", "--windows", "100000"], check=True)
