"""Training under JAX.

- `augmentation`: Random changes of training images as JAX makes them, of the same names and the same values as under TensorFlow
- `counts`: Scores of several folds from what was counted of them on the device: `storage.metrics.epoch` is the definition
- `device`: The device under JAX: threads, GPU memory, determinism. All of them are settled when JAX first looks for devices
- `epoch`: The JAX backend of training: one epoch as a compiled loop, no Python per step
- `forward`: Images through a frozen backbone on a GPU: each is sent once, as bytes; flips and scaling are done there
- `grad_cam`: How the score of an output changes with the last feature maps, under JAX: a zero is added to the maps, and what it does is asked for
- `image_epoch`: The JAX backend of training on images: bytes are gathered, changed, scaled and learnt from in one compiled step
- `image_set`: The development images of a study: bytes that lie on the device, where they fit
- `optimizers`: The JAX twin of `workers.backends.tensorflow.optimizers`: the same rules and the same loss as functions that change nothing in place
- `programs`: Compiled programs kept on disk, so that a process that is started again, and the one beside it, compiles nothing
- `rows`: Whether a batch may be padded: what training makes of its rows is then the same with more rows, which BatchNormalization does not measure
- `scores`: What the scores of an epoch are read from, counted on the device: the logits need not leave it
- `sizes`: XLA compiles for fixed shapes; these are the few that batches are padded to
- `stack`: Several folds as one computation of JAX: each by itself is too small to fill a GPU
"""
