"""What was changed in a finished study is named by `orch study verify`, and by `orch study check` on a bundle of it."""

from __future__ import annotations

import hashlib
import io
import json
import shutil
import sqlite3
import time
import zipfile
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from orchestrator.cli import run
from orchestrator.planning.plan import plan_points
from orchestrator.proof.bundle import check_bundle, write_bundle
from orchestrator.studies.verify import verify_study
from storage.data.datasets import Dataset, load_dataset
from storage.database import tables
from storage.database.engine import Database
from storage.database.opening import open_database
from storage.errors import DataError
from storage.holdout.openings import Opening, record_opening
from storage.spec import from_json
from storage.studies.chain import complete_chain, link_growth, link_point, read_chain
from storage.studies.study import create_study, delete_study, load_study
from storage.trust.plan import FACT, seal_plan
from tests.labelled_studies import LabelledObjective, make_dataset, remember_evaluation
from tests.studies import make_spec
from workers.process.circumstances import Circumstances
from workers.process.loop import Worker

NAME = "proven"
PLAN = {"primary_metric": "val_auc", "trials": 4, "holdout": "once"}


@dataclass(frozen=True)
class Finished:
    folder: Path
    dataset: Dataset

    def copy(self, place: Path) -> Database:
        for part in self.folder.glob("orch.db*"):
            shutil.copy(part, place / part.name)
        return open_database(f"sqlite:///{place / 'orch.db'}")


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory, sqlite_template: Path) -> Finished:
    folder = tmp_path_factory.mktemp("finished")
    for part in sqlite_template.parent.glob("orch.db*"):
        shutil.copy(part, folder / part.name)
    database = open_database(f"sqlite:///{folder / 'orch.db'}")
    dataset = make_dataset(folder / "data")
    spec = make_spec(NAME, points=4, **{"data.fingerprint": dataset.fingerprint})
    facts = {"warnings": ["a warning"], "accepted": ["copies"], FACT: seal_plan(PLAN)}
    create_study(database, spec, plan_points(spec), data_folder=str(dataset.folder), facts=facts)
    Worker(Circumstances(database), lambda _: LabelledObjective(dataset)).run(
        lambda: [load_study(database, NAME)]
    )
    study = load_study(database, NAME)
    remember_evaluation(database, study, dataset, "hold-out")
    opening = Opening(dataset.fingerprint, time.time(), "me@here", "c" * 64, "evaluation", study.uuid)
    record_opening(dataset, database, opening, again=False)
    age(database)
    database.close()
    return Finished(folder, dataset)


def age(database: Database) -> None:
    """Let the study have been finished an hour ago, as the one who tampers with it finds it."""
    with database.transaction() as connection:
        connection.execute(sa.update(tables.points).values(finished_at=tables.points.c.finished_at - 3600))


def ask_both(database: Database, dataset: Dataset | None, bundle: Path) -> tuple[list[str], list[str]]:
    study = load_study(database, NAME)
    found = verify_study(database, study, plan_points(study.spec), dataset)
    content, _ = write_bundle(database, study, None, 0)
    bundle.write_bytes(content)
    return found["problems"], check_bundle(bundle)["problems"]


def test_an_honest_study_is_consistent_and_its_bundle_says_so(finished: Finished, tmp_path: Path) -> None:
    database = finished.copy(tmp_path)
    chain = read_chain(database, load_study(database, NAME).uuid)
    assert [link["n"] for link in chain] == list(range(7))
    assert sorted(link["point"] for link in chain[1:5]) == [0, 1, 2, 3]
    assert [link["event"] for link in chain[5:]] == ["evaluation", "opening"]
    assert ask_both(database, finished.dataset, tmp_path / "bundle.zip") == ([], [])
    document = check_bundle(tmp_path / "bundle.zip", head=chain[-1]["hash"])
    assert document["ok"]
    assert document["deviations"] == []
    assert document["plan"]["plan"] == PLAN
    # Linking again, and what a sweep does, change nothing.
    uuid = load_study(database, NAME).uuid
    assert not link_point(database, uuid, 2)
    assert complete_chain(database, uuid) == 0
    assert read_chain(database, uuid) == chain
    assert not check_bundle(tmp_path / "bundle.zip", head="ab" * 32)["ok"]
    delete_study(database, load_study(database, NAME))
    with database.reading() as connection:
        keys = connection.execute(sa.select(tables.facts.c.key)).scalars().all()
    assert not [key for key in keys if uuid in key]
    database.close()


