"""Cases of a test, few of them in `make test` and all in `make test-whole`."""

import pytest


def slow_but(cases, *quick):
    """Return the cases for a parametrization, all but the quick ones marked as slow."""
    cases = list(cases)
    assert quick and all(case in cases for case in quick), quick
    return [case if case in quick else pytest.param(case, marks=pytest.mark.slow) for case in cases]
