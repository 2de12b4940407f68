"""A study as plain tables, apart from any drawing.

- `checklist`: What orch knows for the reporting guidelines CLAIM (2020, item numbers) and TRIPOD+AI (2024, sections)
- `importance`: How much each hyperparameter mattered, and how much it would seem to matter if it did not
- `outcomes`: How the best trial's models judged images they had not seen: out-of-fold predictions beside the labels
- `view`: A study as plain tables, apart from any drawing: what figures, report, notes and notebooks are made of
- `warnings`: Everything that a reader of a study's numbers should know before believing them, one sentence each
"""
