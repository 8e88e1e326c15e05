"""How often what Andamio says is right: commands, each `python -m benchmarks.sureness.NAME`.

coverage              intervals of a classification's metrics
coverage_numbers      intervals of a regression's metrics and predictions
interval_widths       intervals of small, middling and large predictions
coverage_importance   intervals of a feature's importance
slices                slices that the card calls worse
gate, gate_numbers    promotions, of classes and of numbers
leaks                 suspects of the leakage audit
drafts                contracts that `andamio new` drafts
"""
