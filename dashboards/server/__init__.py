"""optuna-dashboard behind a login.

- `connections`: Connections to the dashboard: those that say nothing, or speak too slowly, take nothing from the others
- `guessing`: Who must wait after wrong passwords: the address that guessed, and no other
- `health`: What /healthz answers: whether the database does, asked at most once a second however many ask here
- `login`: A guard in front of a WSGI application: a password or a link, a cookie, and no way around
- `serve`: optuna-dashboard, served by waitress behind a login, so that looking cannot change anything
"""