epochs, points, predictions, studies, facts, evaluations, openings = (
    tables.epochs, tables.points, tables.predictions, tables.studies, tables.facts, tables.evaluations, tables.holdout_openings,
)  # fmt: skip


def change_epoch(column: str, value: Any, *, fold: int = 0, epoch: int = 1, point: int = 1) -> Any:
    where = (epochs.c.point == point) & (epochs.c.fold == fold) & (epochs.c.epoch == epoch)
    return sa.update(epochs).where(where).values({column: value})


def edit_spec(key: str, value: Any) -> Any:
    def edit(connection: Any) -> None:
        text = connection.execute(sa.select(studies.c.spec)).scalar_one()
        changed = from_json(text).with_values({key: value})
        connection.execute(sa.update(studies).values(spec=changed.to_json()))

    return edit


def edit_facts(key: str, value: Any) -> Any:
    def edit(connection: Any) -> None:
        noted = json.loads(connection.execute(sa.select(studies.c.facts)).scalar_one())
        noted[key] = value
        connection.execute(sa.update(studies).values(facts=json.dumps(noted)))

    return edit


def raise_everywhere(connection: Any) -> None:
    # Ledger, point and Optuna's record together.
    connection.execute(sa.update(epochs).where(epochs.c.point == 1).values(val_auc=epochs.c.val_auc + 0.01))
    connection.execute(sa.update(points).where(points.c.point == 1).values(value=points.c.value + 0.01))
    connection.execute(sa.text("UPDATE trial_values SET value = value + 0.01"))


def two_folds_with_the_mean_kept(connection: Any) -> None:
    for fold, step in ((0, 0.02), (1, -0.02)):
        connection.execute(change_epoch("val_auc", epochs.c.val_auc + step, fold=fold, epoch=2))


def cut_from_four_to_two(connection: Any) -> None:
    for table in (epochs, points, predictions):
        connection.execute(sa.delete(table).where(table.c.point.in_([0, 1])))


def take_out_a_trial(connection: Any) -> None:
    # Wherever it stands: ledger, predictions, point, Optuna's record.
    for table in (epochs, points, predictions):
        connection.execute(sa.delete(table).where(table.c.point == 0))
    connection.execute(sa.text("DELETE FROM trials WHERE number = 0"))


def change_spec_and_hash(connection: Any) -> None:
    text = connection.execute(sa.select(studies.c.spec)).scalar_one()
    changed = from_json(text).with_values({"training.learning_rate": 0.5})
    connection.execute(sa.update(studies).values(spec=changed.to_json(), spec_hash=changed.spec_hash))


def swap_images(connection: Any) -> None:
    rows = connection.execute(
        sa.select(predictions.c.fold, predictions.c.indices).where(predictions.c.point == 2).limit(2)
    ).all()
    for row, other in zip(rows, rows[::-1], strict=True):
        where = (predictions.c.point == 2) & (predictions.c.fold == row.fold)
        connection.execute(sa.update(predictions).where(where).values(indices=other.indices))


def cut_the_chain(connection: Any) -> None:
    # From the last trial on.
    keys = connection.execute(sa.select(facts.c.key).where(facts.c.key.like("chain:%"))).scalars()
    connection.execute(sa.delete(facts).where(facts.c.key.in_(sorted(keys)[4:])))


def edit_a_link(connection: Any) -> None:
    key, text = connection.execute(
        sa.select(facts.c.key, facts.c.value).where(facts.c.key.like("chain:%000002"))
    ).one()
    connection.execute(
        sa.update(facts)
        .where(facts.c.key == key)
        .values(value=json.dumps({**json.loads(text), "value": "0.99"}))
    )


