"""Jupyter Book's Sphinx with what its command line has no option for: pages read and written side by side.

`python -m prunelab.report.sphinx ROOT TARGET CORES`, strictly: a warning is an error, and so is a missing reference.
"""

import sys
from pathlib import Path

from jupyter_book.sphinx import build_sphinx


def main() -> None:
    """Build the pages of the book below a folder into another, on so many cores; exit code 0 where all went well."""
    root, target, cores = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
    overrides = {"external_toc_path": str(root / "_toc.yml"), "latex_individualpages": False, "nitpicky": True}
    code = build_sphinx(
        root,
        target,
        path_config=root / "_config.yml",
        noconfig=True,
        confoverrides=overrides,
        warningiserror=True,
        keep_going=True,
        jobs=cores,
    )
    sys.exit(code if isinstance(code, int) else 1)


if __name__ == "__main__":
    main()
