"""One fold's training: the only room that steps an optimizer.

- `averaged`: A model with the average of its weights (`training.use_ema`): a copy, because the training goes on with the weights themselves
- `class_balance`: Rare classes: more turns in an epoch; a weight in the loss is a matter of `workers.heads`
- `early_stopping`: A fold that has stopped learning stops training, and its last value carries on (`training.patience`)
- `fold_trainer`: One fold's training: the only place that steps an optimizer
- `image_trainer`: One fold's training on images: for models whose backbone learns, and for changes that cannot be kept as features
- `keras_adam`: Adam's step to the last bits of Keras's own, where the fused kernels round beta in another place
- `learning_rates`: The learning rate of each epoch, and what a schedule by steps is told
- `results`: What one epoch of one fold did and scored
"""
