"""Every benchmark, one after the other."""

from benchmarks import api, explain, gate

api.main()
explain.main()
gate.main([])
