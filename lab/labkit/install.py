"""Brings what is missing: Debian packages, and a virtualenv with OpenStack in it.

Packages are installed with a policy that keeps their daemons from being started; a policy that
stood there before is left alone. Run as root on Debian 12; a second run finds nothing to do.
"""
import contextlib
import os
import pathlib
import shutil
import subprocess
import tempfile

from labkit.settings import LAB, NSXV, REPO, LabError, say

COMMON = ["mariadb-server-core", "mariadb-client-core", "rabbitmq-server", "dnsmasq-base", "dnsmasq-utils",
          "udhcpc", "iproute2", "iptables", "python3-venv"]  # fmt: skip
PYPI = ["gcc", "libc6-dev", "python3-dev"]
DEBIAN = ["heat-api", "heat-engine", "keystone", "neutron-server", "neutron-dhcp-agent",
          "uwsgi-core", "uwsgi-plugin-python3", "python3-pymysql", "python3-openstackclient", "python3-heatclient",
          "python3-pytest", "python3-testtools", "python3-fixtures"]  # fmt: skip
POLICY = pathlib.Path("/usr/sbin/policy-rc.d")
MARK = "# howdah lab: packages must not start daemons\n"
PYTHON = "/usr/bin/python3"


def install(lab):
    if os.geteuid() != 0:
        raise LabError("the lab makes network namespaces and installs packages: run it as root")
    packages(COMMON + (DEBIAN if lab.debian else PYPI))
    virtualenv(lab.venv, [] if lab.debian else [
        ["-r", LAB / "requirements.txt", "-c", LAB / "constraints.txt"],
        ["pytest", "testtools", "mypy", "-c", LAB / "constraints.txt"],
    ])  # fmt: skip
    if lab.nsxv:
        # Without dependencies: the plugin's own bounds allow no set that runs on this Python.
        virtualenv(lab.nsxv_venv, [["--no-deps", "-r", NSXV / "constraints.txt"]])


def packages(wanted):
    missing = [name for name in wanted if not is_installed(name)]
    if not missing:
        return
    say("installing " + " ".join(missing))
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    apt = ["apt-get", "-q", "-o", "DPkg::Lock::Timeout=300"]
    with no_daemons():
        if subprocess.call(["apt-cache", "show", *missing], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL):
            command([*apt, "update"], environment)
        command([*apt, "install", "-y", "--no-install-recommends", *missing], environment)


def is_installed(name):
    query = ["dpkg-query", "-W", "-f", "${db:Status-Status}", name]
    answer = subprocess.run(query, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    return answer.stdout == b"installed"


@contextlib.contextmanager
def no_daemons():
    """A policy-rc.d that refuses every start, unless there is a policy already."""
    if POLICY.exists() and MARK not in POLICY.read_text():
        yield
        return
    POLICY.write_text("#!/bin/sh\n%sexit 101\n" % MARK)
    POLICY.chmod(0o755)
    try:
        yield
    finally:
        POLICY.unlink()


def command(words, environment=None):
    """Runs a command; its output is shown only if it fails."""
    with tempfile.TemporaryFile() as out:
        code = subprocess.call([str(w) for w in words], stdout=out, stderr=out, stdin=subprocess.DEVNULL,
                               env=environment)  # fmt: skip
        if code:
            out.seek(0)
            raise LabError("%s failed:\n%s" % (" ".join(map(str, words)), out.read().decode(errors="replace")[-3000:]))


def virtualenv(path, installs):
    """A virtualenv after these calls of `pip install`, unless there is one.

    Made under another name and renamed when it is complete, so that half of one is never used.
    For Debian's flavour it has only pip, to install the plugin with.
    """
    if path.exists():
        return
    say("making a virtualenv in %s (a minute)" % path)
    # A virtualenv knows its own path: it is made in place, and marked complete by its name's link.
    real = path.with_name(path.name + ".d")
    shutil.rmtree(real, ignore_errors=True)
    real.parent.mkdir(parents=True, exist_ok=True)
    command([PYTHON, "-m", "venv", real])
    command([real / "bin/pip", "install", "-q", "wheel", "setuptools"])
    for words in installs:
        command([real / "bin/pip", "install", "-q", *words])
    path.symlink_to(real.name)


def plugin(lab):
    """`pip install` of heat/ as it is in this checkout; returns the directory for plugin_dirs."""
    shutil.rmtree(lab.plugin_home, ignore_errors=True)
    # pip builds in the source directory: give it a copy
    with tempfile.TemporaryDirectory() as scratch:
        source = shutil.copytree(REPO / "heat", pathlib.Path(scratch) / "heat")
        command([lab.venv / "bin/pip", "install", "-q", "--no-deps", "--no-build-isolation", "--target",
                 lab.plugin_home, source])  # fmt: skip
    return lab.plugin_home / "howdah_heat" / "heat"
