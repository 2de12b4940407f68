"""Studies in the trackers that people use: MLflow, Weights & Biases, TensorBoard; written from the ledger, so that nothing is lost.

- `exporting`: `orch study export --mlflow URL`, `--wandb DIR`, `--tensorboard DIR`: everything that a tracker does not have, now
- `follower`: `orch worker --track`: a process of its own that tells a tracker of finished trials, and waits for one that is away
- `mlflow`: MLflow: a run for each trial, with a child for each fold, and the best trial with its model
- `pushing`: From the ledger to a tracker: what it does not know yet, by one process at a time
- `runs`: What a tracker is told of a trial: hyperparameters, outcome, curves of its folds and of their mean
- `targets`: Where trials are told: mlflow:URL, wandb:DIR or tensorboard:DIR, and what must be installed for it
- `tensorboard`: TensorBoard's event files with hyperparameters, written by tensorboardX
- `wandb`: Weights & Biases, offline: a run for each trial in a folder that `wandb sync` sends
"""
