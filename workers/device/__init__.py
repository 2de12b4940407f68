"""Which backend computes, on what, and what a backend must offer.

- `backend`: Which backend of Keras computes, and the modules that speak its own language
- `contract`: What a backend offers, and what a fold hands it: the same under TensorFlow and JAX
- `keras_step`: The step of any optimizer of Keras, as a function of values: the same object serves every fold and trial, under every backend
- `nvml`: What NVIDIA's driver says of the GPUs of this machine, by its own library
- `preparation`: The device a worker computes on: threads, GPU memory, determinism, and a quiet start of the backend
- `spared_imports`: What TensorFlow and Keras import only to offer it to their own users, and a process of orch's own never asks them for
- `stepper`: What the steps of every backend begin with: what the optimizer remembers, and the gradients and the rate that it is given
- `steps`: What a step does beside the optimizer's own rule: the rate of each step, clipped gradients, an average of the weights
- `versions`: Versions of orch and of what it stands on, without importing any of it
- `words`: What backends, their libraries and drivers say of a device that is broken or full
"""
