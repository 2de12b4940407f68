"""What came to a study after it was made: more of its sequence, guesses, enqueued trials, and evidence from elsewhere.

- `adoption`: Trials that somebody enqueued in Optuna become points, each exactly once
- `evidence`: Trials of a study made elsewhere, kept as evidence beside a study
- `extending`: A study grows: more trials of the same sequence, and guesses of people beside it
- `parts`: The parts of a study: studies that orch makes by itself when a study's last trial is finished, and that are shown and deleted with it
- `provenance`: Where the trials of a study come from, in words
"""
