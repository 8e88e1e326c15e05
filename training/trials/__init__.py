"""One trial: a repeated cross-validation of one family, and which of them is exported."""
