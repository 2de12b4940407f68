"""What may be done to pictures: how they are brought to a size, flips that are kept as views, and random changes of training images.

- `changes`: Random changes of training images: the name, the range and the place of each
- `fitting`: How a picture of any shape becomes the input of a model: where which part of it lies there
- `sides`: Labels and columns that say left or right: a mirrored picture shows the other side
- `views`: What of an image can be kept: its flips, and changed copies of it; which of them a kind of augmentation needs
"""
