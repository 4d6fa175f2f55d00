"""The figure that shows what decides a claim: named in book/claim-figures.yml, linked where it stands in a chapter."""

from collections.abc import Sequence
from pathlib import Path

import yaml
from docutils import nodes
from sphinx import addnodes
from sphinx.environment import BuildEnvironment

from prunelab_book import results
from prunelab_book.tables import target
from prunelab_book.verdicts import Finding

FILE = "book/claim-figures.yml"


def named(source: Path, found: Sequence[Finding]) -> dict[str, str]:
    """Which figure belongs to each claim of a study.

    Args:
        source: the book's source folder.
        found: every claim of one study.

    Returns:
        claim id -> "run/figure"; without the claims of a study on which nothing is decided yet.

    Raises:
        ResultError: a claim that is decided has none, or the file names a claim that the study has not.
    """
    study = found[0].claim.study
    own = _content(source).get(study, {})
    ids = {finding.claim.id for finding in found}
    for name in own:
        if name not in ids:
            raise results.ResultError(f"{FILE} has a figure for {study}: {name}, no claim{results.nearest(name, ids)}")
    if any(any(finding.decided.values()) for finding in found):
        for name in sorted(ids - set(own)):
            raise results.ResultError(f"no figure for {study}: {name} in {FILE}; add the run/figure that shows it")
    return own


def link(env: BuildEnvironment, figure: str) -> addnodes.pending_xref:
    """A link to the page and place where a figure stands; one that stands on no page is a build warning.

    Args:
        env: the build.
        figure: "run/figure", as {run-figure} takes it.

    Raises:
        ResultError: the run has no such figure.
    """
    place, run, name = target(figure, {})
    results.read_json(results.run_folder(Path(env.srcdir), place, run) / "figures" / f"{name}.json")
    return addnodes.pending_xref(
        "",
        nodes.inline("", name.replace("-", " ")),
        refdomain="std",
        reftype="ref",
        reftarget=f"{run}-{name}",
        refdoc=env.docname,
        refexplicit=True,
        refwarn=True,
    )


def _content(source: Path) -> dict[str, dict[str, str]]:
    """The file, or nothing where there is none."""
    file = source / FILE
    return (yaml.safe_load(file.read_text("utf-8")) or {}) if file.is_file() else {}
