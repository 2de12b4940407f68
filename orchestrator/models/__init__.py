"""Use cases on a model: train, judge, predict, explain.

- `answers`: What a prediction says to a person, for each kind of label: columns of a table, and which output a heat map is of
- `comparing`: Model files compared on images that none of them has seen: the sealed hold-out, on record, or a data set from elsewhere
- `evaluation`: Judge a model on images it has not seen: the sealed hold-out, on record, or a data set from elsewhere, whole
- `evaluation_files`: Where an evaluation is kept when nobody says: beside the model, and never over an earlier one
- `given_features`: A model that takes features from elsewhere: which table it needs, and whether that fits
- `heat_maps`: Draw heat maps over images and name the files by score
- `judged_images`: Which images a model is judged on: never those it was trained on
- `out_of_fold`: `orch study evaluate`: the out-of-fold predictions of a trial as a reviewer wants to see them
- `prediction`: Images to predict and explain, their labels where known, the model's predictions, and what is said of sealed images
- `prediction_tables`: Predictions as a table, CSV or Excel: file, label where it is known, and raw, mean, max and min of each target
- `prevalences`: Prevalences from the command line
- `repeats`: Test-time augmentation from the command line: how often, and what is changed
- `scores`: From predictions to what an evaluation reports: scorecards, curves, subgroups, the RUST score
- `training`: From best.json to a model file: refit, put thresholds and out-of-fold metrics beside it, write the card
"""
