"""The promotion gate: pure functions of scores. Nothing here reads or writes."""