CHANGES: dict[str, tuple[Any, str]] = {
    "a fold value of another epoch": (change_epoch("val_auc", 0.9), "fold results of planned trial 1 were changed"),
    "two folds with the mean kept": (two_folds_with_the_mean_kept, "fold results of planned trial 1 were changed"),
    "a medical metric": (change_epoch("val_specificity", 0.99), "fold results of planned trial 1 were changed"),
    "a loss": (change_epoch("val_loss", 0.1), "fold results of planned trial 1 were changed"),
    "the seconds": (change_epoch("seconds", 99.0), "fold results of planned trial 1 were changed"),
    "a learning rate": (change_epoch("learning_rate", 0.123), "fold results of planned trial 1 were changed"),
    "value raised everywhere": (raise_everywhere, "was finished with value"),
    "predictions zeroed": (
        sa.update(predictions).where(predictions.c.point == 2).values(values=sa.func.zeroblob(sa.func.length(predictions.c["values"]))),
        "kept predictions of planned trial 2 were changed",
    ),
    "epoch of predictions": (
        sa.update(predictions).where(predictions.c.point == 2).values(epoch=2),
        "kept predictions of planned trial 2 were changed",
    ),
    "a prediction deleted": (
        sa.delete(predictions).where((predictions.c.point == 2) & (predictions.c.fold == 0)),
        "kept predictions of planned trial 2 were changed",
    ),
    "spec: learning rate": (edit_spec("training.learning_rate", 0.5), "the spec"),
    "spec: augmentation": (edit_spec("augmentation.rotation", 10.0), "the spec"),
    "spec: pruner": (edit_spec("pruner.name", "careful"), "the spec"),
    "spec: weights": (edit_spec("model.weights", "none"), "the spec"),
    "spec: seed": (edit_spec("study.seed", 7), "the spec"),
    "spec and hash together": (change_spec_and_hash, "the spec"),
    "a point value": (sa.update(points).where(points.c.point == 1).values(value=0.99), "was finished with value"),
    "a trial taken out everywhere": (take_out_a_trial, "its row was deleted"),
    "a value in Optuna's record": (sa.text("UPDATE trial_values SET value = value + 0.01"), "and its trial 0."),
    "a trial deleted in Optuna's record": (sa.text("DELETE FROM trials WHERE number = 1"), "is done and has 0 finished trials"),
    "images of predictions swapped": (swap_images, "kept predictions of planned trial 2 were changed"),
    "warnings emptied": (edit_facts("warnings", []), "what was noted at the creation"),
    "trials deleted": (cut_from_four_to_two, "its row was deleted"),
    "another data set": (sa.update(studies).values(fingerprint="sha256:" + "0" * 64), "fingerprint of the data set"),
    "accepted findings emptied": (edit_facts("accepted", []), "what was noted at the creation"),
    "the plan": (edit_facts(FACT, seal_plan({**PLAN, "primary_metric": "val_f1"})), "what was noted at the creation"),
    "the canary": (sa.update(studies).values(canary="{}"), "both ends"),
    "a parameter": (
        sa.update(points).where(points.c.point == 3).values(params='{"batch_size": 999}'), "was finished with params",
    ),
    "an attempt": (sa.update(points).where(points.c.point == 3).values(attempt=9), "was finished with attempt"),
    "an evaluation": (
        sa.update(evaluations).values(document=sa.func.replace(evaluations.c.document, "0.", "0.9")), "An evaluation of a model of this study was changed",
    ),
    "an evaluation deleted": (sa.delete(evaluations), "An evaluation of a model of this study was changed"),
    "an opening": (sa.update(openings).values(model_sha256="d" * 64), "the hold-out was opened for a model of this study"),
    "an opening deleted": (sa.delete(openings), "the hold-out was opened for a model of this study"),
    "the last link": (cut_the_chain, "is not in the chain"),
    "a link": (edit_a_link, "was edited"),
}  # fmt: skip


