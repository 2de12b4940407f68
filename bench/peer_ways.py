"""The same study, run as other tools' tutorials run it, and by orch. Every way returns the value of each trial."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np

from bench.peer_study import PeerStudy

Values = list[float]
LARGE_STEPS_PER_EXECUTION = 8


def fit_trial(study: PeerStudy, params: dict[str, Any]) -> float:
    """One `model.fit` per fold, with validation data and the streaming AUC, as the tutorials do it."""
    import keras

    curves = []
    for train, validation in study.folds:
        model = build_model(study, params)
        model.compile(
            keras.optimizers.Adam(),
            "binary_crossentropy",
            metrics=[keras.metrics.AUC(multi_label=True, name="auc")],
        )
        history = model.fit(
            study.features[train],
            study.labels[train],
            validation_data=(study.features[validation], study.labels[validation]),
            batch_size=params["batch_size"],
            epochs=study.spec.training.epochs,
            verbose=0,
        )
        curves.append(history.history["val_auc"])
        keras.backend.clear_session()
    return float(np.mean(curves, axis=0).max())


def fit_trial_tuned(study: PeerStudy, params: dict[str, Any]) -> float:
    """The best that `fit` can do: no metrics while training, many steps per call, exact AUC once per epoch."""
    import keras

    from storage.metrics import epoch as metrics

    curves = []
    for train, validation in study.folds:
        model = build_model(study, params)
        steps = -(-len(train) // params["batch_size"])
        model.compile(
            keras.optimizers.Adam(),
            "binary_crossentropy",
            steps_per_execution=min(LARGE_STEPS_PER_EXECUTION, steps),
        )
        curve: list[float] = []

        def score(
            epoch: int, logs: object, model: Any = model, at: Any = validation, curve: Any = curve
        ) -> None:
            predicted = np.clip(model.predict_on_batch(study.features[at]), 1e-7, 1 - 1e-7)
            curve.append(metrics.score(study.labels[at], np.log(predicted / (1 - predicted))).auc)

        model.fit(
            study.features[train],
            study.labels[train],
            batch_size=params["batch_size"],
            epochs=study.spec.training.epochs,
            verbose=0,
            callbacks=[keras.callbacks.LambdaCallback(on_epoch_end=score)],
        )
        curves.append(curve)
        keras.backend.clear_session()
    return float(np.mean(curves, axis=0).max())


def build_model(study: PeerStudy, params: dict[str, Any]) -> Any:
    """The reference study's head, uncompiled."""
    from workers.models.head import build_head

    return build_head(
        study.spec, study.features.shape[1], study.labels.shape[1], dropout_rate=float(params["dropout_rate"])
    )


def run_optuna(study: PeerStudy, fit: Callable[[PeerStudy, dict[str, Any]], float] = fit_trial) -> Values:
    """Plain Optuna: an objective, a database, `optimize`."""
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    url = f"sqlite:///{study.folder / f'optuna-{time.time_ns()}.db'}"
    tuner = optuna.create_study(direction="maximize", storage=url)
    for params in study.trials:
        tuner.enqueue_trial(params)

    def objective(trial: optuna.Trial) -> float:
        params = {
            "batch_size": trial.suggest_int("batch_size", 16, 2048),
            "dropout_rate": trial.suggest_float("dropout_rate", 0.0, 0.5),
        }
        return fit(study, params)

    tuner.optimize(objective, n_trials=len(study.trials))
    return [float(trial.values[0]) for trial in tuner.trials]


def run_optuna_tuned(study: PeerStudy) -> Values:
    """Plain Optuna around the best tuning of `fit`."""
    return run_optuna(study, fit_trial_tuned)


def run_keras_tuner(study: PeerStudy) -> Values:
    """KerasTuner: a tuner whose `run_trial` cross-validates, over a list of trials."""
    import keras_tuner

    class CrossValidatingTuner(keras_tuner.GridSearch):
        def run_trial(self, trial: Any, *args: object, **kwargs: object) -> dict[str, float]:
            number = trial.hyperparameters.Int("trial", 0, len(study.trials) - 1)
            return {"value": fit_trial(study, study.trials[number])}

    tuner = CrossValidatingTuner(
        objective=keras_tuner.Objective("value", "max"),
        max_trials=len(study.trials),
        directory=study.folder / f"kerastuner-{time.time_ns()}",
    )
    tuner.search(verbose=0)
    found = {
        trial.hyperparameters.values.get("trial", 0): trial.score for trial in tuner.oracle.trials.values()
    }
    return [float(found.get(number, np.nan)) for number in range(len(study.trials))]


