"""The checks of scikit-learn itself, with the default settings."""

from typing import Any

from sklearn.base import BaseEstimator
from sklearn.utils.estimator_checks import parametrize_with_checks

from deepwell.estimators import DeepClassifier, DeepRegressor


def _expected(estimator: BaseEstimator) -> dict[str, str]:
    """Weights equal repeated rows only as far as `test_base` shows it."""
    return {
        "check_sample_weight_equivalence_on_dense_data": (
            "repeated rows fall into other mini-batches and meet other dropout, so the numbers of "
            "a network trained by stochastic gradients cannot agree to seven digits"
        )
    }


@parametrize_with_checks([DeepClassifier(), DeepRegressor()], expected_failed_checks=_expected)
def test_check(estimator: Any, check: Any) -> None:
    check(estimator)
