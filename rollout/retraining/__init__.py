"""A training that the watch starts: the rule, the lock, and the records that it trains on.

Nothing here draws, measures or trains.
"""
