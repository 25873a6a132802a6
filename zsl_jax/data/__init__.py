"""The class table, datasets with their splits and checks, and the sources that they come from."""

from zsl_jax.data.dataset import (
    Batch,
    ClassTable,
    Dataset,
    Examples,
    Task,
    rows_of,
    take,
)
from zsl_jax.data.sources import SOURCES, load
from zsl_jax.data.tasks import make_task, test_task, training_part, validation_task, validation_tasks

__all__ = [
    "SOURCES",
    "Batch",
    "ClassTable",
    "Dataset",
    "Examples",
    "Task",
    "load",
    "make_task",
    "rows_of",
    "take",
    "test_task",
    "training_part",
    "validation_task",
    "validation_tasks",
]
