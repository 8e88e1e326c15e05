"""Evaluation of a candidate on the holdout, and the decision of the gate. Nothing is fitted here."""
