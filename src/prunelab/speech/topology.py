"""The states of the recogniser: each word a left-to-right chain, and one silence."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Topology:
    """Whole-word states. Each may repeat or go on to the next of its word; none is skipped; silence is the last."""

    words: int = 10
    states_per_word: int = 6

    def __post_init__(self) -> None:
        """Refuse a recogniser without words or a word without states."""
        for name in ("words", "states_per_word"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} is a count of at least 1; got {getattr(self, name)!r}")

    @property
    def states(self) -> int:
        """Count all states, silence included."""
        return self.words * self.states_per_word + 1

    @property
    def silence(self) -> int:
        """Give the index of the silence state, the last."""
        return self.states - 1

    def word_states(self, word: int) -> range:
        """Give the states of one word in order.

        Raises:
            ValueError: there is no such word.
        """
        if not 0 <= word < self.words:
            raise ValueError(f"a word is an index from 0 to {self.words - 1}; got {word!r}")
        return range(word * self.states_per_word, (word + 1) * self.states_per_word)
