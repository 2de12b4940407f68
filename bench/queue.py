"""What the queue costs per point, beside stock Optuna doing the same on the same PostgreSQL.

One point: claim, 20 epochs (a report, a pruning check and six fold rows each), finish. Stock Optuna: `study.optimize`
with RandomSampler and SuccessiveHalvingPruner, 20 reports with `should_prune`, the fold rows as one user attribute per
epoch ("stock"), or left out ("bare"). Every trial is a little better than those before, so that none is pruned.

    python -m bench.queue [--history 100 1000 5000] [--processes 1 8] [--points 24] [--sleep 30]
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import threading
import time
from typing import Any

import optuna
import sqlalchemy as sa

from storage.database.opening import open_database
from storage.results.ledger import run_key
from storage.spec import StudySpec, parse
from storage.studies.study import StudyRecord, create_study, load_study
from tests.postgres import PostgresServer
from tests.studies import PretendObjective, processes
from workers.process.circumstances import Circumstances
from workers.process.loop import Worker

FOLDS, EPOCHS = 6, 20
STUDY = "queue"


def main() -> None:
    """Measure and print one JSON line per case, then the ratios."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--history", type=int, nargs="*", default=[100, 1000, 5000])
    parser.add_argument("--processes", type=int, nargs="*", default=[1, 8])
    parser.add_argument("--points", type=int, default=24, help="measured points per process")
    parser.add_argument("--sleep", type=float, default=30.0, help="seconds per point of the throughput test")
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    server = PostgresServer()
    server.start()
    try:
        for count in arguments.processes:
            costs = {history: compare(server, history, count, arguments) for history in arguments.history}
            growth = {
                way: round(costs[max(costs)][way] / costs[min(costs)][way], 2) for way in costs[min(costs)]
            }
            show(processes=count, growth_from=min(costs), growth_to=max(costs), growth=growth)
        if arguments.sleep:
            throughput(server, arguments.sleep)
    finally:
        server.close()


def compare(server: PostgresServer, history: int, count: int, arguments: Any) -> dict[str, float]:
    """Milliseconds per point of each way, in turn, the median of the rounds."""
    rounds: dict[str, list[float]] = {"orch": [], "stock": [], "bare": []}
    for _ in range(arguments.rounds):
        for way, seconds in rounds.items():
            url = server.copy_template(lambda fresh: open_database(fresh, create=True).close())
            points = count * arguments.points
            prepare(url, history, points)
            seconds.append(1000 * run(way, url, count, arguments.points) / points)
            server.drop_database(url)
    medians = {way: round(statistics.median(seconds), 1) for way, seconds in rounds.items()}
    show(history=history, processes=count, ms_per_point=medians, orch_to_stock=ratio(medians), load=load())
    return medians


def ratio(medians: dict[str, float]) -> dict[str, float]:
    """What orch costs of what the other ways cost."""
    return {way: round(medians["orch"] / medians[way], 2) for way in ("stock", "bare")}


def make_spec(points: int, name: str = STUDY) -> StudySpec:
    """A study of so many points."""
    return parse(
        {
            "study": {"name": name, "trials": points},
            "data": {"fingerprint": "sha256:" + "0" * 64},
            "training": {"epochs": EPOCHS},
            "cv": {"folds": FOLDS},
            "search": {"batch_size": {"type": "int", "low": 16, "high": 2048}},
            "pruner": {"name": "halving", "min_resource": 1},
        },
        source="the benchmark",
    )


