"""Each state machine run whole, in this process, with our real functions plugged in."""
