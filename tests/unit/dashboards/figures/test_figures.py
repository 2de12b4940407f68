"""Figures say what the study says; colours can be told apart on paper and on a dark screen."""

import importlib.util
import json
import math
import re
from pathlib import Path

import numpy as np
import plotly.graph_objects as go
import pytest

from dashboards.figures import palette
from dashboards.figures.curves import TITLE_WIDTH, draw_examples
from dashboards.figures.gallery import draw_studies, draw_study, write_pictures
from dashboards.figures.kinds import draw_outcomes
from dashboards.figures.search import _list_ticks
from dashboards.pages.curve_picture import draw_svg
from dashboards.pages.publish import draw_published
from dashboards.tables.importance import Grid, estimate_importance, find_chances
from dashboards.tables.outcomes import Outcomes, calibrate, count_confusion, macro_roc, mean_roc
from dashboards.tables.view import Table, compare_studies, count_stopping, list_trials, read_view
from orchestrator.planning.plan import plan_points
from storage.database.engine import Database
from storage.database.opening import open_database
from storage.errors import UsageError
from storage.metrics.objectives import AUC
from storage.results.ledger import read_curves
from storage.spec import parse
from storage.trust.selection import judge_selection
from tests.generated_studies import fill_study, formula_curves, reference_study, regime_two_study, sized_study

NAMES = ["search", "best-curves", "examples", "slices", "parallel", "importance", "pruning", "folds", "measures",
         "learning-rate", "roc", "confusion", "calibration", "fleet"]  # fmt: skip


@pytest.fixture(scope="module")
def database(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Database:
    path = tmp_path_factory.mktemp("figures") / "orch.db"
    path.write_bytes(sqlite_template.read_bytes())
    return open_database(f"sqlite:///{path}")


def luminance(colour: str) -> float:
    channels = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    linear = [value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4 for value in channels]
    return float(np.dot(linear, [0.2126, 0.7152, 0.0722]))


def contrast(one: str, other: str) -> float:
    bright, dim = sorted((luminance(one), luminance(other)), reverse=True)
    return (bright + 0.05) / (dim + 0.05)


@pytest.mark.parametrize("colour", sorted({*palette.SERIES, *palette.OUTCOME_COLOURS.values()}))
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_every_colour_stands_out_from_both_papers(colour: str, theme: str) -> None:
    assert contrast(colour, palette.PAPER[theme]) >= 2.95


def test_a_dark_page_has_brighter_blues() -> None:
    assert all(contrast(new, palette.PAPER["dark"]) > 5 for new in palette.BRIGHTER.values())
    assert ("rgba(0,114,178,", "rgba(86,180,233,") in palette.list_swaps()


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_text_is_readable_on_its_paper(theme: str) -> None:
    assert contrast(palette.INK[theme], palette.PAPER[theme]) >= 7


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("nothing", {"trials": 12, "settled": 0}),
        ("one", {"trials": 12, "settled": 1}),
        ("failures", {"trials": 4, "failed": 4}),
        ("hundred", {"trials": 100}),
        pytest.param("thousands", {"trials": 2000, "folds": 2, "epochs": 2}, marks=pytest.mark.thorough),
    ],
)
def test_a_study_of_any_size_is_drawn(database: Database, name: str, options: dict) -> None:
    view = read_view(database, sized_study(database, name, **options))
    pictures = draw_study(view)
    known = NAMES if view.best else [one for one in NAMES if one in ("search", "examples", "slices", "parallel", "importance",
                                                                    "pruning", "folds", "fleet")]  # fmt: skip
    assert [picture.name for picture in pictures] == known
    for picture in (*pictures, draw_studies([view])):
        # Plotly's own classes check every key and value.
        go.Figure(picture.figure)
        text = json.dumps(picture.figure, allow_nan=False)
        assert len(text) < 400_000, picture.name
        if picture.name == "parallel":
            assert not any("e+" in one["text"] for one in picture.figure["layout"]["annotations"])
        # A page's policy and many a browser have no WebGL.
        assert {one["type"] for one in picture.figure["data"]} <= {"scatter", "bar", "box", "heatmap"}
        assert picture.caption.endswith(".")
        # There is no epoch 1.5.
        axes = [one for key, one in picture.figure["layout"].items() if key.startswith("xaxis")]
        epochs = [one for one in axes if (one.get("title") or {}).get("text") == "epoch"]
        assert all(one.get("dtick") == 1 for one in epochs) or view.study.spec.training.epochs > 15
        assert len({len(row) for row in picture.table.rows} | {len(picture.table.columns)}) == 1
    assert len(list_trials(view).rows) == options["trials"]


