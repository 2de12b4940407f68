"""The commands of `orch`: each parses, calls one use case, and prints.

- `compare`: `orch compare`
- `dashboard`: `orch dashboard`
- `db`: `orch db`: init, check, upgrade, grant-readonly
- `features`: `orch features`
- `fleet`: `orch fleet`: slurm, kubernetes, compose, ssh
- `publish`: `orch publish`
- `report`: `orch report`
- `setup`: `orch init`, `orch doctor`, `orch demo` and `orch self-test`: the first things a new user runs
- `status`: `orch status`
- `trial`: `orch trial`: show, replay
- `worker`: `orch worker`
"""
