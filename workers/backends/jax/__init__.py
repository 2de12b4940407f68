"""Training under JAX.

- `device`: The device under JAX: threads, GPU memory, determinism. All of them are settled when JAX first looks for devices
- `epoch`: The JAX backend of training: one epoch as a compiled loop, no Python per step
- `optimizers`: The JAX twin of `workers.backends.tensorflow.optimizers`: the same rules and the same loss as functions that change nothing in place
- `sizes`: XLA compiles for fixed shapes; these are the few that batches are padded to
- `stack`: Several folds as one computation of JAX: each by itself is too small to fill a GPU
"""