MIXED = {
    "head": {"type": "choice", "values": [[64], [64, 32]]},
    "head_normalization": {"type": "choice", "values": [True, False]},
    "optimizer": {"type": "choice", "values": ["adam", "sgd"]},
    "momentum": {"type": "float", "low": 0.5, "high": 0.99, "when": {"optimizer": ["sgd"]}},
    "batch_size": {"type": "int", "low": 16, "high": 512, "log": True},
}


def test_words_lists_and_conditions_are_drawn(database: Database) -> None:
    spec = parse(
        {
            "study": {"name": "mixed", "trials": 60},
            "search": MIXED,
            "training": {"epochs": 3},
            "cv": {"folds": 2},
        },
        source="a test",
    )
    view = read_view(database, fill_study(database, spec, pruned=False))
    pictures = {picture.name: picture for picture in draw_study(view)}
    for picture in pictures.values():
        go.Figure(picture.figure)
        json.dumps(picture.figure, allow_nan=False)
    layout, lines = pictures["parallel"].figure["layout"], pictures["parallel"].figure["data"][:-1]
    names = layout["xaxis"]["ticktext"]
    marks = {
        name: [(one["text"], one["y"]) for one in layout["annotations"] if one["x"] == place]
        for place, name in enumerate(names)
    }
    bands = [(one["x0"], one["x1"]) for one in layout["shapes"]]
    # Words stand to the left of the right edge of an axis, and no line passes between its edges.
    assert [right for _, right in bands] == list(range(len(names)))
    for line in lines:
        ends = zip(line["x"], line["x"][1:], strict=False)
        assert not any(
            one == left and other == right for one, other in ends for left, right in bands if one is not None
        )
    assert [text for text, _ in marks["head"]] == ["[64]", "[64, 32]"]
    assert [text for text, _ in marks["head normalization"]] == ["true", "false"]
    assert [text for text, _ in marks["optimizer"]] == ["adam", "sgd"]
    assert marks["momentum"][0] == ("not used", 0)
    assert len(marks["mean validation<br>AUC"]) == 5
    step = 3 * len(names) + 1
    met = [
        one["y"][start : start + step : 3][: len(names)]
        for one in lines
        for start in range(0, len(one["y"]), step)
    ]
    assert len(met) == 60
    optimizer, momentum = names.index("optimizer"), names.index("momentum")
    assert {line[momentum] for line in met if line[optimizer] == 0} == {0}
    assert min(line[momentum] for line in met if line[optimizer] == 1) > 0.1
    # The best is drawn last, and no line runs from one trial to the next.
    assert met[-1][-1] == max(line[-1] for line in met) == 1
    assert all(set(one["y"][step - 1 :: step]) == {None} for one in lines)
    slices = pictures["slices"].figure["layout"]
    heads = [
        axis for key, axis in slices.items() if key.startswith("xaxis") and axis["title"]["text"] == "head"
    ]
    assert [(axis["type"], axis["categoryarray"]) for axis in heads] == [("category", ["[64]", "[64, 32]"])]
    found = {one.name: one for one in estimate_importance(view)}
    assert found.keys() == MIXED.keys()
    assert sum(one.estimate for one in found.values()) == pytest.approx(1)


def test_a_hyperparameter_under_a_condition_matters_where_it_acts(database: Database) -> None:
    search = {name: MIXED[name] for name in ("optimizer", "momentum", "batch_size")}
    spec = parse(
        {
            "study": {"name": "acts", "trials": 120},
            "search": search,
            "training": {"epochs": 2},
            "cv": {"folds": 2},
        },
        source="a test",
    )
    planned = [point or {} for point in plan_points(spec)]

    usual = formula_curves(planned)

    def curves(point: int, fold: int, epoch: int) -> dict[str, float]:
        auc = 0.6 + 0.3 * (planned[point].get("momentum", 0.75) - 0.75) + 0.001 * epoch
        return usual(point, fold, epoch) | {"val_auc": auc}

    view = read_view(database, fill_study(database, spec, params=planned, curves=curves, pruned=False))
    found = {one.name: one for one in estimate_importance(view)}
    assert found["momentum"].is_significant
    assert not found["batch_size"].is_significant
    assert found["momentum"].estimate > found["batch_size"].estimate


