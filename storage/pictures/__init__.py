"""What may be done to pictures: flips that are kept as views, and random changes of training images.

- `changes`: Random changes of training images: the name, the range and the place of each
- `views`: The flips of an image that can be kept: which of them a kind of augmentation needs
"""
