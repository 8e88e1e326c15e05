"""Every benchmark, one after the other; files of records in their small size."""

import subprocess
import sys

from benchmarks import api, burst, emulators, explain, gate, training

api.main()
explain.main()
burst.main()
emulators.main([])
gate.main([])
training.main([])
# In a process of its own: how much memory a child had is counted from what its parent has.
subprocess.run([sys.executable, "-m", "benchmarks.batch", "--quick"], check=True)
