"""One worker process and its supervisor.

- `blame`: Whose fault an error is that ended a trial: the trial's own, its memory's, or the world's, which no trial pays for
- `circumstances`: What a worker process works under: the database, the device, how it is told to stop, and who hears of it
- `claiming`: Which point a process takes next: one that failed on its device comes last, and is left to others where they must judge it
- `draining`: How a worker is told to stop: SIGTERM or SIGINT, heard even while the process waits for a server that never answers
- `grace`: The grace period: a worker that is told to stop ends in time, even in the middle of a long epoch
- `loop`: The loop of one worker process: claim a point, evaluate it, settle it; until every point is settled
- `messages`: What a worker process tells its supervisor, and with which code it leaves. Light to import
- `preparing`: While a worker prepares a study: it says so, and it leaves a study alone for a while that the world keeps it from preparing
- `presence`: What a worker process says of itself in the database: that it is there, on which device, and what it works on
- `side_by_side`: The trials that one process works on at the same time, each on a thread of its own
- `supervisor`: Keep one worker process per slot alive: start, restart with back-off, pass signals on, give up where it is no use
- `track_record`: What became of the trials of this process, what it has failed on, and for how long it leaves which study alone: it may be the process that is sick
- `trial_run`: From a claim to a settled point: start the trial, evaluate it, and say what became of it
- `worker`: A worker process: which studies it may serve with the data that is here, and how it is told to stop
"""
