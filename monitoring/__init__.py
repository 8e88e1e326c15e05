"""What becomes of a model in service: predictions that were captured, feedback, drift, performance, the report."""
