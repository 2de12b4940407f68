"""From a finished study to a final model that is judged once, predicts, and shows where it looks; on real image files."""

from __future__ import annotations

import csv
import json
import re
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageOps

from orchestrator.cli import run
from orchestrator.importing.choices import Choices
from orchestrator.importing.imports import import_dataset
from orchestrator.studies.best import best_document
from storage.data.datasets import Dataset
from storage.database.opening import open_database
from storage.files.documents import to_json
from storage.files.model_files import inspect_model, read_card, read_record
from storage.results.predictions import read_predictions
from storage.settings import keras_backend
from storage.spec import parse
from storage.studies.study import create_study
from tests.backends import SIDE_BY_SIDE
from tests.pictures import write_image, write_table
from tests.small_backbone import NAME, small_backbone
from workers.final_model.assembly import load_model

TARGETS = ["bright", "striped"]
SIZE = 32

pytestmark = pytest.mark.main_tier(NAME)


@dataclass(frozen=True)
class Place:
    """A folder with images, a data set, a database with a finished study, and its best.json."""

    folder: Path
    dataset: Dataset
    url: str

    def orch(self, *arguments: object) -> int:
        return run([*map(str, arguments)])


def draw(path: Path, bright: int, striped: int, seed: int) -> None:
    """A picture in which two labels can be seen, in noise."""
    generator = np.random.default_rng(seed)
    picture = generator.normal(90 + 60 * bright, 30, (SIZE, SIZE))
    picture[:: 4 if striped else SIZE] += 60
    Image.fromarray(np.clip(picture, 0, 255).astype(np.uint8)).save(path)


RECIPE = {
    **{"loss": "focal", "optimizer": "nadam", "optimizer_options": {"beta_1": 0.8}, "global_clipnorm": 1.0},
    **{
        "rate_schedule": "cosine",
        "warmup_epochs": 1,
        "lowest_rate": 0.5,
        "use_ema": True,
        "ema_momentum": 0.5,
    },
}
"""Everything that must be the same when the winner is trained again."""


