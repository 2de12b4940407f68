"""One attempt at a point, as the objective sees it.

- `attempt`: One attempt at a point, as the objective sees it: what it may report, and when it must stop
- `lease`: Hold a point while it is worked on, and notice when it was lost or the worker is told to stop
- `sampling`: Parameters of a point that has none yet: drawn by an adaptive sampler when the point is first claimed
- `watchdog`: Notice a training that hangs: a kernel that never returns would hold its trial for ever, as the lease is renewed beside it
"""
