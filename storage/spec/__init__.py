"""A study as data: its sections, its checks, its TOML.

- `distributions`: The search section of a spec in Optuna's words
- `sections`: The sections of a study spec: each hyperparameter and setting, its type, its limits and its default
- `study`: A study as data: what is searched, on which data, with which model, and how it is judged
- `toml`: A study spec as a TOML file: read, and written so that it reads back equal
"""
