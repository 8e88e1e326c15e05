"""How fast a file is scored, side by side with the usual ways: `python -m benchmarks.batch`.

    generate    the file: 13 columns, any number of rows, the same for the same seed
    release     the model: trained, exported and sealed by the project's own code
    ours        contestant: the steps of a batch, `scoring`, over every shard
    usual       contestants: mlflow.pyfunc and a scikit-learn pipeline on pandas chunks
    ceiling     the model alone, on tensors that are in memory already
    readers     pyarrow, duckdb, polars and pandas: one block read, one block written
    processes   starts contestants, takes their time, CPU and peak memory
    contest     who scores what, and in which order
    agreement   whether all of them said the same
    cost        what a hundred million rows come to on AWS
    report      benchmarks/RESULTS.md

A contest is fought in a folder by processes: nothing is measured in the process that measures.
"""
