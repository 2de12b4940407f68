"""`orch data`.

- `audit`: `orch data audit`
- `forget`: `orch data forget`
- `group`: `orch data`: show. The other commands have files of their own
- `importing`: `orch data import`
- `preview`: `orch data preview`
- `showing`: How a data set, or a guess at one, is shown: in words and as a document
"""
