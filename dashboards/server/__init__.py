"""optuna-dashboard behind a login.

- `login`: A guard in front of a WSGI application: a password or a token, a cookie, and no way around
- `serve`: optuna-dashboard, served by waitress behind a login, so that looking cannot change anything
"""