def run_ray(study: PeerStudy) -> Values:
    """Ray Tune: a grid over the list of trials, one at a time on all threads."""
    import os

    os.environ.setdefault("RAY_AIR_NEW_OUTPUT", "0")
    import ray
    from ray import tune

    began = not ray.is_initialized()
    if began:
        ray.init(
            num_cpus=study.spec.training.threads,
            include_dashboard=False,
            log_to_driver=False,
            logging_level="error",
        )

    def trainable(config: dict[str, int], study: PeerStudy) -> None:
        from workers.device import preparation as devices

        devices.prepare(study.spec.training.threads)
        tune.report({"value": fit_trial(study, study.trials[config["trial"]]), "number": config["trial"]})

    resources = tune.with_resources(
        tune.with_parameters(trainable, study=study), {"cpu": study.spec.training.threads}
    )
    results = tune.Tuner(
        resources,
        param_space={"trial": tune.grid_search(list(range(len(study.trials))))},
        tune_config=tune.TuneConfig(metric="value", mode="max", reuse_actors=True),
        run_config=tune.RunConfig(storage_path=str(study.folder / "ray"), verbose=0),
    ).fit()
    found = {result.metrics["number"]: result.metrics["value"] for result in results if result.metrics}
    if began:
        ray.shutdown()
    return [float(found.get(number, np.nan)) for number in range(len(study.trials))]


def run_orch(study: PeerStudy, precision: str = "float32") -> Values:
    """Orch: a study in a database and a worker, in this process."""
    from storage.database.opening import open_database
    from storage.studies.points import list_points
    from storage.studies.study import create_study
    from workers.process.circumstances import Circumstances
    from workers.process.worker import run_worker

    name = f"peers-{time.time_ns()}"
    spec = study.spec.with_values({"study.name": name, "training.precision": precision})
    database = open_database(f"sqlite:///{study.folder / f'{name}.db'}", create=True)
    try:
        record = create_study(
            database, spec, list(study.trials), data_folder=str(study.dataset.folder), facts={}
        )
        run_worker(
            Circumstances(database, tell=lambda text: None), [name], [study.dataset.folder], study.cache
        )
        points = list_points(database, record.uuid)
    finally:
        database.close()
    return [float(np.nan if point.value is None else point.value) for point in points]


def run_orch_bfloat16(study: PeerStudy) -> Values:
    """Orch with the matrix products of the hidden layers in bfloat16."""
    return run_orch(study, "bfloat16")


def measure_reference_loop(study: PeerStudy) -> float:
    """Seconds of a fold-epoch of the reference study, whose frozen InceptionV3 runs on every image of every epoch.

    Extrapolated from one training step of 16 images and one validation batch, both after a first one that compiles.
    """
    import keras

    batch = 16
    backbone = keras.applications.InceptionV3(include_top=False, weights=None, pooling="max")
    backbone.trainable = False
    head = build_model(study, {"dropout_rate": 0.2})
    inputs = keras.Input((299, 299, 3))
    model = keras.Model(inputs, head(backbone(inputs, training=False)))
    model.compile(keras.optimizers.Adam(), "binary_crossentropy")
    pixels = np.random.default_rng(0).random((batch, 299, 299, 3), dtype=np.float32)
    labels = study.labels[:batch]
    model.train_on_batch(pixels, labels)
    model.test_on_batch(pixels, labels)
    began = time.perf_counter()
    model.train_on_batch(pixels, labels)
    trained = time.perf_counter()
    model.test_on_batch(pixels, labels)
    per_train, per_validation = (trained - began) / batch, (time.perf_counter() - trained) / batch
    train, validation = study.folds[0]
    return len(train) * per_train + len(validation) * per_validation
