"""What is reported: pure functions of scores and labels, exact under padding, masks and sharding.

Labels are whole numbers of any dtype. An example whose label is outside `[0, C)` counts nowhere: neither as right nor
in the number of examples (`zsl_jax.arguments.class_labels` holds the rule). NaN never looks like success: an example
whose scores are NaN is counted as wrong, and a metric of real values is NaN. Each family is one file.
"""

from zsl_jax.metrics.accuracy import (
    best_class,
    harmonic_mean,
    harmonic_of_means,
    mean_of_harmonics,
    mean_per_class,
    micro_accuracy,
    per_class_accuracy,
    per_class_counts,
    per_class_top_k_accuracy,
    top_k_accuracy,
)
from zsl_jax.metrics.attributes import (
    BinaryCounts,
    average_precision,
    balanced_accuracy,
    binary_counts,
    f1,
    mean_average_precision,
    recall,
    recall_at_k,
)
from zsl_jax.metrics.bootstrap import (
    percentile_interval,
    resampled_accuracy,
    resampled_counts,
    resampled_gzsl,
    resampled_pair,
)
from zsl_jax.metrics.compositional import (
    CurveSummary,
    binned_compositional_curve,
    binned_curve_of_rows,
    compositional_curve,
    curve_summary,
    pair_feasibility,
)
from zsl_jax.metrics.confidence import calibration_error, fitted_temperature
from zsl_jax.metrics.curve import ausuc, calibrated_stacking, curve_of_rows, seen_unseen_curve
from zsl_jax.metrics.discovery import discovered
from zsl_jax.metrics.geometry import (
    alignment,
    effective_rank,
    hubness,
    k_occurrence,
    matrix_entropy,
    representativeness,
    uniformity,
)
from zsl_jax.metrics.matching import Matching, matching_accuracy, swap_accuracy
from zsl_jax.metrics.ranking import hits_at_k, label_rank, top_k
from zsl_jax.metrics.rows import Rows, fold, join, log_probabilities, predicted_class
from zsl_jax.metrics.seeds import mean_and_deviation, paired_p_value, unpaired_p_value

__all__ = [
    "BinaryCounts",
    "CurveSummary",
    "Matching",
    "Rows",
    "alignment",
    "ausuc",
    "average_precision",
    "balanced_accuracy",
    "best_class",
    "binary_counts",
    "binned_compositional_curve",
    "binned_curve_of_rows",
    "calibrated_stacking",
    "calibration_error",
    "compositional_curve",
    "curve_of_rows",
    "curve_summary",
    "discovered",
    "effective_rank",
    "f1",
    "fitted_temperature",
    "fold",
    "harmonic_mean",
    "harmonic_of_means",
    "hits_at_k",
    "hubness",
    "join",
    "k_occurrence",
    "label_rank",
    "log_probabilities",
    "matching_accuracy",
    "matrix_entropy",
    "mean_and_deviation",
    "mean_average_precision",
    "mean_of_harmonics",
    "mean_per_class",
    "micro_accuracy",
    "pair_feasibility",
    "paired_p_value",
    "per_class_accuracy",
    "per_class_counts",
    "per_class_top_k_accuracy",
    "percentile_interval",
    "predicted_class",
    "recall",
    "recall_at_k",
    "representativeness",
    "resampled_accuracy",
    "resampled_counts",
    "resampled_gzsl",
    "resampled_pair",
    "seen_unseen_curve",
    "swap_accuracy",
    "top_k",
    "top_k_accuracy",
    "uniformity",
    "unpaired_p_value",
]
