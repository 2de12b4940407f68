"""Medical metrics on plain arrays: curves, tables, calibration, agreement, intervals. NumPy only, one purpose a room.

    curves.py        ROC, AUC, precision-recall
    tables.py        the confusion table and what is read off it
    calibration.py   Brier score, calibration error, recalibration
    thresholds.py    where to cut, chosen on out-of-fold predictions
    agreement.py     weighted kappa and intraclass correlation
    rust.py          the modified RUST score of a visit
    bootstrap.py     intervals, patients resampled
    scorecard.py     all of it for the labels of a data set, and by subgroup

Every metric takes the 0/1 labels and the scores of one label, both of shape (n,), and, for resampling, how often each
image counts: shape (.., n), once each when left out. It returns shape (..), NaN where the metric is undefined. A NaN is
"not assessed" or "undefined" everywhere; nothing here returns 0 or infinity in its place.
"""
