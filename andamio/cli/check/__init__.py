"""`andamio check`: is a problem folder sound? The rooms' own functions, on objects in memory; no cloud.

    sample       files of a size that is read in seconds: all of a small one, random rows of a larger one
    rehearsal    ETL on them: rows, reasons, the leakage audit
    families     every family fitted on a sample of train and exported, with parity
    bad_values   one bad value for every rule of the contract, and how it is refused
    estimate     how long training takes, and where it runs
    upgrade      an older contract rewritten to the format of today, comments kept
    check        the command: all of these, and what to do next

Nothing is decided here that another room decides: it calls ETL's and training's own functions.
"""