def make_images(folder: Path, patients: int, first_seed: int = 0) -> tuple[Path, Path]:
    images, rows = folder / "images", []
    images.mkdir(parents=True)
    for patient in range(patients):
        for number in range(2):
            labels = (patient % 2, (patient // 2) % 2)
            name = f"{patient:02d}-{number}.png"
            draw(images / name, *labels, seed=first_seed + 2 * patient + number)
            rows.append(
                [name, f"p{patient}", "north" if patient % 3 else "south", f"as on day {patient}", *labels]
            )
    return images, write_table(
        folder / "labels.csv", ["filename", "patient", "site", "remark", *TARGETS], rows
    )


@pytest.fixture(scope="module", params=[NAME, "MobileNet"])
def place(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    with small_backbone():
        yield make_place(request.param, tmp_path_factory)


def make_place(backbone: str, tmp_path_factory: pytest.TempPathFactory) -> Place:
    from workers.process.circumstances import Circumstances
    from workers.process.worker import run_worker

    folder = tmp_path_factory.mktemp("final")
    images, labels = make_images(folder, patients=36)
    dataset = import_dataset(
        images,
        labels,
        folder / "data",
        Choices(group_columns=("patient",), holdout=0.3),
        cache=folder / "cache",
    )
    spec = parse(
        {
            "study": {"name": "small", "trials": 1},
            "data": {"fingerprint": dataset.fingerprint},
            "model": {
                "backbone": backbone,
                "weights": "none",
                "image_size": [SIZE, SIZE],
                "head": [8],
                "extraction_batch": 16,
            },
            "training": {"epochs": 3, "threads": SIDE_BY_SIDE, "learning_rate": 0.01, **RECIPE},
            "cv": {"folds": 2},
            "search": {"batch_size": {"type": "int", "low": 8, "high": 8}},
            "pruner": {"name": "none"},
        },
        source="a test",
    )
    url = f"sqlite:///{folder / 'orch.db'}"
    database = open_database(url, create=True)
    try:
        study = create_study(
            database, spec, [{"batch_size": 8}], data_folder=str(dataset.folder), facts={"images": 1}
        )
        run_worker(Circumstances(database), ["small"], [dataset.folder], folder / "cache")
        (folder / "best.json").write_text(to_json(best_document(database, study)))
    finally:
        database.close()
    return Place(folder, dataset, url)


@pytest.fixture(autouse=True)
def _settings(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ORCH_CACHE", str(place.folder / "cache"))
    monkeypatch.setenv("ORCH_STORAGE", place.url)
    monkeypatch.chdir(place.folder)


@pytest.fixture(scope="module")
def model(place: Place) -> Path:
    path = place.folder / "model.keras"
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("ORCH_CACHE", str(place.folder / "cache"))
        environment.setenv("ORCH_STORAGE", place.url)
        assert (
            place.orch(
                "model",
                "train",
                "--from",
                place.folder / "best.json",
                "--data",
                place.dataset.folder,
                "-o",
                path,
            )
            == 0
        )
    return path


def test_the_model_is_one_ordinary_keras_file_with_its_card(place: Place, model: Path) -> None:
    import keras

    loaded = keras.models.load_model(model, safe_mode=True)
    assert loaded.output_shape == (None, 2)
    with zipfile.ZipFile(model) as archive:
        card = json.loads(archive.read("orch-card.json"))
    beside = json.loads(model.with_suffix(".card.json").read_text())
    assert {key: beside[key] for key in card} == card
    assert card["params"] == {"batch_size": 8}
    assert card["targets"] == TARGETS
    assert card["fixed"].items() >= {"optimizer": "nadam", "use_ema": True, "global_clipnorm": 1.0}.items()
    assert "focal loss" in card["training"]
    assert "Nadam of Keras" in card["training"]
    assert card["spec"]["training"].items() >= RECIPE.items()
    assert card["dataset"]["fingerprint"] == place.dataset.fingerprint
    assert card["epochs"] == json.loads((place.folder / "best.json").read_text())["best_epoch"]
    assert "Not a medical device" in card["intended_use"]
    assert set(card["versions"]) >= {"orch", "keras", keras_backend()}
    assert not list(model.parent.glob(".*partial*"))
    assert read_record(model).trained_on == frozenset(place.dataset.sha256)


def test_the_whole_model_computes_what_was_trained(place: Place, model: Path) -> None:
    """Images through the file agree with stored features through a head that is trained again."""
    from storage.settings import cache_folder
    from workers.final_model.assembly import load_model
    from workers.final_model.predict import predict
    from workers.inputs.extraction import ensure_features
    from workers.inputs.feature_set import FeatureSet
    from workers.training.fold_trainer import FoldTrainer

    card = inspect_model(model).card
    spec = parse(card["spec"], source="the card")
    features = FeatureSet(ensure_features(spec, place.dataset, cache_folder()).values, place.dataset.labels)
    everything = np.arange(len(place.dataset.files))
    trainer = FoldTrainer(spec, feature_count=features.feature_count, target_count=2)
    trainer.reset(features, everything, everything, card["params"], seed=(spec.study.seed, 0, spec.cv.folds))
    for epoch in range(1, card["epochs"] + 1):
        trainer.run_epoch(epoch)
    predicted = predict(load_model(model), place.dataset.files, place.dataset.sha256)
    assert predicted.raw == pytest.approx(trainer.predict_validation(), abs=1e-4)


def test_an_ensemble_averages_the_models_of_the_cross_validation(place: Place) -> None:
    """Each image's out-of-fold prediction is that of the member that did not see it."""
    import keras

    from storage.data.images import read_image
    from workers.final_model.assembly import load_model

    path = place.folder / "ensemble.keras"
    assert (
        place.orch("model", "train", "--from", "best.json", "--data", "data", "--ensemble", "-o", path) == 0
    )
    ensemble = load_model(path)
    mean = ensemble.get_layer("mean_of_folds")
    members = keras.Model(ensemble.input, mean.input)
    pixels = np.stack([read_image(file, (SIZE, SIZE)) for file in place.dataset.files]).astype(np.float32)
    each = [np.asarray(member) for member in members.predict_on_batch(pixels)]
    assert ensemble.predict_on_batch(pixels) == pytest.approx(np.mean(each, axis=0), abs=1e-6)
    database = open_database(place.url)
    study = inspect_model(path).card["study"]
    from storage.studies.study import load_study

    kept = read_predictions(database, load_study(database, study).uuid, 0)
    database.close()
    assert len(kept) == 2
    for fold in kept:
        assert each[fold.fold][fold.indices] == pytest.approx(fold.values.astype(np.float32), abs=2e-3)


@pytest.mark.thorough
def test_an_ensemble_is_trained_together_where_the_folds_of_the_study_were(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a GPU sums of single folds may be rounded otherwise, and the models would not be those of the study."""
    from workers.device import preparation
    from workers.final_model import refit
    from workers.objective import study_data

    trained: list[int] = []

    def count(folds: Any, epoch: int) -> None:
        trained.append(len(folds))
        train_together(folds, epoch)

    train_together = study_data.train_together
    monkeypatch.setattr(study_data, "train_together", count)
    for module in (preparation, refit):
        monkeypatch.setattr(module, "stacks_folds", lambda: True)
    path = place.folder / "together.keras"
    words = ("model", "train", "--from", "best.json", "--data", "data", "-o", path)
    assert place.orch(*words, "--ensemble") == 0
    assert set(trained) == {2}


def test_a_model_is_never_written_over_and_needs_its_own_data(place: Place, model: Path, capsys: Any) -> None:
    before = model.read_bytes()
    assert place.orch("model", "train", "--from", "best.json", "--data", "data", "-o", model) == 2
    assert "exists already" in capsys.readouterr().err
    assert model.read_bytes() == before
    images, labels = make_images(place.folder / "other", patients=8, first_seed=900)
    import_dataset(
        images, labels, place.folder / "other-data", Choices(group_columns=("patient",), holdout=0)
    )
    assert place.orch("model", "train", "--from", "best.json", "--data", "other-data", "-o", "x.keras") == 2
    assert "is not the data set of the study" in capsys.readouterr().err
    broken = {**json.loads(Path("best.json").read_text()), "best_epoch": None}
    Path("broken.json").write_text(json.dumps(broken))
    assert place.orch("model", "train", "--from", "broken.json", "--data", "data", "-o", "x.keras") == 2
    assert "does not say best_epoch" in capsys.readouterr().err
    assert not (place.folder / "x.keras").exists()


def test_the_holdout_is_opened_once_on_record_with_intervals(place: Place, model: Path, capsys: Any) -> None:
    judge = ("model", "evaluate", model, "--data", "data")
    assert place.orch(*judge) == 2
    assert "was trained on the development images" in capsys.readouterr().err
    for wrong in (["--threshold", "best"], ["--subgroup", "colour"], ["--visit", "patient"]):
        assert place.orch(*judge, "--open-holdout", *wrong) == 2
    assert place.orch(*judge, "--open-holdout", "--subgroup", "remark") == 2
    assert "too many for subgroups" in capsys.readouterr().err
    assert "hold-out opened" not in capsys.readouterr().out
    # A rule is looked at before anything is read.
    assert place.orch("model", "evaluate", "no.keras", "--data", "nowhere", "--threshold", "youdn") == 2
    assert "Did you mean --threshold youden?" in capsys.readouterr().err
    asked = ("--open-holdout", "--threshold", "youden", "--recalibrate", "--subgroup", "site", "--tta", "9")
    assert place.orch(*judge, *asked, "--resamples", "200", "-o", "evaluation.json") == 0
    said = capsys.readouterr()
    assert "hold-out opened  once" in said.out
    assert "there are 4 repeats, not 9" in said.err
    assert "are unreliable" in said.err
    document = json.loads(Path("evaluation.json").read_text())
    assert document["data"]["part"] == "hold-out"
    assert document["data"]["images"] + len(place.dataset.files) == 72
    assert set(document["results"]) == {"raw", "mean", "max", "min", "recalibrated"}
    auc = document["results"]["raw"]["labels"]["bright"]["metrics"]["auc"]
    assert auc["low"] <= auc["value"] <= auc["high"]
    assert set(document["subgroups"]["site"]) == {"north", "south"}
    thresholds = [
        document["results"][name]["labels"]["bright"]["threshold"] for name in ("raw", "recalibrated")
    ]
    assert thresholds[0] != 0.5
    assert thresholds[0] != thresholds[1]
    (opening,) = document["openings"]
    assert opening["model_sha256"] == inspect_model(model).sha256
    assert place.orch(*judge, "--open-holdout") == 2
    assert "--again" in capsys.readouterr().err
    assert not list(place.folder.glob("model.evaluation*"))
    kept = [place.folder / name for name in ("model.evaluation.json", "model.evaluation.2.json")]
    for number, path in enumerate(kept, start=2):
        assert place.orch(*judge, "--open-holdout", "--again", "--json", "--resamples", "0") == 0
        said = capsys.readouterr()
        assert f"Wrote the evaluation to {path}." in said.err
        assert json.loads(path.read_text()) == json.loads(said.out)
        assert len(json.loads(said.out)["openings"]) == number
    assert place.orch("study", "show", "small", "--json") == 0
    shown = json.loads(capsys.readouterr().out)["evaluations"]
    assert [(one["kind"], one["model"]["sha256"]) for one in shown] == [
        ("hold-out", opening["model_sha256"])
    ] * 3
    assert shown[0]["results"]["labels"]["bright"]["auc"] == auc
    # The first is still the first: nothing was written over.
    assert len(json.loads(kept[0].read_text())["openings"]) == 2


def test_a_foreign_data_set_is_judged_whole_without_what_the_model_has_seen(
    place: Place, model: Path, capsys: Any
) -> None:
    images, labels = make_images(place.folder / "abroad", patients=12, first_seed=5000)
    seen = place.dataset.files[0]
    (images / "seen.png").write_bytes(seen.read_bytes())
    with labels.open("a") as file:
        file.write("seen.png,p99,south,seen before,1,0\n")
    import_dataset(
        images, labels, place.folder / "abroad-data", Choices(group_columns=("patient",), holdout=0)
    )
    assert place.orch("model", "evaluate", model, "--data", "abroad-data", "--resamples", "50", "--json") == 0
    said = capsys.readouterr()
    document = json.loads(said.out)
    assert (document["data"]["part"], document["data"]["images"]) == ("whole", 24)
    assert "was trained on 1 of these images" in said.err
    assert document["openings"] == []
    assert document["about_intervals"].startswith("Intervals are of 95 %, and patients are what is sampled.")
    labels.write_text(labels.read_text().replace(",".join(TARGETS), ",".join(f"their={t}" for t in TARGETS)))
    import_dataset(
        images, labels, place.folder / "renamed-data", Choices(group_columns=("patient",), holdout=0)
    )
    renamed = ("model", "evaluate", model, "--data", "renamed-data", "--resamples", "50", "--json")
    assert place.orch(*renamed) == 2
    assert f"--label {TARGETS[0]}=their={TARGETS[0]}" in capsys.readouterr().err
    pairs = [part for name in TARGETS for part in ("--label", f"{name}=their={name}")]
    assert place.orch(*renamed, *pairs) == 0
    again = json.loads(capsys.readouterr().out)
    assert (again["results"], again["targets"]) == (document["results"], list(TARGETS))
    compared = ("compare", model, "--resamples", "100", "--json")
    assert place.orch(*compared, "--data", "abroad-data", "--tta", "2") == 0
    document = json.loads(capsys.readouterr().out)
    assert [one["name"].partition(", ")[2] for one in document["models"]] == [
        "",
        "mean of 2",
        "max of 2",
        "min of 2",
    ]
    assert (document["kind"], document["images"]) == ("whole", 24)
    highest = document["comparisons"][1]["metrics"]["val_sensitivity"]
    assert highest["value"] >= document["comparisons"][2]["metrics"]["val_sensitivity"]["value"]
    assert place.orch(*compared, "--data", "abroad-data") == 2
    assert place.orch(*compared, "--data", "data", "--tta", "2") == 2
    assert "Say --open-holdout" in capsys.readouterr().err


def test_predictions_go_to_csv_and_excel_and_looking_at_sealed_images_is_recorded(
    place: Place, model: Path, capsys: Any
) -> None:
    from storage.holdout.openings import list_openings

    folder = place.folder / "new"
    folder.mkdir()
    for number in range(3):
        write_image(folder / f"{number}.png", seed=700 + number, mode=("L", "RGB", "I;16")[number])
    table = write_table(place.folder / "new.csv", ["filename", "bright"], [["0.png", 1], ["2.png", ""]])
    assert place.orch("model", "predict", model, folder, "-o", "p.csv", "--tta", "4", "--labels", table) == 0
    rows = list(csv.DictReader(Path("p.csv").read_text().splitlines()))
    assert list(rows[0]) == [
        "filename",
        *("bright label", "bright raw", "bright mean", "bright max", "bright min"),
        *("striped raw", "striped mean", "striped max", "striped min"),
    ]
    assert [row["bright label"] for row in rows] == ["1", "", ""]
    for row in rows:
        assert float(row["bright min"]) <= float(row["bright mean"]) <= float(row["bright max"])
    capsys.readouterr()
    before = len(list_openings(place.dataset, None))
    development = {path.name for path in place.dataset.files}
    sealed = next(path for path in (place.folder / "images").iterdir() if path.name not in development)
    assert place.orch("model", "predict", model, sealed, "-o", "p.xlsx") == 0
    said = capsys.readouterr()
    assert "warning: 1 image is sealed in the hold-out of sha256:" in said.err
    assert f": {sealed.name}. Predicting it opens that hold-out, and this is recorded" in said.err
    assert "the first `orch model evaluate` of that data set will name this opening and ask" in said.err
    assert said.out == "1 prediction in p.xlsx\n"
    openings = list_openings(place.dataset, None)
    assert len(openings) == before + 1
    assert openings[-1].purpose == "predicting with model.keras (1 sealed image)"
    few = place.folder / "few"
    few.mkdir()
    for path in sorted(path for path in sealed.parent.iterdir() if path.name not in development)[:4]:
        (few / path.name).write_bytes(path.read_bytes())
    assert place.orch("model", "explain", model, few, "-o", "seen") == 0
    assert re.search(
        r"warning: 4 images are sealed in .* and 1 more\. Explaining them opens", capsys.readouterr().err
    )
    assert list_openings(place.dataset, None)[-1].purpose.startswith("explaining with model.keras (")
    with zipfile.ZipFile("p.xlsx") as book:
        sheet = book.read("xl/worksheets/sheet1.xml").decode()
        assert sheet.count("<row ") == 2
        assert sealed.name in book.read("xl/sharedStrings.xml").decode()
    assert place.orch("model", "predict", model, folder, "-o", "p.txt") == 2


def test_random_changes_depend_on_the_image_alone(place: Place, model: Path) -> None:
    from workers.final_model.assembly import load_model
    from workers.final_model.predict import Repeats, predict

    loaded = load_model(model)
    repeats = Repeats(2, {"rotation": 20.0, "zoom": 0.1}, seed=3)
    files, digests = place.dataset.files[:5], place.dataset.sha256[:5]
    forward = predict(loaded, files, digests, repeats=repeats)
    backward = predict(loaded, files[::-1], digests[::-1], repeats=repeats)
    assert forward.augmented[::-1] == pytest.approx(backward.augmented, abs=1e-6)
    assert np.abs(forward.augmented[:, 0] - forward.augmented[:, 1]).max() > 1e-4


def test_heat_maps_are_named_by_score_and_laid_over_the_image(place: Place, model: Path, capsys: Any) -> None:
    assert (
        place.orch(
            "model",
            "explain",
            model,
            place.dataset.folder,
            "-o",
            "heat",
            "--limit",
            "3",
            "--target",
            "bright",
        )
        == 0
    )
    pictures = sorted(Path("heat").iterdir())
    assert len(pictures) == 3
    score, label, _ = pictures[0].name.split("-", 2)
    assert 0 <= float(score) <= 1
    assert label == "bright"
    assert Image.open(pictures[0]).size == (SIZE, SIZE)
    said = capsys.readouterr().err
    assert "single place" in said
    Path("a-file").write_text("")
    assert place.orch("model", "explain", model, place.dataset.folder, "-o", "a-file") == 2
    assert "-o a-file is no folder to write in: it is a file.\nName a folder" in capsys.readouterr().err
    assert "nothing in" not in said


def test_images_are_on_a_page_only_where_they_were_asked_for(place: Place, model: Path, capsys: Any) -> None:
    data = ["--data", place.dataset.folder]
    assert place.orch("report", "small", "-o", "plain.html", *data) == 0
    assert "data:image/jpeg" not in Path("plain.html").read_text()
    assert "of patients" not in capsys.readouterr().err
    assert place.orch("report", "small", "-o", "images.html", "--images", *data) == 0
    plain = Path("images.html").read_text()
    assert place.orch("report", "small", "-o", "heat.html", "--images", "--model", model, *data) == 0
    heat = Path("heat.html").read_text()
    assert len(re.findall("heat map", plain)) < len(re.findall(', heat map"', heat))
    counts = [page.count('src="data:image/jpeg;base64,') for page in (plain, heat)]
    assert 2 <= counts[0] <= 8
    assert counts[1] == 2 * counts[0]
    assert "contains images of patients" in plain
    assert f"contains {counts[0]} images of patients" in capsys.readouterr().err
    assert place.orch("report", "small", "-o", "none.html", "--model", model, *data) == 2
    assert "Say --images, too" in capsys.readouterr().err
    assert not Path("none.html").exists()


def test_show_tells_what_is_in_the_file(place: Place, model: Path, capsys: Any) -> None:
    assert place.orch("model", "show", model, "--json") == 0
    document = json.loads(capsys.readouterr().out)
    assert document["card"]["study"] == "small"
    assert document["input_shape"] == [SIZE, SIZE, 3]
    assert "MobileNet" not in {layer["kind"] for layer in document["layers"]}
    from workers.final_model.assembly import load_model

    assert document["parameters"] == load_model(model).count_params()


def test_faults_that_are_planted_in_a_study_show(place: Place, capsys: Any) -> None:
    assert place.orch("study", "challenge", "small", "--json") == 0
    document = json.loads(capsys.readouterr().out)
    found = {one["challenge"]: one for one in document["challenges"]}
    assert document["ok"]
    assert set(found) == {
        "labels shuffled", "trained again", "batch doubled", "leak planted", "label flipped", "hold-out exchanged",
    }  # fmt: skip
    assert "other steps, losses, weights" in found["batch doubled"]["said"]
    assert "column" in found["leak planted"]["said"]
    assert abs(found["labels shuffled"]["auc"] - 0.5) < 0.25
    assert place.orch("study", "challenge", "none") == 1


@pytest.mark.thorough
def test_a_model_of_padded_pictures_and_kept_copies_predicts_and_explains_what_it_was_trained_on(
    place: Place, capsys: Any
) -> None:
    """Pictures that are not square, from the card of the model alone: predicted as Pillow pads them, and heat where they lie."""
    best = json.loads((place.folder / "best.json").read_text())
    best["spec"]["model"]["resize"] = "pad"
    best["spec"]["augmentation"] |= {"brightness": 0.2, "copies": 2}
    changed = parse(best["spec"], source="a test")
    (place.folder / "padded.json").write_text(json.dumps({**best, "spec_hash": changed.spec_hash}))
    given = ("--from", "padded.json", "--data", place.dataset.folder, "--epochs", 1)
    assert place.orch("model", "train", *given, "-o", "padded.keras") == 0
    card = read_card(Path("padded.keras"))
    assert card is not None
    assert card["resize"] == "pad"
    assert "black beside it" in card["input"]
    images = place.folder / "wide"
    images.mkdir()
    for number in range(3):
        pixels = np.random.default_rng(number).integers(0, 256, (30, 90), dtype=np.uint8)
        Image.fromarray(pixels).save(images / f"{number}.png")
    assert place.orch("model", "predict", "padded.keras", images, "-o", "padded.csv") == 0
    rows = list(csv.DictReader(Path("padded.csv").read_text().splitlines()))
    model = load_model(Path("padded.keras"))
    for number, row in enumerate(rows):
        picture = Image.open(images / f"{number}.png").convert("RGB")
        padded = np.asarray(ImageOps.pad(picture, (SIZE, SIZE), Image.Resampling.BILINEAR), np.float32)
        expected = model.predict_on_batch(padded[None])[0]
        assert float(row["bright raw"]) == pytest.approx(float(expected[0]), abs=1e-5)
    capsys.readouterr()
    assert place.orch("model", "explain", "padded.keras", images, "-o", "wide-heat") == 0
    assert {Image.open(path).size for path in Path("wide-heat").iterdir()} == {(90, 30)}