def prepare(url: str, history: int, points: int) -> None:
    """Fill in a history of complete points, by SQL, and leave so many open ones."""
    database = open_database(url)
    spec = make_spec(history + points)
    params = [{"batch_size": 16 + number % 2000} for number in range(history + points)]
    study = create_study(database, spec, params, data_folder="", facts={})
    keys = [run_key(study.spec_hash, params[number]) for number in range(history)]
    distribution = optuna.distributions.distribution_to_json(optuna.distributions.IntDistribution(16, 2048))
    with database.transaction() as connection:
        connection.execute(
            sa.text(
                "INSERT INTO trials (trial_id, number, study_id, state, datetime_start, datetime_complete) "
                "SELECT n + 1, n, :study, 'COMPLETE', now(), now() FROM generate_series(0, :last) AS n"
            ),
            {"study": study.optuna_study_id, "last": history - 1},
        )
        for statement in (
            "SELECT setval('trials_trial_id_seq', (SELECT max(trial_id) FROM trials))",
            "INSERT INTO trial_values (trial_id, objective, value, value_type) "
            "SELECT trial_id, 0, 0.5 + 1e-6 * number, 'FINITE' FROM trials",
            "INSERT INTO trial_params (trial_id, param_name, param_value, distribution_json) "
            "SELECT trial_id, 'batch_size', 16 + number % 2000, :distribution FROM trials",
            "INSERT INTO trial_intermediate_values (trial_id, step, intermediate_value, "
            "intermediate_value_type) SELECT trial_id, step, 0.5 + 1e-6 * number, 'FINITE' "
            f"FROM trials, generate_series(1, {EPOCHS}) AS step",
            "INSERT INTO trial_user_attributes (trial_id, key, value_json) SELECT trial_id, "
            "'epoch_' || step, '[0.5, 0.5, 0.5, 0.5, 0.5, 0.5]' "
            f"FROM trials, generate_series(1, {EPOCHS}) AS step",
            "UPDATE orch_points SET state = 'done', outcome = 'COMPLETE', attempt = 1, "
            "value = 0.5 + 1e-6 * point, trial_id = point + 1, trial_number = point "
            f"WHERE point < {history}",
        ):
            values = {"distribution": distribution} if ":distribution" in statement else {}
            connection.execute(sa.text(statement), values)
        connection.execute(
            sa.text(
                "INSERT INTO orch_epochs (study_uuid, point, run_key, fold, epoch, val_auc, steps, samples, "
                "labels_left_out, seconds) SELECT :uuid, n - 1, key, fold, epoch, 0.5 + 1e-6 * (n - 1), 1, 100, 0, 0.1 "
                "FROM unnest(CAST(:keys AS text[])) WITH ORDINALITY AS known(key, n), "
                f"generate_series(0, {FOLDS - 1}) AS fold, generate_series(1, {EPOCHS}) AS epoch"
            ),
            {"uuid": study.uuid, "keys": keys},
        )
    with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(sa.text("ANALYZE"))
    database.close()


def run(way: str, url: str, count: int, points: int, sleep: float = 0.0) -> float:
    """Seconds for so many processes to work off their points, from the moment all are ready."""
    ready, go = processes.Barrier(count + 1), processes.Event()
    started = [
        processes.Process(target=work, args=(way, url, points, sleep, ready, go)) for _ in range(count)
    ]
    for process in started:
        process.start()
    ready.wait()
    began = time.perf_counter()
    go.set()
    for process in started:
        process.join()
    assert all(process.exitcode == 0 for process in started), "a process failed"
    return time.perf_counter() - began


def work(way: str, url: str, points: int, sleep: float, ready: Any, go: Any) -> None:
    """One process: the libraries and its connection first, then the points."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    database = open_database(url)
    study = load_study(database, STUDY)
    if way == "orch":
        stop, left = threading.Event(), [points]
        objective = PretendObjective(auc=better_each_time, seconds=sleep / EPOCHS / FOLDS)

        def count_down(_: str) -> None:
            left[0] -= 1
            if not left[0]:
                stop.set()

        worker = Worker(Circumstances(database, stop, tell=count_down), lambda _: objective)
        ready.wait()
        go.wait()
        worker.run(lambda: [load_study(database, STUDY)])
    else:
        storage = optuna.storages.RDBStorage(url, engine_kwargs={"pool_pre_ping": True})
        loaded = optuna.load_study(
            study_name=STUDY,
            storage=storage,
            sampler=optuna.samplers.RandomSampler(seed=os.getpid()),
            pruner=optuna.pruners.SuccessiveHalvingPruner(min_resource=1, reduction_factor=2),
        )
        ready.wait()
        go.wait()
        loaded.optimize(lambda trial: stock(trial, study, way, sleep), n_trials=points)


def stock(trial: optuna.Trial, study: StudyRecord, way: str, sleep: float) -> float:
    """What the objective of a user of stock Optuna does."""
    trial.suggest_int("batch_size", 16, 2048)
    value = 0.0
    for epoch in range(1, EPOCHS + 1):
        time.sleep(sleep / EPOCHS)
        value = better_each_time(trial.number, 0, epoch)
        if way == "stock":
            trial.set_user_attr(f"epoch_{epoch}", [value] * FOLDS)
        trial.report(value, epoch)
        if trial.should_prune():
            raise optuna.TrialPruned
    return value


def better_each_time(point: int, fold: int, epoch: int) -> float:
    """A little better than every point before."""
    return 0.5 + 1e-6 * point


def throughput(server: PostgresServer, sleep: float, count: int = 8, points: int = 4) -> None:
    """Share of the ideal that 8 processes of sleeping points reach."""
    for way in ("orch", "stock"):
        url = server.copy_template(lambda fresh: open_database(fresh, create=True).close())
        prepare(url, 100, count * points)
        seconds = run(way, url, count, points, sleep)
        share = round(sleep * points / seconds, 3)
        show(throughput=way, processes=count, seconds_per_point=sleep, share_of_ideal=share, load=load())
        server.drop_database(url)


def load() -> float:
    """The load of the machine now, this benchmark included."""
    return round(os.getloadavg()[0], 1)


def show(**facts: Any) -> None:
    """Print one line."""
    print(json.dumps(facts), flush=True)


if __name__ == "__main__":
    main()
