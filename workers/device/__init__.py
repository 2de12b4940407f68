"""Which backend computes, on what, and what a backend must offer.

- `backend`: Which backend of Keras computes, and the modules that speak its own language
- `contract`: What a backend offers, and what a fold hands it: the same under TensorFlow and JAX
- `preparation`: The device a worker computes on: threads, GPU memory, determinism, and a quiet start of the backend
- `versions`: Versions of orch and of what it stands on, without importing any of it
"""
