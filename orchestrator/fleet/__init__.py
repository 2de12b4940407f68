"""Many workers of one study under somebody else's scheduler: what each of them reads, and its submission.

- `compose`: A Docker Compose file: one service for each worker, with GPUs of its own
- `kubernetes`: Kubernetes: a Job with a completion for each worker, or a Deployment that KEDA scales with the trials left
- `order`: What is wanted of a fleet, whichever scheduler runs it; checked against the study, and without any password
- `slurm`: A Slurm job array: one task for each worker, requeued when it is preempted or its time is over
- `ssh`: Workers on machines that are reached by ssh: a script that starts, shows and stops them
- `submission`: Write the files of a fleet and hand them to the program that runs them
"""
