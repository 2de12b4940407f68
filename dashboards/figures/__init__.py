"""Tables as Plotly figures.

- `choice`: How sure the choice of the best trial is: all complete trials by rank, and which cannot be told from the best
- `curves`: What happened during training: k-fold curves of one trial, of nine examples, and other numbers over epochs
- `differences`: How several models differ from the first of them: each metric's difference with its interval
- `drawing`: What all figures share: the picture with its table, numbers short enough to send, empty figures that say why
- `evaluated`: What an evaluation of a final model showed, on a hold-out or on data from elsewhere: ROC with its band, calibration, confusion, decision curve
- `gallery`: All figures of a study in the order of a report, and their export as files
- `importance`: Importance of hyperparameters beside what chance alone would show
- `kinds`: Which figures show the out-of-fold predictions of each kind of label, and those that labels side by side do not have
- `outcomes`: ROC with a band over folds, confusion tables and calibration of a trial's out-of-fold predictions
- `palette`: Colours and templates of the figures: readable on paper and on a dark screen, and by colour-blind eyes
- `practice`: What a model would mean in practice: its decision curve, what is left of its errors when it may abstain, and what more patients would bring
- `search`: What was searched: scatter of random points, heat map of a grid, slices of every hyperparameter
- `study`: How the study went: what pruning saved, how much folds differ, who worked when, and one study beside another
- `trials`: All trials at once: as lines through their hyperparameters to their value, and by two objectives with the Pareto front
"""
