"""What is measured: every metric of labels and probabilities, and what a trial is worth. NumPy only.

- `agreement`: How far two readers agree: weighted kappa for grades, intraclass correlation for scores
- `bootstrap`: Patients drawn with replacement, and left out one by one, and the intervals of that: images of one patient are not independent
- `calibration`: Whether a probability of 0.8 means eight in ten, and what can be done about it
- `curves`: Curves over all thresholds: ROC with its area, precision-recall with its area
- `epoch`: Exact metrics of multi-label predictions; a NaN label was not assessed and counts nowhere
- `intervals`: Confidence intervals whose coverage was simulated: shares and areas in closed form, and what is made of them
- `judging`: What a trial is worth: its value, the epoch that the value is taken at, and the value of each fold
- `medical`: Medical metrics of one epoch's validation, all labels at once: a study computes them thousands of times
- `objectives`: What a study may maximise: the validation metrics of the ledger by name, each with its column and its sign
- `recorded`: What is recorded of one epoch of one fold: the metrics of `storage.metrics.objectives`, and what the epoch took
- `rust`: The modified RUST score of fracture healing from graded cortices (Litrenta et al. 2015)
- `scorecard`: Every metric of every label, macro and micro, with intervals. Plain data for any front end
- `tables`: The confusion table at one threshold, and everything that is read off it
- `thresholds`: Where to cut a probability. Chosen on out-of-fold predictions, never on the data that are then reported on

The metrics of curves, tables, calibration and agreement take the 0/1 labels and the scores of one label, both of shape (n,), and, for
resampling, how often each image counts: shape (.., n), once each when left out. They return shape (..), NaN where the metric is
undefined. A NaN is "not assessed" or "undefined" everywhere; nothing here returns 0 or infinity in its place.
"""
