"""A study as plain tables, apart from any drawing.

- `answer`: The first screen of a report: what was asked, the answer with its intervals, and the warnings that matter most
- `checklist`: What orch knows for the reporting guidelines CLAIM (2024 update), TRIPOD+AI (2024) and METRICS (2024)
- `examples`: Which images show best where a study's models were right and wrong: one of each kind, of different patients
- `guidelines`: The items of three reporting guidelines for AI in imaging, and which answer of `checklist` each asks for
- `importance`: How much each hyperparameter mattered, and how much it would seem to matter if it did not
- `methods`: The methods section of a paper, written from the spec and from what was recorded
- `outcomes`: How the best trial's models judged images they had not seen: out-of-fold predictions beside the labels
- `patients`: Where the patients went, and who they are: the flow from import to folds, and Table 1 by split
- `performance`: How well a study's models do on each set of images, with intervals
- `references`: What a report cites: each work once, as a line and as an entry of BibTeX
- `settings`: The settings of a study that act, and how to run it again
- `training`: How a study trains, in one sentence a part: loss, optimizer, schedule, clipping, average of the weights; for methods and model cards
- `view`: A study as plain tables, apart from any drawing: what figures, report, notes and notebooks are made of
- `warnings`: Everything that a reader of a study's numbers should know before believing them, one sentence each
"""
