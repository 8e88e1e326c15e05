"""`andamio verify`: the whole system once, in a stage of its own, taken down whatever happens, with a report."""
