"""A problem's own model: `pipeline.py` loaded, its search space found, its pipelines fitted, proven and exported.

Only what pipeline.py returns is run here; what it may not be is said in words of scikit-learn, never of a traceback.
"""
