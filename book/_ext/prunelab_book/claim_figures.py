"""The figure that shows what decides a claim: named in published/claims.yml, linked where it stands in a chapter."""

from collections.abc import Sequence
from pathlib import Path

from sphinx import addnodes
from sphinx.environment import BuildEnvironment

from prunelab_book import links, results
from prunelab_book.tables import target
from prunelab_book.verdicts import Finding


def named(found: Sequence[Finding]) -> dict[str, str]:
    """Which figure belongs to each claim of a study.

    Args:
        found: every claim of one study.

    Returns:
        claim id -> "run/figure"; none where nothing is decided yet, and no figure there.

    Raises:
        ResultError: a claim of a study that is decided has none.
    """
    figures = {finding.claim.id: finding.claim.figure for finding in found if finding.claim.figure}
    if any(any(finding.decided.values()) for finding in found):
        for claim in (finding.claim for finding in found if not finding.claim.figure):
            raise results.ResultError(
                f"no figure for {claim.study}: {claim.id} in published/claims.yml; add the run/figure that shows it"
            )
    return figures


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
    return links.reference("ref", f"{run}-{name}", name.replace("-", " "), env, explicit=True)
