"""Training: from a YAML file to a preset, and what is measured on the way.

A folder imports only from those named above it, and from `zoo`; the lowest comes first:

    config.py      a run's YAML file
    datasets/      the corpora
    tasks/         what can be trained: the batches of each task, its loss, its evaluation
    diagnostics/   vanishing and exploding gradients
    run/           one run: the loop, its schedule, optimizers, checkpoints
    experiments/   small networks on made-up tasks, over all of the above
    publishing/    from runs to presets, cards and tables of results

On top are the commands: cli.py (of `zoo`), publish.py, results.py, ablation.py, spark_counts.py.
"""
