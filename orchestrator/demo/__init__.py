"""The guided first run, and the test of an installation.

- `first_run`: The guided first run: synthetic radiographs -> data set -> Regime I -> Regime II -> best JSON of both
- `radiographs`: Synthetic radiographs of healing tibia fractures, drawn so that the whole of orch can be tried without data
- `self_test`: Does this installation work: a small study from drawn images to a report, each step checked; less than a minute
"""
