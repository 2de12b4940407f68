"""One database that orch and Optuna share: address, engine, tables, versions, waiting.

- `access`: What a role may do with the database, and whether it holds every text
- `address`: The address of the study database: as users write it, and as it may be shown
- `backup`: A copy of the whole study database in one file, and a database made from such a file
- `columns`: Columns of metrics: a metric that is added to the list needs no migration
- `deadlines`: How long this thread's calls to the database may take, all together
- `engine`: From a URL to a database that orch and Optuna share
- `hosts`: A SQLite file belongs to one machine: its write-ahead log lives in memory that two kernels cannot share
- `opening`: From a URL to a checked database
- `schema`: Our tables in the database: made once whoever comes first, checked by everybody, brought forward by Alembic
- `sqlite_file`: How the processes and users of one machine open one SQLite file: writers beside readers, and never a file made by accident
- `tables`: Our own tables, beside Optuna's in the same database; every name begins with `orch_`
- `trouble`: What an error of the database means: whether it passes by itself, what it is called, and what a person can do
- `waiting`: A database that is away, full or busy is waited for: how long between tries, and what is said meanwhile
- `watching`: A limit for every call to a PostgreSQL server: one that accepts and never answers would hold its caller for ever
"""
