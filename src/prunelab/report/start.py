"""Start a program so that Ctrl-C during its imports, which take a second, ends it without a traceback, as later on.

`python -m prunelab.report.start MODULE ARGUMENT ...` calls `MODULE.main()`.
"""

import sys

if __name__ == "__main__":
    try:
        import importlib

        importlib.import_module(sys.argv.pop(1)).main()
    except KeyboardInterrupt:
        sys.exit(130)