def test_regime_one_is_a_scatter_with_the_best_marked(database: Database) -> None:
    view = read_view(database, reference_study(database))
    assert view.best is not None
    figure = draw_study(view)[0].figure
    pruned, complete, best = figure["data"]
    assert figure["layout"]["xaxis"]["title"]["text"] == "batch size (images)"
    assert len(pruned["x"]) == view.counts.pruned
    assert len(complete["x"]) == view.counts.complete == len(complete["marker"]["color"])
    assert (best["x"], best["y"]) == (
        [view.best.params["batch_size"]],
        [pytest.approx(view.best.params["dropout_rate"], rel=1e-4)],
    )
    assert best["marker"]["symbol"] == "star"
    assert f"{view.best.value:.4f}" in best["name"]


def test_regime_two_is_a_heat_map_that_tells_pruned_cells_apart(database: Database) -> None:
    view = read_view(database, regime_two_study(database))
    picture = draw_study(view)[0]
    complete, pruned = picture.figure["data"]
    texts = {(note["x"], note["y"]): note["text"] for note in picture.figure["layout"]["annotations"]}
    assert len(texts) == 32
    assert complete["opacity"] == 1
    assert pruned["opacity"] < 0.5
    assert sum(text.startswith("<b>") for text in texts.values()) == view.counts.complete
    assert sum("@" in text for text in texts.values()) == view.counts.pruned
    # Ordered by value, not by the order of the spec.
    assert picture.figure["layout"]["xaxis"]["ticktext"] == [
        f"10<sup>-{power}</sup>" for power in (4, 3, 2, 1)
    ]
    assert len(picture.figure["layout"]["yaxis"]["ticktext"]) == 8
    (frame,) = picture.figure["layout"]["shapes"]
    best = texts[round(frame["x0"] + 0.48), round(frame["y0"] + 0.46)]
    assert view.best is not None
    assert best == f"<b>{view.best.value:.4f}</b>"


def test_titles_under_a_study_are_no_wider_than_their_cards(database: Database) -> None:
    study = sized_study(database, "the-second-study-of-left-and-right-knees", 3, folds=2, epochs=2)
    layouts = [figure["layout"] for _, figure in draw_published(read_view(database, study))]
    titles = [one["title"]["text"].split("<br>") for one in layouts]
    assert {len(lines) for lines in titles} == {1, 2}
    assert max(len(line) for lines in titles for line in lines) <= 60
    assert all(
        one["margin"]["t"] >= 40 + 18 for one, lines in zip(layouts, titles, strict=True) if len(lines) > 1
    )


def test_the_curves_of_a_trial_peak_where_its_value_is(database: Database) -> None:
    view = read_view(database, reference_study(database))
    assert view.best is not None
    picture = next(one for one in draw_study(view) if one.name == "best-curves")
    line = picture.figure["layout"]["shapes"][0]
    means = next(one for one in picture.figure["data"] if one.get("name") == "validation, mean of folds")
    assert max(means["y"]) == pytest.approx(view.best.value, abs=1e-4)
    assert (
        means["x"][means["y"].index(max(means["y"]))]
        == line["x0"]
        == view.attempt_of[view.best.point].best_epoch
    )
    thin = [one for one in picture.figure["data"] if one["line"]["width"] < 1]
    assert len(thin) == 12


def test_what_pruning_saved_is_what_was_not_trained(database: Database) -> None:
    study = reference_study(database)
    view = read_view(database, study)
    stopping = count_stopping(view)
    rows = read_curves(database, study.uuid)
    assert stopping.spent == len(rows)
    assert stopping.planned == 110 * 6 * 20
    assert sum(stopping.pruned) == view.counts.pruned
    assert stopping.running[0] == 110
    assert stopping.running[-1] == view.counts.complete
    assert stopping.saved == pytest.approx(1 - len(rows) / 13_200)


def test_nine_examples_go_from_the_best_to_the_worst(database: Database) -> None:
    view = read_view(database, reference_study(database))
    values = [point.value for point in view.examples]
    assert len(values) == 9
    assert values[0] == view.ranked[0].value
    assert values[-1] == view.ranked[-1].value
    assert values == sorted(values, reverse=True)
    # Titles of panels side by side must not meet on paper, whatever a trial's hyperparameters are.
    many = {f"hyperparameter_{number}": 0.123456789 for number in range(12)}
    view.ranked[0].params.update(many)  # type: ignore[union-attr]
    figure = draw_examples(view).figure
    lines = [one["text"].split("<br>") for one in figure["layout"]["annotations"]]
    assert len(lines) == 9
    assert lines[0][-1].endswith("…")
    assert max(len(line) for text in lines for line in text[1:]) <= TITLE_WIDTH
    assert max(map(len, lines)) <= 3
    assert figure["layout"]["legend"]["yref"] == "container"


