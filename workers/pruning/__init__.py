"""Rules that stop weak trials.

- `forecast`: Will this trial beat the best one? A forecast of its final value from how far complete trials still rose
- `named`: The pruner that a spec names, over epochs or over folds
- `rules`: Which trials stop early. Every rule is a pure function of last values: the mean over folds after one step
"""
