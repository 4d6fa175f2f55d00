"""How bad input is refused: in one line."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest


@contextmanager
def refused(message: str, error: type[Exception] = ValueError) -> Iterator[pytest.ExceptionInfo[Exception]]:
    """Expect an error of one line in which the pattern `message` is found."""
    with pytest.raises(error, match=message) as caught:
        yield caught
    assert "\n" not in str(caught.value)
