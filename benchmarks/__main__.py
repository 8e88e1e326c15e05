"""Every benchmark, one after the other."""

from benchmarks import api

api.main()
