"""What a protocol is: what is asked of a trained method, and what is reported of its answers."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from zsl_jax import metrics
from zsl_jax.data import dataset

_DRAWS, _LEVEL = 2000, 0.95
# Draws of validation classes where nobody says: one of them is noise (docs/choices.md).
FOLDS = 5


class Look(NamedTuple):
    """One question to a trained method: some sets of inputs among some of the task's classes.

    Fields:
      sets: names of the task's sets, in the order of the rows that come out.
      groups: `[C]` int, the group of each class of the task's table; -1 for one that is no candidate.
      num_groups: G.
      top: winners that are kept of each group.
      keep: whether the scores are kept.
    """

    sets: tuple[str, ...]
    groups: np.ndarray
    num_groups: int = 1
    top: int = 1
    keep: bool = False

    @property
    def candidates(self) -> np.ndarray:
        """The rows of the table that are candidates."""
        return np.flatnonzero(self.groups >= 0)


class Metric(NamedTuple):
    """A number that a protocol reports.

    Fields:
      name: in tables and CSV files.
      path: its place in a record's `metrics`.
      title: in the heading of a table.
      kind: `accuracy`, a fraction in [0, 1], or `number`.
      choice: its name where it may choose on validation classes (`config.select.metric`); None where it may not.
      interval: its name among a record's `intervals`, or None.
      heading: its title where it stands without its protocol; empty for `title`.
      curve: its label among the validation scores by epoch; empty where it is drawn only if it chooses.
    """

    name: str
    path: tuple[str, ...]
    title: str
    kind: str = "accuracy"
    choice: str | None = None
    interval: str | None = None
    heading: str = ""
    curve: str = ""


class Question(NamedTuple):
    """What a record counts right answers to, class by class.

    Fields:
      name: among a record's `hits`.
      counted: the field of `per_class` with its right answers.
      unseen, seen, harmonic: the metrics that are accuracies on unseen classes, on seen ones, and their harmonic mean;
        empty where images of that side are not asked.
    """

    name: str
    counted: str
    unseen: str
    seen: str = ""
    harmonic: str = ""


class Grid(NamedTuple):
    """How a record's metrics stand on a terminal: lines of metrics under common heads.

    Fields:
      heads: of the columns.
      lines: pairs of a label and names, of each column that of its metric, or the empty text.
    """

    heads: tuple[str, ...]
    lines: tuple[tuple[str, tuple[str, ...]], ...]


def folds(config, num_classes: int, *, named: bool = False) -> int:
    """Returns the number of draws of validation classes.

    Args:
      config: its `select.folds` says so, or is 0: one draw where the benchmark names validation classes, else `FOLDS`,
        as far as there are classes.
      num_classes: classes, or pairs, that can be held out.
      named: whether the benchmark names validation classes.
    """
    if config.select.folds:
        return config.select.folds
    return 1 if named else max(1, min(FOLDS, num_classes))


def is_seen(classes: dataset.ClassTable) -> dict[str, Any]:
    return {"is_seen": jax.device_put(classes.is_seen)}


class Probabilities(NamedTuple):
    """What a softmax of scores over temperatures makes of N inputs.

    Fields:
      own: `[N, T]` the log-probability of the right class.
      predicted: `[N, T]` that of the predicted class.
      correct: `[N]` bool, whether they are one.
    """

    own: Any
    predicted: Any
    correct: Any


def probabilities(rows: metrics.Rows, temperatures: Any, offsets: Any = None, of_own: Any = 0.0) -> Probabilities:
    """Returns the probabilities of one look; the offsets are those of `metrics.log_probabilities`."""
    own, predicted = metrics.log_probabilities(rows, temperatures, offsets, of_own)
    return Probabilities(own, predicted, metrics.predicted_class(rows, offsets) == rows.label)


def calibrated_probabilities(rows: metrics.Rows, is_seen: Any, gamma: Any, temperatures: Any) -> Probabilities:
    """Returns those of a look with the groups 0, unseen classes, and 1, seen ones, from which gamma is subtracted."""
    gamma = jnp.asarray(gamma, jnp.float32)
    of_own = jnp.where(is_seen[rows.label], -gamma, 0.0)
    return probabilities(rows, temperatures, jnp.stack([jnp.zeros(()), -gamma]), of_own)


class Protocol(NamedTuple):
    """Pure functions and facts; one protocol is one file.

    Fields:
      name: as `config.protocol` has it.
      tasks: `(dataset, config) -> (choosing, final)`: the tasks that choices are made on, one per draw of validation
        classes (none where nothing is chosen), and the one that is reported. What chooses is handed
        `data.training_part` and nothing else, unless the config asks for the test labels by name.
      looks: `(task, keep) -> {name: Look}`; `keep` asks for scores where a figure needs them.
      facts: `classes -> dict` of arrays that `choose` and `report` need of a task's class table.
      choose: `(rows, facts) -> knobs`: what is chosen after training, of `{look: metrics.Rows}` and facts whose arrays
        are stacked over D draws; arrays in, scalars out, under jit and vmap.
      report: `(rows, facts, knobs) -> metrics`, a tree of scalars, pure.
      unchosen: the knobs, as pairs of name and value, where nothing is chosen.
      counts: `(rows, facts, knobs) -> {name: [C]}`, right answers and inputs of every class, pure.
      hits: `(rows, facts, knobs) -> {question: [N] bool}`, the test inputs that are answered rightly, in the order of
        the look `hits_of`; None where an input has no one right answer.
      hits_of: a look whose sets are all that is scored.
      intervals: `per_class -> {name: (low, high)}` of a record's counts over test images.
      probabilities: `(rows, facts, knobs, temperatures [T]) -> Probabilities`, with `rows.lse` at these temperatures;
        None where there are no probabilities.
      schema: what is reported, in the order of a table's columns.
      best: the metric that leads where rows are ranked, a name in `schema`.
      best_of_few: the same where few classes are held out; empty for `best`.
      questions: what is drawn again to judge differences between rows, see `resampling`.
      grid: of a record's metrics; None for one per line.
      published: the metrics that published tables hold, under the names they have there.
    """

    name: str
    tasks: Callable[..., tuple[tuple[dataset.Task, ...], dataset.Task]]
    looks: Callable[..., dict[str, Look]]
    report: Callable[..., dict[str, Any]]
    counts: Callable[..., dict[str, Any]]
    schema: tuple[Metric, ...]
    best: str
    facts: Callable[..., dict[str, Any]] = is_seen
    choose: Callable[..., dict[str, Any]] = lambda rows, facts: {}
    unchosen: tuple[tuple[str, float], ...] = ()
    intervals: Callable[..., dict[str, Any]] = lambda per_class: {}
    probabilities: Callable[..., Probabilities] | None = None
    hits: Callable[..., dict[str, Any]] | None = None
    hits_of: str = ""
    best_of_few: str = ""
    questions: tuple[Question, ...] = ()
    grid: Grid | None = None
    published: tuple[str, ...] = ()

    def choices(self) -> dict[str, Metric]:
        """The metrics that may choose on validation classes, by the name that a config gives them."""
        return {metric.choice: metric for metric in self.schema if metric.choice}


def resampled(rng: np.random.Generator, correct: np.ndarray, images: np.ndarray) -> np.ndarray:
    """Returns `[draws]` accuracies by bootstrap within each class, means over classes `[C]`, all with test inputs.

    As `metrics.resampled_counts` draws them, but without the two seconds that compiling it would add to a run.
    """
    return np.mean(rng.binomial(images, correct / images, (_DRAWS, len(images))) / images, axis=1)


def intervals(samples: dict[str, np.ndarray]) -> dict[str, Any]:
    """Returns the 95 % interval `(low, high)` of each metric's samples, and their `level`."""
    tails = (1 - _LEVEL) / 2
    found = {name: np.quantile(values, (tails, 1 - tails)).tolist() for name, values in samples.items()}
    return {"level": _LEVEL, **found}


def value(metrics: dict[str, Any], metric: Metric) -> Any:
    """Returns the value at a metric's path."""
    for name in metric.path:
        metrics = metrics[name]
    return metrics
