"""Worker processes of this machine, and whether it is ready.

- `doctor`: Is this machine ready to work: one check per line, ok, warn or fail
- `gpus`: The GPUs of this machine, as the driver lists them, and the share of a GPU's memory that a process may take
- `notifying`: Tell somebody when a study ends or the workers of a machine fail: by a command, or by a message to an address
- `on_finish`: What `orch worker --on-finish` may be run with: a study's name is data, and others may have chosen it
- `outlook`: What a worker says of the rest of its study, so that the terminal in which it runs shows how long it will take
- `processes`: Worker processes of one machine: on which GPUs, how many, and what runs when a study ends
- `stores`: Whether a folder can hold what orch keeps there: tried by a write, and by a lock that a second process must not get
- `worker_process`: One worker process under a supervisor: `python -m orchestrator.worker_process REQUEST` (JSON)
"""
