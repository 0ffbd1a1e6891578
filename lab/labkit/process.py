"""Starting and ending the lab's processes.

Each is started in its own session; its pid is written to RUN/NAME.pid, and only pids written
there, and members of their sessions, are ever signalled.
"""
import os
import pathlib
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request

from labkit.settings import LabError


class Service:
    """A process: what to run, with what environment, and the port that it listens on."""

    def __init__(self, command, environment=None, port=None):
        self.command = [str(part) for part in command]
        self.environment = {key: str(value) for key, value in (environment or {}).items()}
        self.port = port


def start(lab, name, service):
    if pid_of(lab, name):
        return
    with open(lab.log / (name + ".out"), "ab") as out:
        child = subprocess.Popen(
            service.command,
            env={**os.environ, "PATH": "%s:/usr/sbin:/usr/bin:/sbin:/bin" % lab.bin, **service.environment},
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            cwd=lab.state,
        )
    (lab.run / (name + ".pid")).write_text(str(child.pid))


def recorded(lab, name):
    """The pid written down for a name, running or not."""
    try:
        return int((lab.run / (name + ".pid")).read_text())
    except (OSError, ValueError):
        return None


def pid_of(lab, name):
    """The pid of a process that runs."""
    pid = recorded(lab, name)
    return pid if pid and stat(pid) else None


def stat(pid):
    """State, parent and session of a live process; None for one that is gone or only unburied."""
    try:
        fields = pathlib.Path("/proc/%d/stat" % pid).read_text().rsplit(")", 1)[1].split()
    except OSError:
        return None
    return None if fields[0] == "Z" else {"parent": int(fields[1]), "session": int(fields[3])}


def members(session):
    """All live processes of a session."""
    pids = [int(d.name) for d in pathlib.Path("/proc").iterdir() if d.name.isdigit()]
    return [pid for pid in pids if (stat(pid) or {}).get("session") == session]


def stop(lab, name, signal_number=signal.SIGTERM, wait=20.0):
    """Ends a process: its leader first, then whatever is left of its session."""
    leader = recorded(lab, name)
    if leader is None:
        return
    alive = members(leader)
    send([leader] if signal_number == signal.SIGTERM and leader in alive else alive, signal_number)
    until = time.monotonic() + wait
    while members(leader) and time.monotonic() < until:
        time.sleep(0.05)
    send(members(leader), signal.SIGKILL)
    (lab.run / (name + ".pid")).unlink()


def send(pids, signal_number):
    for pid in pids:
        try:
            os.kill(pid, signal_number)
        except ProcessLookupError:
            pass


def run(lab, name, *command, environment=None):
    """Runs a command to its end; its output goes to the log directory."""
    path = lab.log / (name.replace(" ", "-") + ".out")
    with open(path, "ab") as out:
        code = subprocess.call(
            [str(part) for part in command],
            stdout=out,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            env={**os.environ, **(environment or {})},
        )
    if code:
        raise LabError("%s failed (%d): see %s\n%s" % (name, code, path, tail(path)))


def tail(path, lines=8):
    """The end of a log, for an error message."""
    try:
        return "\n".join("    " + line for line in pathlib.Path(path).read_text(errors="replace").splitlines()[-lines:])
    except OSError:
        return ""


def wait_until(what, condition, timeout=120.0, pause=0.1, alive=None):
    """Waits for a condition that returns something true, and returns that.

    `alive` may raise when waiting has become pointless. An OSError (nobody listens yet) is no.
    """
    until = time.monotonic() + timeout
    last = "it is not so"
    while True:
        try:
            found = condition()
            if found:
                return found
        except OSError as problem:
            last = str(problem)
        if alive:
            alive()
        if time.monotonic() > until:
            raise LabError("%s: waited %d s; last: %s" % (what, timeout, last))
        time.sleep(pause)


def must_live(lab, name):
    """For wait_until: ends waiting for a process that died."""

    def check():
        if not pid_of(lab, name):
            path = lab.log / (name + ".out")
            raise LabError("%s died: see %s\n%s" % (name, path, tail(path)))

    return check


def wait_listens(lab, name, port):
    def connects():
        socket.create_connection(("127.0.0.1", port), 1).close()
        return True

    wait_until("%s listens on %d" % (name, port), connects, pause=0.05, alive=must_live(lab, name))


def wait_http(lab, name, url):
    """Waits until a URL answers with anything but a server's error."""

    def answers():
        try:
            urllib.request.urlopen(url, timeout=10).read()
        except urllib.error.HTTPError as error:
            return error.code < 500
        return True

    wait_until("%s answers" % url, answers, alive=must_live(lab, name))
