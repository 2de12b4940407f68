"""The start page and optuna-dashboard behind a login.

- `connections`: Connections to the dashboard: those that say nothing, or speak too slowly, take nothing from the others
- `counting`: What the overview is counted from: of all studies at once, in one query each
- `guessing`: Who must wait after wrong passwords: the address that guessed, and no other
- `health`: What /healthz answers: whether the database does, asked at most once a second however many ask here
- `live`: The start page kept fresh: one poller for all readers, and streams of server-sent events that take no thread from others
- `login`: A guard in front of a WSGI application: a password or a link, a cookie, and no way around
- `optuna_pages`: optuna-dashboard's own pages with what orch adds: progress and values in its list, figures in its theme, and why it refuses
- `overview`: What the start page shows, read in a handful of queries: the fleet now, the studies, and what went wrong lately
- `progress`: Where a trial is, and since when it has been there: a worker may say that it lives and get no further
- `serve`: The start page and optuna-dashboard, served by waitress behind a login, so that looking cannot change anything
- `start`: The start page in front of optuna-dashboard: the fleet now, the studies, what went wrong, and links to the rest
"""
