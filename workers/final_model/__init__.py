"""The final model: refit, predict, explain.

- `assembly`: One ordinary Keras model from image to probabilities, and how it is saved and loaded: without code of its own
- `explain`: Where a model looks (Grad-CAM, Selvaraju et al. 2017), laid over the image in colours
- `predict`: A final model on image files: probabilities as they are, and over repeated random changes (test-time augmentation)
- `refit`: The final model: the winner of a study trained once more, on all development images, or its k fold models together
"""
