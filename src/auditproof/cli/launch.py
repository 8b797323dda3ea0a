"""``python -m auditproof.cli.launch``: pytest as ``auditproof run`` executes it, which Ctrl-C ends without a traceback.

pytest handles an interruption once its session has begun. Before that it imports plugins and reads options, and nothing
has been started.
"""

import runpy
import sys

from auditproof.cli.exit_codes import ExitCode

if __name__ == "__main__":
    for name in [name for name in sys.modules if name.partition(".")[0] == "auditproof"]:
        del sys.modules[name]  # pytest imports plugins itself, and warns of one that it finds imported
    try:
        runpy.run_module("pytest", run_name="__main__", alter_sys=True)
    except KeyboardInterrupt:
        sys.stderr.write("auditproof: interrupted before anything was started\n")
        raise SystemExit(ExitCode.INTERRUPTED) from None
