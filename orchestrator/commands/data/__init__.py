"""`orch data`.

- `audit`: `orch data audit`
- `forget`: `orch data forget`
- `group`: `orch data`: import, show. `audit` has a file of its own
- `preview`: `orch data preview`
"""
