"""The lab's tests: each takes a Cloud, says what it does by its name, and cleans up after itself.

They run one after another against a lab that is up; the last line has the counts. A module whose tests
depend on how Heat's engine works says why in BY_ENGINE; `--by-engine` runs only those. The modules `test_nsxv_*`
are those of the lab with NSX-v, and run only there. Tests called `deep_...` are long, and run with `--deep`.
"""
import importlib
import pathlib
import time
import traceback

from labkit.settings import say

HERE = pathlib.Path(__file__).resolve().parent


def run(lab, names):
    """Runs tests/test_NAME.py for these names, or all; the exit code is 0 if all passed."""
    from labtests.support import Cloud

    by_engine, deep = "--by-engine" in names, "--deep" in names
    names = [name for name in names if not name.startswith("--")]
    known = sorted(path.stem[5:] for path in HERE.glob("test_*.py"))
    modules = names or [name for name in known if name.startswith("nsxv_") == lab.nsxv]
    kinds = ("test_", "deep_") if deep else ("test_",)
    counts = {"passed": 0, "failed": 0}
    for name in modules:
        module = importlib.import_module("labtests.test_" + name)
        if by_engine and not getattr(module, "BY_ENGINE", ""):
            say("left out: %s, which does not differ by Heat's engine" % name)
            continue
        for test in [value for key, value in vars(module).items() if key.startswith(kinds)]:
            began = time.monotonic()
            try:
                test(Cloud(lab))
                outcome = "passed"
            except Exception:
                traceback.print_exc()
                outcome = "failed"
            counts[outcome] += 1
            say("%-7s %6.1f s  %s.%s" % (outcome, time.monotonic() - began, name, test.__name__))
    print("%(passed)d passed, %(failed)d failed" % counts, flush=True)
    return 1 if counts["failed"] or not counts["passed"] else 0
