"""One worker process and its supervisor.

- `circumstances`: What a worker process works under: the database, the device, how it is told to stop, and who hears of it
- `draining`: How a worker is told to stop: SIGTERM or SIGINT, heard even while the process waits for a server that never answers
- `grace`: The grace period: a worker that is told to stop ends in time, even in the middle of a long epoch
- `loop`: The loop of one worker process: claim a point, evaluate it, settle it; until every point is settled
- `messages`: What a worker process tells its supervisor, and with which code it leaves after a defect. Light to import
- `supervisor`: Keep one worker process per slot alive: start, restart with back-off, pass signals on, give up where it is no use
- `trial_run`: From a claim to a settled point: start the trial, evaluate it, and say what became of it
- `worker`: A worker process: which studies it may serve with the data that is here, and how it is told to stop
"""
