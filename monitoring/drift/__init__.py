"""Whether the data of a window are still those of the reference: tests of two samples, and sizes of effects.

Arrays in, numbers out: what is read, written or told to people is elsewhere.
"""
