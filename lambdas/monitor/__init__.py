"""The watch: one step of the state machine a call."""
