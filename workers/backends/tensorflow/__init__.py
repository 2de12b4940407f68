"""Training under TensorFlow.

- `augmentation`: Random changes of training images as TensorFlow makes them; `workers.inputs.augmentation` draws what they are
- `device`: The device under TensorFlow: threads, GPU memory, determinism, and no start-up notes
- `dropout`: Dropout under TensorFlow, with the rate as a tensor and bits that depend on nothing but a seed
- `epoch`: The TensorFlow backend of training: one epoch as one graph, no Python per step
- `grad_cam`: How the score of an output changes with the last feature maps, under TensorFlow
- `image_epoch`: The TensorFlow backend of training on images: one epoch over a data pipeline as one graph, no Python per step
- `image_set`: The development images of a study, and batches of them as training wants them
- `optimizers`: One optimizer step, and the loss it descends: the same for heads on features and for models on images
"""