def test_importance_is_optunas_own(database: Database) -> None:
    import optuna

    study = reference_study(database)
    found = {one.name: one for one in estimate_importance(read_view(database, study))}
    page = optuna.load_study(study_name=study.name, storage=database.optuna)
    evaluator = optuna.importance.PedAnovaImportanceEvaluator()
    expected = optuna.importance.get_param_importances(page, evaluator=evaluator)
    assert {name: one.estimate for name, one in found.items()} == pytest.approx(expected)


def test_a_hyperparameter_that_does_nothing_is_explained_by_chance(database: Database) -> None:
    view = read_view(database, sized_study(database, "unpruned", 120, pruned=False, folds=2, epochs=3))
    found = {one.name: one for one in estimate_importance(view)}
    assert found["dropout_rate"].is_significant
    assert not found["batch_size"].is_significant


@pytest.mark.parametrize(("effects", "found"), [((1, 1), (0.9, 1)), ((0, 0), (0, 0.12)), ((1, 0), None)])
def test_two_equal_effects_are_found_and_none_is_made_up(
    effects: tuple[int, int], found: tuple[float, float] | None
) -> None:
    """60 trials of two hyperparameters; the best value lies in the middle of each range, noise as large as one effect."""
    generator, significant = np.random.default_rng(3), []
    for _ in range(40):
        places = generator.random((2, 60))
        values = sum(-effect * 10 * (part - 0.4) ** 2 for effect, part in zip(effects, places, strict=True))
        grids = [Grid(np.round(part * 49).astype(np.int64), 50) for part in places]
        chances = find_chances(
            [grid.basis(3) for grid in grids], values + 0.9 * generator.standard_normal(60), 99, 0
        )
        significant.append(chances <= 0.05)
    shares = np.mean(significant, axis=0)
    if found:
        assert (found[0] <= shares).all()
        assert (shares <= found[1]).all()
    else:
        assert shares[0] >= 0.9
        assert shares[1] <= 0.12


def test_the_choice_shows_what_cannot_be_told_from_the_best(database: Database) -> None:
    study = reference_study(database)
    view, selection = read_view(database, study), judge_selection(database, study)
    assert selection is not None
    picture = draw_study(view, None, selection)[1]
    go.Figure(picture.figure)
    assert picture.name == "choice"
    blue = picture.figure["data"][0]
    assert len(blue["x"]) == len(selection["indistinguishable"])
    assert blue["error_y"]["value"] == selection["noise_per_trial"]
    assert picture.figure["layout"]["shapes"][0]["y0"] == (
        selection["corrected_value"] or selection["corrected_at_most"]
    )


def test_studies_are_compared_in_one_table_and_figure(database: Database) -> None:
    views = [read_view(database, reference_study(database)), read_view(database, regime_two_study(database))]
    table = compare_studies(views)
    assert [row[0] for row in table.rows] == ["regime-1", "regime-2"]
    dots = draw_studies(views).figure["data"][0]
    assert sorted(set(dots["y"])) == ["regime-1", "regime-2"]
    assert len(dots["x"]) == 12


@pytest.fixture
def outcomes() -> Outcomes:
    generator = np.random.default_rng(7)
    folds = []
    for _ in range(4):
        labels = (generator.random((80, 2)) < 0.4).astype(float)
        values = np.clip(0.3 * labels + 0.5 * generator.random((80, 2)), 0, 1)
        labels[::9, 1] = math.nan
        folds.append((labels, values))
    return Outcomes(("fracture", "view"), folds)


def test_outcomes_count_assessed_labels_only(outcomes: Outcomes) -> None:
    one, other = count_confusion(outcomes)
    count = lambda table: sum(map(float, vars(table).values()))  # noqa: E731
    assert (count(one), count(other)) == (320, 320 - 4 * 9)
    calibration = calibrate(outcomes)
    assert calibration is not None
    assert sum(calibration.images) == 640 - 36


def test_mean_roc_agrees_with_scikit_learn(outcomes: Outcomes) -> None:
    from sklearn.metrics import roc_auc_score

    curve = mean_roc(outcomes, 0)
    assert curve is not None
    expected = [roc_auc_score(labels[:, 0], values[:, 0]) for labels, values in outcomes.folds]
    assert curve.areas == pytest.approx(expected)
    assert np.all(np.diff(curve.rate) >= -1e-12)
    assert curve.rate[-1] == 1
    macro = macro_roc(outcomes)
    assert macro is not None
    assert len(macro.areas) == 2


