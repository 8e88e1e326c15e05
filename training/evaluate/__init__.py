"""What a candidate is worth on the holdout, and what the gate says of it. Nothing is fitted here."""
