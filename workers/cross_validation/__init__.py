"""k folds of one trial, side by side or one after the other.

- `cross_validate`: k folds of one trial, by one of two schedules, and what they come to
- `fold`: What every schedule does alike: run one epoch of one fold, check that it was what was asked for, judge the curves
- `lockstep`: Every fold advances one epoch, then the mean over folds is reported and judged
- `sequential`: Fold after fold, for models of which only one fits into memory: the mean over the finished folds is reported
"""
