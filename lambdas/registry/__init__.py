"""What follows a decision: MLflow's record, the sealed release, the pointer."""
