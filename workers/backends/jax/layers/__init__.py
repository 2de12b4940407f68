"""Layers of Keras as a device computes them well; their values are those of Keras but for the order of sums.

- `convolutions`: Convolutions and products as a processor computes them well
- `pooling`: Max-pooling whose gradient a GPU computes the same in each run: XLA's own refuses to be trained under `--xla_gpu_deterministic_ops`
- `suited`: Which layers of Keras are computed in another way on a device
"""
