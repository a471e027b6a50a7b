"""The estimator checks of scikit-learn on `EBMRegressor`; ``python -m ebm.estimator_checks`` lists them."""

import warnings
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from ebm.command import run_guarded
from ebm.estimator import EBMRegressor

__all__ = ["NOT_APPLICABLE", "CheckResult", "main", "quick_estimator", "report", "run_checks"]

_WEIGHTS = (
    "a weight is not the same as that many copies of a row: rows are held out, shuffled into "
    "minibatches and given noise one by one, so that only the expected loss is equal. (A weight of "
    "0 does equal leaving the row out; our own tests show it.)"
)
NOT_APPLICABLE: Mapping[str, str] = MappingProxyType(
    {f"check_sample_weight_equivalence_on_{kind}_data": _WEIGHTS for kind in ("dense", "sparse")}
)


@dataclass(frozen=True, kw_only=True)
class CheckResult:
    """What became of one check.

    Attributes:
        name: the check.
        status: "passed", "failed", "skipped" (scikit-learn did not run it) or "not applicable".
        reason: for all but the first.
    """

    name: str
    status: str
    reason: str = ""


def quick_estimator() -> EBMRegressor:
    """An estimator that is quick to fit and still learns the data of the checks."""
    return EBMRegressor(hidden=(16,), epochs=5, learning_rate=0.03)


def run_checks(estimator: EBMRegressor | None = None) -> list[CheckResult]:
    """Run all checks that scikit-learn has for an estimator like this one.

    Args:
        estimator: None is `quick_estimator`.
    """
    from sklearn.utils.estimator_checks import (  # type: ignore[import-untyped, import-not-found, unused-ignore]
        check_estimator,
    )

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = check_estimator(
            estimator or quick_estimator(),
            expected_failed_checks=dict(NOT_APPLICABLE),
            on_skip=None,
            on_fail=None,
        )
    results = []
    for entry in found:
        name, status = entry["check_name"], entry["status"]
        if status == "xfail":
            results.append(CheckResult(name=name, status="not applicable", reason=NOT_APPLICABLE[name]))
        else:
            reason = "" if status == "passed" else " ".join(str(entry["exception"]).split())
            results.append(CheckResult(name=name, status=status, reason=reason))
    return results


def report(results: Sequence[CheckResult]) -> str:
    """The results as Markdown: a count, then passed checks, then all others with reasons."""
    passed = [result.name for result in results if result.status == "passed"]
    counts = Counter(passed)
    names = [f"`{name}`" + (f" ({n} times)" if n > 1 else "") for name, n in sorted(counts.items())]
    lines = [f"{len(passed)} of {len(results)} checks passed:", "", ", ".join(names) + ".", ""]
    for result in results:
        if result.status != "passed":
            lines.append(f"- `{result.name}`: {result.status}: {result.reason}")
    return "\n".join(lines)


def main() -> int:
    """Print the report; the exit code is 1 if a check failed."""
    return run_guarded(_print_report)


def _print_report() -> int:
    results = run_checks()
    print(report(results))
    return int(any(result.status == "failed" for result in results))


if __name__ == "__main__":
    raise SystemExit(main())
