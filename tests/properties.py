"""On how many examples a property is tried."""

from hypothesis import settings

_USUAL = settings.get_profile("default").max_examples


def tries(few: int) -> settings:
    """Try a property whose examples take long on a few; where the profile asks for other than usual, on as many."""
    asked = settings().max_examples
    return settings(max_examples=few if asked == _USUAL else asked)