def test_outcomes_are_drawn_one_curve_per_label(database: Database, outcomes: Outcomes) -> None:
    view = read_view(database, reference_study(database))
    assert view.best is not None
    roc, confusion, calibration = draw_outcomes(view, view.best, outcomes)
    assert [one["name"].partition(":")[0] for one in roc.figure["data"] if one.get("name")] == [
        "chance",
        "fracture",
        "view",
    ]
    assert len(confusion.figure["data"]) == 2
    for picture in (roc, confusion, calibration):
        go.Figure(picture.figure)


def test_one_fold_with_one_class_has_no_curve() -> None:
    outcomes = Outcomes(("rare",), [(np.zeros((5, 1)), np.full((5, 1), 0.2))])
    assert mean_roc(outcomes, 0) is None
    assert macro_roc(outcomes) is None


def test_the_small_picture_is_whole_and_escapes_its_title(database: Database) -> None:
    study = reference_study(database)
    drawn = draw_svg(read_curves(database, study.uuid, 0), "<script>", AUC)
    assert drawn.count("<polyline") == 14
    assert "<script>" not in drawn
    assert re.search(r"\d\.\d{4} at epoch \d+", drawn)
    assert "no epoch yet" in draw_svg([], "", AUC)


def test_the_numbers_of_every_figure_are_written_also_without_a_browser(
    database: Database, tmp_path: Path
) -> None:
    pictures = draw_study(read_view(database, reference_study(database)))
    written = write_pictures([(tmp_path / "figures", pictures)])
    assert [path.name for path in written] == [f"{name}.csv" for name in NAMES]
    assert (
        (tmp_path / "figures" / "search.csv")
        .read_text()
        .splitlines()[0]
        .startswith("point,trial,state,batch_size")
    )
    assert len((tmp_path / "figures" / "search.csv").read_text().splitlines()) == 111


def test_pictures_are_written_where_kaleido_is_and_refused_in_words_elsewhere(
    database: Database, tmp_path: Path
) -> None:
    pictures = draw_study(read_view(database, reference_study(database)))[:1]
    if importlib.util.find_spec("kaleido") is None:
        with pytest.raises(UsageError, match="CSV") as raised:
            write_pictures([(tmp_path, pictures)], ["svg"])
        assert "camera" in str(raised.value.next_step)
        assert [path.name for path in tmp_path.iterdir()] == ["search.csv"]
    else:
        write_pictures([(tmp_path, pictures)], ["svg"])
        assert "<svg" in (tmp_path / "search.svg").read_text()


def test_a_table_leaves_what_is_not_a_number_empty() -> None:
    assert Table(("a", "b"), [(1, math.nan), (None, "x,y")]).to_csv() == 'a,b\n1,\n,"x,y"\n'


def test_a_log_axis_counts_in_powers_of_ten(database: Database) -> None:
    slices = next(
        one for one in draw_study(read_view(database, regime_two_study(database))) if one.name == "slices"
    )
    epsilon = slices.figure["layout"]["xaxis"]
    # Plotly's own ticks of an epsilon are 10n, 1µ and 100µ.
    assert (epsilon["type"], epsilon["exponentformat"], epsilon["dtick"]) == ("log", "power", 2)


@pytest.mark.parametrize(
    ("low", "high", "ticks"),
    [
        (0.00131, 0.00712, [0.002, 0.005]),
        (0.0009, 0.0081, [0.001, 0.002, 0.005]),
        (0.0025, 0.0045, [0.003]),
        (16, 64, [20, 50]),
        (2.2, 7.9, [3, 5, 7]),
        (30, 33, [30]),
    ],
)
def test_a_short_log_axis_has_few_ticks_and_more_than_one(
    low: float, high: float, ticks: list[float]
) -> None:
    found = _list_ticks(low, high)
    assert found.get("tickvals", ticks) == ticks
    assert ("tickvals" in found) == (len(ticks) > 1)
    assert found.get("ticktext") in (None, [f"{tick:g}" for tick in ticks])


def test_no_line_of_a_grid_is_seen_through_a_bar(database: Database) -> None:
    importance = next(
        one for one in draw_study(read_view(database, reference_study(database))) if one.name == "importance"
    )
    assert importance.figure["layout"]["xaxis"]["showgrid"] is False


def test_figures_that_a_phone_would_squeeze_are_scrolled(database: Database) -> None:
    pictures = draw_study(read_view(database, regime_two_study(database)))
    broad = {one.name for one in pictures if one.is_broad}
    # The heat map has four columns, whose values a phone has room for.
    assert broad == {"examples", "slices", "parallel", "measures", "fleet"}