@pytest.fixture(scope="module")
def opened(finished: Finished, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    database = finished.copy(tmp_path_factory.mktemp("opened"))
    yield database
    database.close()


@pytest.mark.parametrize("change", CHANGES)
def test_a_change_is_named(finished: Finished, opened: Database, tmp_path: Path, change: str) -> None:
    act, told = CHANGES[change]
    # A copy of the database for each change would take seconds; this puts Optuna's rows back, too.
    source, target = sqlite3.connect(finished.folder / "orch.db"), sqlite3.connect(opened.url.database or "")
    with closing(source), closing(target):
        source.backup(target)
    with opened.transaction() as connection:
        act(connection) if callable(act) else connection.execute(act)
    for problems in ask_both(opened, None, tmp_path / "bundle.zip"):
        assert any(told in problem for problem in problems), problems


def change_lines(
    name: str, change: Callable[[list[dict[str, Any]]], Any]
) -> Callable[[dict[str, str]], None]:
    def edit(texts: dict[str, str]) -> None:
        rows = [json.loads(line) for line in texts[name].splitlines()]
        change(rows)
        texts[name] = "".join(json.dumps(row) + "\n" for row in rows)

    return edit


def cut_and_date(texts: dict[str, str]) -> None:
    # As if the last trial had been finished a moment before the bundle was written.
    change_lines("chain.jsonl", lambda links: links.__delitem__(slice(4, None)))(texts)
    change_lines("study.json", lambda rows: rows[0].update(read_at=0.0))(texts)


def change_best(**values: Any) -> Callable[[dict[str, str]], None]:
    return change_lines("best.json", lambda rows: rows[0].update(values))


EDITS: dict[str, tuple[Callable[[dict[str, str]], None], str]] = {
    "openings emptied": (lambda texts: texts.update({"openings.json": "[]"}), "1 openings of the hold-out are not in openings.json"),
    "records emptied": (lambda texts: texts.update({"records.json": "{}"}), "the hold-out was opened for a model of this study"),
    "the chain cut": (cut_and_date, "is finished and is not in the chain"),
    "other trials replayed": (
        lambda texts: texts.update({"replays.json": json.dumps([{"trial": 99, "numbers": 9, "different": 0}])}), "are not those that the last link",
    ),
    "no best": (lambda texts: texts.update({"best.json": "null"}), "do not agree on whether there is a complete one"),
    **{
        f"another {name} in best.json": (change_best(**{name: value}), f"best.json has another {name}")
        for name, value in {
            "value": 0.99, "trial": 77, "params": {"batch_size": 1}, "fold_values": [0.99, 0.99, 0.99], "best_epoch": 1, "plan": None,
            "points": {"planned": 2}, "spec": {"training": {"epochs": 9}}, "warnings": [], "evaluations": [], "chain": {"head": "x"},
        }.items()
    },
}  # fmt: skip
"""Edits of a bundle whose maker also wrote its hashes again."""


@pytest.fixture(scope="module")
def texts(finished: Finished, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    database = finished.copy(tmp_path_factory.mktemp("texts"))
    content, _ = write_bundle(database, load_study(database, NAME), None, 0, finished.dataset)
    database.close()
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return {name: archive.read(name).decode() for name in archive.namelist()}


@pytest.mark.parametrize("edit", EDITS)
def test_an_edit_of_a_bundle_is_named(texts: dict[str, str], tmp_path: Path, edit: str) -> None:
    act, told = EDITS[edit]
    edited = dict(texts)
    act(edited)
    manifest = json.loads(edited.pop("manifest.json"))
    manifest["files"] = {name: hashlib.sha256(text.encode()).hexdigest() for name, text in edited.items()}
    manifest["head"] = json.loads(edited["chain.jsonl"].splitlines()[-1])["hash"]
    with zipfile.ZipFile(tmp_path / "edited.zip", "w") as archive:
        for name, text in {"manifest.json": json.dumps(manifest), **edited}.items():
            archive.writestr(name, text)
    problems = check_bundle(tmp_path / "edited.zip")["problems"]
    assert any(told in problem for problem in problems), problems


def test_an_addition_after_the_last_trial_is_linked_and_the_best_of_every_objective_fits(
    finished: Finished, tmp_path: Path
) -> None:
    database = finished.copy(tmp_path)
    spec = make_spec(
        NAME, points=2, **{"data.fingerprint": finished.dataset.fingerprint, "study.objective": "mean_of_max"}
    )
    delete_study(database, load_study(database, NAME))
    create_study(database, spec, plan_points(spec), data_folder="", facts={})
    Worker(Circumstances(database), lambda _: LabelledObjective(finished.dataset)).run(
        lambda: [load_study(database, NAME)]
    )
    age(database)
    assert ask_both(database, finished.dataset, tmp_path / "bundle.zip") == ([], [])
    uuid = load_study(database, NAME).uuid
    with database.transaction() as connection:
        edit_facts("growth", [{"how": "part", "part": "x", "name": "x"}])(connection)
    assert link_growth(database, uuid)
    assert not link_growth(database, uuid)
    with database.transaction() as connection:
        edit_facts("growth", [])(connection)
    for problems in ask_both(database, None, tmp_path / "bundle.zip"):
        assert any("What was added to the study was changed or removed" in problem for problem in problems)
    database.close()


def test_a_bundle_that_was_edited_says_so_and_a_stranger_is_refused(
    finished: Finished, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    database = finished.copy(tmp_path)
    bundle, edited, other = (tmp_path / name for name in ("bundle.zip", "edited.zip", "other.zip"))
    assert run(["study", "prove", NAME, "-o", str(bundle), "--storage", database.url_text]) == 0
    assert run(["study", "check", str(bundle)]) == 0
    assert "everything fits" in capsys.readouterr().out
    with zipfile.ZipFile(bundle) as archive, zipfile.ZipFile(edited, "w") as copy:
        for name in archive.namelist():
            text = archive.read(name).decode()
            copy.writestr(
                name, text.replace('"val_auc": 0.', '"val_auc": 0.9') if name == "epochs.jsonl" else text
            )
        copy.writestr("extra.txt", "hello")
    assert run(["study", "check", str(edited), "--json"]) == 1
    problems = json.loads(capsys.readouterr().out)["problems"]
    assert any("epochs.jsonl does not have the hash" in problem for problem in problems)
    assert any("a file that orch did not write: extra.txt" in problem for problem in problems)
    assert any("its fold results mean" in problem for problem in problems)
    other.write_bytes(b"PK no archive")
    assert run(["study", "check", str(other)]) == 2
    assert run(["study", "check", str(tmp_path / "none.zip")]) == 2
    with zipfile.ZipFile(other, "w") as archive:
        archive.writestr("manifest.json", "[]")
    with pytest.raises(DataError, match="no bundle"):
        check_bundle(other)
    database.close()


def test_a_plan_is_fixed_before_the_first_trial(
    finished: Finished, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from orchestrator.planning.analysis_plan import take_plan
    from storage.errors import SpecError, StudyExistsError

    database = finished.copy(tmp_path)
    study, dataset = load_study(database, NAME), load_dataset(finished.dataset.folder)

    def write(text: str) -> Path:
        path = tmp_path / "plan.toml"
        path.write_text(text)
        return path

    good = '[plan]\nquestion = "Is it better?"\nprimary_metric = "val_auc"\ntrials = 4\nthreshold = "sensitivity=0.9"\nmargin = 0.02\n'
    sealed = take_plan(write(good), study.spec, dataset, None)
    assert sealed["plan"]["margin"] == 0.02
    for text, told in (
        ("[plan]\nprimary_metrik = 'val_auc'\n", "Did you mean primary_metric"),
        ("[plan]\nmargin = 2\n", "a number from 0 to below 1"),
        ("[plan]\nthreshold = 'best'\n", "youden"),
        ("primary_metric = 'val_auc'\n", "one section"),
        ("[plan]\n", "is empty"),
        (good.replace("val_auc", "val_f1"), "does not begin as its plan says"),
        (good.replace("trials = 4", "trials = 9"), "plan.trials is 9"),
    ):
        with pytest.raises(SpecError) as caught:
            take_plan(write(text), study.spec, dataset, None)
        assert told in str(caught.value)
    with pytest.raises(StudyExistsError, match="another plan"):
        take_plan(write(good), study.spec, dataset, study)
    same = "[plan]\n" + "".join(f"{key} = {json.dumps(value)}\n" for key, value in PLAN.items())
    assert take_plan(write(same), study.spec, dataset, study)["plan"] == PLAN
    database.close()
