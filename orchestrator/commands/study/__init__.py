"""`orch study`.

- `create`: `orch study create`
- `evaluate`: `orch study evaluate`
- `export`: `orch study export`
- `group`: `orch study`: list, show, stop, resume, delete. The other commands on studies have files of their own
- `verify`: `orch study verify`
- `watch`: `orch study watch`
"""
