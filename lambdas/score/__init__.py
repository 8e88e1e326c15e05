"""Files of records scored, a step a call."""
