"""The findings in another language, out of book/claims-<language>.yml; knows nothing of Sphinx."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from prunelab.claims import Case, Claim
from prunelab_book import results, text


@dataclass(frozen=True, kw_only=True)
class Translation:
    """What a file of translations holds; whatever it lacks is an error when it is asked for."""

    language: str
    file: str  # its name, for messages
    words: Mapping[str, str]  # phrases; {names} in braces are filled in
    verdicts: Mapping[str, str]
    units: Mapping[str, str]

    def word(self, name: str, **parts: object) -> str:
        """A phrase with its parts filled in."""
        return self._found("word", self.words, name).format(**parts)

    def verdict(self, verdict: str) -> str:
        """A verdict's word."""
        return self._found("verdict", self.verdicts, verdict)

    def statement(self, claim: Claim) -> str:
        """What a claim states."""
        if self.language not in claim.translated:
            raise results.ResultError(f"no {self.language} of {claim.study}: {claim.id} in published/claims.yml")
        return text.tight(claim.translated[self.language])

    def unit(self, unit: str) -> tuple[str, list[str]]:
        """What follows a number, and what follows in brackets: the parts of a unit before and after the semicolon.

        Where the file has only what stands before a comma, the rest, names of methods, follows in brackets as it is.
        """
        head, _, names = (unit, "", "") if unit in self.units else unit.partition(", ")
        measure, _, remark = self._found("unit", self.units, head).partition("；")
        return measure, [part for part in (remark, names) if part]

    def effect(self, case: Case) -> str:
        """What a rule measured in one case, to the digits that its interval warrants; a phrase where it could not."""
        if case.effect is None:
            return self.word("unmeasured")
        digits = text.decimals(case.effect, case.low, case.high)
        bounds = {"value": case.effect, "low": case.low, "high": case.high}
        return self.estimate({**bounds, "unit": case.unit, "digits": digits, "n": case.n_seeds})

    def estimate(self, entry: Mapping[str, Any]) -> str:
        """A number with its unit, interval and number of seeds, as far as it has them."""
        low, high, digits = entry.get("low"), entry.get("high"), entry.get("digits", 2)
        measure, parts = self.unit(entry.get("unit") or "")
        if low is not None and high is not None:
            parts.append(self.word("interval", low=text.number(low, digits), high=text.number(high, digits)))
        if (seeds := entry.get("n")) is not None:
            parts.append(self.word("seeds", n=seeds))
        printed = text.quantity({**entry, "unit": measure})
        return printed + (self.word("aside", parts=self.word("comma").join(parts)) if parts else "")

    def _found(self, kind: str, entries: Mapping[str, str], name: str) -> str:
        """An entry, or an error that says which is missing."""
        if name not in entries:
            raise results.ResultError(f"no {kind} {name!r} in {self.file}{results.nearest(name, entries)}")
        return text.tight(entries[name])


def path(source: Path, language: str) -> Path:
    """The file of a language."""
    return source / "book" / f"claims-{language}.yml"


def load(source: Path, language: str) -> Translation:
    """Read the translations of a language.

    Raises:
        ResultError: there is no file for it, or the file has other parts than it should.
    """
    file = path(source, language)
    if not file.is_file():
        known = [other.stem.removeprefix("claims-") for other in file.parent.glob("claims-*.yml")]
        raise results.ResultError(f"no translation into {language!r}{results.nearest(language, known)}")
    content = yaml.safe_load(file.read_text("utf-8"))
    parts = {"words", "verdicts", "units"}
    if set(content) != parts:
        raise results.ResultError(f"{file.name} has {sorted(parts)}; it is off by {sorted(parts ^ set(content))}")
    return Translation(language=language, file=file.name, **content)
