"""The guided first run.

- `first_run`: The guided first run: synthetic radiographs -> data set -> Regime I -> Regime II -> best JSON of both
- `radiographs`: Synthetic radiographs of healing tibia fractures, drawn so that the whole of orch can be tried without data
"""
