"""The class table, datasets with their splits and checks, and the sources that they come from."""

from zsl_jax.data.dataset import (
    Batch,
    ClassTable,
    Dataset,
    Examples,
    Task,
    test_task,
    training_part,
    validation_task,
)

__all__ = ["Batch", "ClassTable", "Dataset", "Examples", "Task", "test_task", "training_part", "validation_task"]
