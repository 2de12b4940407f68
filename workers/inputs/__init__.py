"""From image files to what a model learns from.

- `augmentation`: Random changes of training images: what they are; the backend makes them
- `copies`: Changed copies of images, drawn once: what an image's copies are depends on the study's seed and on the image alone
- `decoders`: Image files decoded by processes of their own, on machines with several processors
- `decoding`: Image files decoded before they are asked for: for training and for prediction
- `embedding`: Vectors of images, made by a backbone of KerasHub
- `extraction`: Every possible input of the head, computed once: the frozen backbone over all flips of all images
- `feature_set`: Features and labels resident in the memory of the device, shared by the folds of a study
- `image_contract`: What a backend offers to train on images, and what a fold hands it: the same under TensorFlow and JAX
- `kept_inputs`: The feature sets and decoded images of a study: opened once, and on the device as needed, within a limit
- `mixing`: Which images of a batch are mixed with which, and how much: mixup (Zhang et al. 2018) and CutMix (Yun et al. 2019)
- `pixels`: The development images of a study as pixels, decoded once
"""
