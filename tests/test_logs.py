"""The log of a run: lines, TensorBoard, Weights & Biases."""

import sys
import types

import pytest

from zsl_jax import errors
from zsl_jax.training import logs


class Cloud:
    """What `wandb` has of a module, with what was sent."""

    run = None

    def __init__(self):
        self.sent, self.defined, self.finished = [], {}, 0

    def init(self, **given):
        self.run = types.SimpleNamespace(id=given["id"], log=self.sent.append, define_metric=self.define, given=given)
        return self.run

    def define(self, name, step_metric):
        self.defined[name] = step_metric

    def finish(self):
        self.run, self.finished = None, self.finished + 1


def test_a_workdir_is_one_run_of_weights_and_biases_after_a_stop_too(tmp_path, monkeypatch):
    cloud = Cloud()
    monkeypatch.setitem(sys.modules, "wandb", cloud)
    for phase in ("select", "train"):
        logs.WeightsAndBiases(tmp_path / "one", phase, {"seed": 0}).append(
            {"phase": phase, "epoch": 1, "step": 4, "loss": 0.5}
        )
    first = cloud.run
    assert cloud.sent == [{"select/step": 4, "select/loss": 0.5}, {"train/step": 4, "train/loss": 0.5}]
    assert cloud.defined == {"select/*": "select/step", "train/*": "train/step"}
    assert (first.given["name"], first.given["config"], first.given["resume"]) == ("one", {"seed": 0}, "allow")
    logs.WeightsAndBiases(tmp_path / "two", "select", {})
    assert (cloud.finished, cloud.run.id == first.id) == (1, False)
    logs.WeightsAndBiases(tmp_path / "one", "train", {})
    assert cloud.run.id == first.id


def test_without_wandb_it_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "wandb", None)
    with pytest.raises(errors.UserError, match=r"pip install 'zsl-jax\[wandb\]'"):
        logs.WeightsAndBiases(tmp_path, "select", {})
