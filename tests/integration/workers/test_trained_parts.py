"""What grows out of a study is trained by Keras as its trials are: the searches of outer folds, repeats, a learning curve."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np

from dashboards.tables.importance import FEWEST_TRIALS, estimate_importance
from dashboards.tables.view import read_view
from orchestrator.planning.plan import plan_points
from orchestrator.planning.review import fill_in_features
from orchestrator.studies.comparing import compare_studies
from orchestrator.studies.verify_parts import verify_whole
from storage.data.given_features import keep_features
from storage.database.opening import open_database
from storage.growth.part_specs import Role, role_of
from storage.growth.parts import list_parts, make_learning_curve, make_searches
from storage.settings import keras_backend
from storage.spec import parse
from storage.studies.point_records import count_points
from storage.studies.study import create_study, load_study
from storage.trust.learning_curve import judge_learning_curve
from storage.trust.selection import judge_selection
from tests.labelled_studies import make_dataset
from workers.process.circumstances import Circumstances
from workers.process.worker import run_worker


def test_parts_are_trained_and_the_whole_is_verified_compared_and_weighed(
    tmp_path: Path, sqlite_url: str
) -> None:
    dataset = make_dataset(tmp_path / "data", patients=36)
    noise = np.random.default_rng(0).normal(size=(len(dataset.files), 5))
    values = np.concatenate([noise, np.nan_to_num(dataset.labels, nan=0.5)], axis=1).astype(np.float32)
    keep_features(dataset.folder, "dino", values, dataset.fingerprint, "t.npz")

    def make(name: str, trials: int, **cv: Any) -> Any:
        document = {
            "study": {"name": name, "trials": trials},
            "data": {"fingerprint": dataset.fingerprint, "targets": list(dataset.targets)},
            "model": {"head": [4], "features": "dino"},
            "training": {"epochs": 2, "threads": 1, "batch_size": 16},
            "cv": {"folds": 2, **cv},
            "pruner": {"name": "none"},
            "search": {
                "learning_rate": {"type": "float", "low": 1e-3, "high": 0.1, "log": True},
                "dropout_rate": {"type": "float", "low": 0.0, "high": 0.9},
            },
        }
        spec = fill_in_features(parse(document, source="a test"), dataset)
        study = create_study(database, spec, plan_points(spec), data_folder=str(dataset.folder), facts={})
        make_searches(database, study, dataset, plan_points)
        return study

    def work(name: str) -> Any:
        run_worker(Circumstances(database), [name], [dataset.folder], tmp_path / "cache")
        return load_study(database, name)

    with closing(open_database(sqlite_url)) as database:
        make("whole", 3, nested=2, repeats_of_winner=1)
        study = work("whole")
        make_learning_curve(database, study, dataset, [50, 100], 1)
        study = work("whole")
        parts = list_parts(database, study)
        assert {role_of(part.spec) for part in parts} == set(Role)
        counts = [count_points(database, part.uuid) for part in parts]
        assert all(one.complete == one.planned for one in counts)
        assert verify_whole(database, study, dataset)["problems"] == []
        selection = judge_selection(database, study)
        assert selection is not None
        assert selection["nested"]["finished"] == 2
        assert selection["correction"] == "repeats"
        curve = judge_learning_curve(database, study)
        assert [one["is_settled"] for one in curve["sizes"]] == [True, True]
        make("other", FEWEST_TRIALS)
        other = work("other")
        [comparison] = compare_studies(database, ["whole", "other"], [], resamples=50)["comparisons"]
        assert comparison["folds"] is not None
        found = estimate_importance(read_view(database, other))
        assert {one.name for one in found} == {"learning_rate", "dropout_rate"}
        trials = database.optuna.get_all_trials(database.optuna.get_study_id_from_name("other"))
        assert all(keras_backend() in str(trial.user_attrs) for trial in trials)
