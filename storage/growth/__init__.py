"""What came to a study after it was made: more of its sequence, guesses, enqueued trials, and evidence from elsewhere.

- `adoption`: Trials that somebody enqueued in Optuna become points, each exactly once
- `evidence`: Trials of a study made elsewhere, kept as evidence beside a study
- `extending`: A study grows: more trials of the same sequence, and guesses of people beside it
- `part_specs`: What the parts of a study are: specs that follow from the study, and from a winner, alone
- `parts`: The parts of a study: studies that orch makes by itself, works off with it, and lists, stops, deletes and verifies with it
- `provenance`: Where the trials of a study come from, in words
"""
