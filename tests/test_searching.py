"""A winner on an end of its grid: the grid is widened, boundedly, and the user is told."""

import math

import pytest

from zsl_jax import config, errors
from zsl_jax.training import searching, sweeps


@pytest.fixture
def tried(monkeypatch):
    """What was trained; the best step size is `tried.best`, whatever else a setting holds."""

    class Tried(list):
        best = 30.0

    found = Tried()

    def made_up(config, points, workdir, *, source=None):
        found.extend(points)
        far = [abs(math.log(point["method.learning_rate"] / found.best)) for point in points]
        return [{"setting": p, "harmonic": 1 - x / 100} for p, x in zip(points, far)]

    monkeypatch.setattr(sweeps, "run_trials", made_up)
    return found


def search(tmp_path, space, **changes):
    lines = []
    made = sweeps.overridden(config.base("ale", "digits").lock(), {"select.metric": "harmonic", **changes})
    return searching.search(made, space, tmp_path, say=lines.append), lines


GRID = {"method.learning_rate": (0.3, 1.0, 3.0), "train.batch_size": (16, 64)}


def test_a_grid_is_widened_to_its_winner_and_no_further(tried, tmp_path):
    trials, lines = search(tmp_path, GRID)
    rates = sorted({point["method.learning_rate"] for point in tried})
    assert rates == [0.3, 1.0, 3.0, 9.0, 27.0, 81.0]
    assert len(tried) == 12, "each new value goes with all values of the other keys, once"
    assert len(trials) == 10, "what is no better is left out"
    assert max(trials, key=lambda trial: trial["harmonic"])["setting"]["method.learning_rate"] == 27.0
    of_rate = [line for line in lines if "learning_rate=" in line]
    assert of_rate[0] == "the winner has method.learning_rate=3, an end of its grid: trying 9"
    assert len(of_rate) == 3


def test_it_is_widened_downwards_and_only_as_often_as_the_config_says(tried, tmp_path):
    tried.best = 1e-9
    trials, lines = search(tmp_path, GRID, **{"sweep.widen": 2})
    assert min(point["method.learning_rate"] for point in tried) == pytest.approx(0.027)
    assert lines[-1].startswith("the winner has method.learning_rate=0.027, an end of its grid: no value beyond it")
    trials, lines = search(tmp_path, GRID, **{"sweep.widen": 0})
    assert len(trials) == 6
    assert "no value beyond it is tried" in lines[0]


def test_a_value_that_the_config_cannot_have_is_not_tried(tried, tmp_path):
    search(tmp_path, {"method.learning_rate": (30.0, 40.0), "method.momentum": (0.5, 0.9)})
    assert max(point["method.momentum"] for point in tried) == 0.9


def test_a_wrong_value_is_said_before_anything_is_tried(tried, tmp_path):
    with pytest.raises(errors.UserError, match="is not a number"):
        search(tmp_path, {"method.learning_rate": (-1.0, 1.0)})
    assert not tried


def test_what_is_no_better_than_the_noise_of_the_draws_is_left(tried, tmp_path, monkeypatch):
    made_up, noise = sweeps.run_trials, {}

    def noisy(config, points, workdir, *, source=None):
        found = made_up(config, points, workdir, source=source)
        return [trial | {"deviation": noise, "lanes": 4} for trial in found]

    monkeypatch.setattr(sweeps, "run_trials", noisy)
    for spread, best in ((0.01, 27.0), (0.03, 3.0)):  # each step is ahead by ln(3) / 100
        noise["harmonic"] = spread
        trials, lines = search(tmp_path, GRID)
        assert max(trials, key=lambda trial: trial["harmonic"])["setting"]["method.learning_rate"] == best
    assert "by more than the noise of the draws" in lines[-1]


def test_a_winner_inside_its_grid_is_left_alone(tried, tmp_path):
    tried.best = 1.0
    trials, lines = search(tmp_path, {"method.learning_rate": (0.3, 1.0, 3.0)})
    assert (len(trials), lines) == (3, [])
