"""The plan and its queue: who may work on which point, and what became of it.

- `attempts`: Every attempt at every point, lost and failed ones too: Optuna's trials read in bulk, for people to look at
- `chain`: A chain of hashes over what a study finished: a row that is edited or deleted later does not fit it any more
- `deletion`: Delete a study that workers may be working on: take it from them, wait until they let go, then remove it
- `losses`: Leases that ran out: a loss is nobody's failure, and only many of them in a row, with proof, mean that a point ends its workers
- `optuna_record`: Optuna's study behind one of ours: whether it is there, whether orch made it, and how it is removed whole
- `point_records`: What became of the points: read only, by anybody
- `points`: The plan is its own queue: who may work on which point, and what became of it
- `publishing`: One publisher at a time per study, and not all the time: a lease in one column of the study's row
- `study`: Create, load, stop and delete a study together with its spec and its points
- `study_records`: Studies as the database remembers them: those that this orch can read, and those that another version made
- `sweeping`: Tidy up what killed workers left in Optuna's record. Anybody may do it; of many idle workers, one at a time does
- `tracking`: One process at a time tells a tracker of a study's trials: a turn in the table of facts, by the clock of the database
- `trials`: Attempts at points as trials in Optuna's record: start, report, settle, end
- `workers`: Who is at work: one row per worker process, refreshed while it lives. For people; no guarantee rests on it
"""
