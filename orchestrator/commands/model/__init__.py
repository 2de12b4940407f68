"""`orch model`.

- `evaluate`: `orch model evaluate`
- `find_lr`: `orch model find-lr`
- `group`: `orch model train`, `show`; the other commands on models are mounted here
- `predict`: `orch model predict` and `orch model explain`
"""
