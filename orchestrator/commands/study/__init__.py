"""`orch study`.

- `challenge`: `orch study challenge`
- `costs`: What a planned study holds and costs: as JSON, and as facts on the screen
- `create`: `orch study create`
- `evaluate`: `orch study evaluate`
- `export`: `orch study export`
- `group`: `orch study`: list, show, stop, resume, delete. The other commands on studies have files of their own
- `growing`: `orch study extend`, `orch study add`, `orch study import-optuna`
- `learning_curve`: `orch study learning-curve`
- `prove`: `orch study prove` and `orch study check`
- `verify`: `orch study verify`
- `watch`: `orch study watch`
"""
