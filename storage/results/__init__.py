"""What came out of training: the ledger, predictions, and what pruners look at.

- `curves`: The validation curves of a trial as one table of shape (folds, epochs), from the rows of the ledger
- `evaluations`: Evaluations of a study's models, kept with the study: what was judged, on which images, and every metric
- `fold_summary`: What a trial really did, from its recorded epochs
- `further`: The further objectives of a trial, from its fold-epochs; and the trials that no other one beats in all of them
- `judged`: The epoch at which a trial is judged, from the ledger
- `ledger`: Fold results, epoch by epoch: what pruning looks at, what figures are drawn from, what survives a crash
- `peers`: What other points had after as many epochs or folds: what pruners look at
- `predictions`: Out-of-fold predictions of complete trials, kept as float16 (about 3 digits; AUC moves by less than 1e-4)
"""
