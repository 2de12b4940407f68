"""Training under TensorFlow.

- `device`: The device under TensorFlow: threads, GPU memory, determinism, and no start-up notes
- `dropout`: Dropout under TensorFlow, with the rate as a tensor and bits that depend on nothing but a seed
- `epoch`: The TensorFlow backend of training: one epoch as one graph, no Python per step
- `image_epoch`: The TensorFlow backend of training on images: one epoch over a data pipeline as one graph, no Python per step
- `optimizers`: One optimizer step, and the loss it descends: the same for heads on features and for models on images
"""
