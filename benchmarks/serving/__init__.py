"""What serving takes: commands, each `python -m benchmarks.serving.NAME`.

api         a warm call and a cold start
load        requests a second of a deployed API
burst       how long a burst of clients waits for a cold API
explain     an explanation
prepare     the problem's own prepare.py
capture     captured predictions: lines a second, an hour compacted, dollars
looks       looks at a trial of many deliveries
emulators   a deploy, a call and a burst on each emulator
"""
