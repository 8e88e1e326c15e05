"""What training costs, and how well it chooses: commands, each `python -m benchmarks.training.NAME`.

trials      a trial beside scikit-learn's own cross-validation
execution   a whole training execution beside Optuna
compute     time and memory of a trial by family: the size from which training needs tasks
racing      what a race would choose and cost, by any rule
selection   rules that choose a trial, compared on real tables
"""
