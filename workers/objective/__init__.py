"""From a study to something that evaluates its trials.

- `canary`: Does every searched hyperparameter act? Two short trainings, at the two ends of its range, must not be the same
- `challenge`: Train what a study trains on labels that it must not be able to learn, and see whether it learns them
- `keras_objective`: From a study to something that evaluates its trials: data, features, folds and one trainer per fold
- `memory`: What the models of a trial need in memory, estimated from their sizes; and what to say when it was not there
- `preview`: A picture of what a study's augmentation does to images: each row an image, first as it is, then changed
- `rate_finder`: The learning-rate finder: a rate that rises tenfold every fifth epoch, and the loss at each (Smith 2017, section 3.3)
- `replay`: Compute a trial again and hold it against what was recorded, bit for bit
- `study_data`: What the folds of one variant of a study learn from, features or images, and the trainers that do it
- `study_variants`: The variants of a study that its trials need: prepared before the first trial, built as they are asked for, kept within a limit
"""
