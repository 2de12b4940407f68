"""What a model would mean in practice, from labels and probabilities: what a reviewer asks for beside the metrics.

- `abstention`: What is left of the errors when a model may leave its least certain images to a person
- `conformal`: Sets of labels that hold the truth as often as promised, from out-of-fold predictions
- `decisions`: Decision curves: the net benefit of acting on a model at each threshold
- `population`: Who the patients are: the columns of a labels file as counts and means, and how far two parts of a data set differ
- `prevalence`: Predictive values where the finding is more common, or rarer, than among these images
- `readers`: Several readers of the same images: how far they agree with each other, and how far the model agrees with each of them
- `review`: All of it for the labels of a study or of a model, as plain data
- `subgroups`: Every metric within subgroups, and how far each subgroup lies from all others
- `units`: Results by patient or by visit, beside those by image
- `unlike`: Which pictures are unlike those that a model was trained on: by their distance to the nearest of these in feature space
"""
