"""Use cases on a study that is there.

- `best`: Take a study away: best.json, the trials and the fold curves as CSV, the spec as TOML
- `comparing`: Studies and their trials compared on the same patients: who is meant, what they predicted, and what differs in their specs
- `creating`: Create a study: its data chosen, its images audited, its trials planned; for `orch study create` and for Python alike
- `fleet`: The fleet as plain documents: who works where on what, and how much is left of each open study
- `next_steps`: What to do next with a study, in a sentence; commands that end say it
- `publishing`: What workers and the dashboard are handed so that the pages in optuna-dashboard stay fresh
- `records`: Studies, points and trials as plain documents: what `--json` prints and what the tables show
- `replay`: `orch trial replay`: find what a trial was computed from, compute it again, and say what differs
- `reporting`: From the names of studies to the page about them, and to the files of their figures
- `tables`: A study as CSV: its trials, and what every fold did in every epoch
- `verify`: Account for every planned point of a study, every attempt, every fold and every opening of its hold-out
- `verify_folds`: What a settled trial must have left of its folds: every epoch, agreeing reports, and predictions that score the same
- `verify_parts`: Account for a study and for its parts together: repeats, searches and tests are verified as the studies that they are
- `watch`: Live progress of a study: one table on a terminal, plain lines elsewhere, until nothing more happens to it
"""
