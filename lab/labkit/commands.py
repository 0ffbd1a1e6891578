"""What a person can ask of the lab."""
import concurrent.futures
import importlib.util
import os
import pathlib
import shlex
import shutil
import signal
import subprocess
import sys
import time

from labkit import config, database, guests, howdah, identity, install, process, services
from labkit.settings import LAB, PASSWORD, REGION, REPO, LabError, Settings, say

# Started first and ended last: the others cannot stop politely without them.
FIRST = ("mariadb", "rabbit", "epmd")


def main(arguments, usage):
    """Runs a command; the exit code is 0, 1 for a problem that a person has to fix, 2 for a wrong call."""
    if "--neutron" in arguments[:-1]:
        at = arguments.index("--neutron")
        os.environ["HOWDAH_LAB_NEUTRON"] = arguments[at + 1]
        arguments = arguments[:at] + arguments[at + 2 :]
    name, rest = (arguments or ["help"])[0], arguments[1:]
    command = COMMANDS.get(name)
    if command is None:
        sys.stderr.write(usage)
        return 0 if name in ("help", "--help", "-h") else 2
    try:
        return command(Settings(), rest) or 0
    except LabError as problem:
        say("lab: %s" % problem)
        return 1
    except KeyboardInterrupt:
        say("lab: interrupted; `lab.py down` ends what runs")
        return 130


def cmd_install(lab, _arguments):
    install.install(lab)
    say("everything is installed")


def cmd_up(lab, arguments):
    began = time.monotonic()
    if "--fresh" in arguments:
        cmd_down(lab, ["--purge"])
        lab = Settings()
    howdah.must_be_built(lab)
    install.install(lab)
    lab.keep()
    for name in ("lock", "rabbit", "neutron", "guests"):
        (lab.state / name).mkdir(exist_ok=True)
    (lab.state / "rabbit/enabled_plugins").write_text("[].\n")
    config.write_all(lab, install.plugin(lab))
    table = services.table(lab)

    def start(*names):
        for name in names:
            if name in table:
                process.start(lab, name, table[name])

    if "epmd" in table:
        start("epmd")
        process.wait_listens(lab, "epmd", lab.ports["epmd"])
    start("rabbit", "sandbox")
    database.prepare(lab, table["mariadb"])
    start("keystone", "neutron-api", "neutron-rpc", "heat-api", "heat-engine")
    process.wait_http(lab, "keystone", lab.keystone)
    step(began, "Keystone answers")
    if "rabbit" in table:
        process.wait_listens(lab, "rabbit", lab.ports["rabbit"])
    identity.fill(lab)
    step(began, "users, roles and catalogue are there")
    process.wait_http(lab, "neutron-api", lab.url("neutron", "/"))
    start("neutron-dhcp")
    process.wait_listens(lab, "sandbox", lab.ports["sim_control"])
    howdah.configure(lab)
    start("guests", "howdah")
    process.wait_http(lab, "howdah", lab.url("howdah", "/readyz"))
    step(began, "Howdah is ready")
    if "heat-api" in table:
        process.wait_http(lab, "heat-api", lab.url("heat", "/healthcheck"))
        wait_for_agents(lab)
    step(began, "everything is up")


def step(began, what):
    say("%6.1f s  %s" % (time.monotonic() - began, what))


def wait_for_agents(lab):
    """Heat's engine and Neutron's DHCP agent tell by message that they are there."""
    token, project = identity.login(lab, "admin", "admin")

    def engine():
        url = lab.url("heat", "/v1/%s/services" % project)
        return any(s["status"] == "up" for s in identity.call("GET", url, token=token)[1]["services"])

    def agent():
        url = lab.url("neutron", "/v2.0/agents?agent_type=DHCP%20agent")
        return any(a["alive"] for a in identity.call("GET", url, token=token)[1]["agents"])

    def patient(condition):
        def ask():
            try:
                return condition()
            except identity.ApiError as problem:  # half-started APIs answer 500 and 503
                raise OSError(str(problem))

        return ask

    process.wait_until("heat-engine reports", patient(engine), alive=process.must_live(lab, "heat-engine"))
    process.wait_until("the DHCP agent reports", patient(agent), alive=process.must_live(lab, "neutron-dhcp"))


def cmd_down(lab, arguments):
    if lab.exists():
        # whatever was written down, also what today's table does not know
        names = [path.stem for path in lab.run.glob("*.pid")]
        with concurrent.futures.ThreadPoolExecutor() as pool:
            # Neutron's agents take ten seconds and more to stop politely; nothing here is worth that
            list(pool.map(lambda n: process.stop(lab, n, wait=3), [n for n in names if n not in FIRST]))
            list(pool.map(lambda n: process.stop(lab, n, wait=5), [n for n in names if n in FIRST]))
        guests.remove_all(lab)
        remove_networks(lab)
    if "--purge" in arguments:
        shutil.rmtree(lab.state, ignore_errors=True)


def remove_networks(lab):
    """What Neutron's agent leaves: dnsmasq and its namespaces outlive it by design."""
    for directory in (lab.state / "neutron/dhcp").glob("*"):
        try:
            pid = int((directory / "pid").read_text())
            if str(directory) in pathlib.Path("/proc/%d/cmdline" % pid).read_text():
                process.send([pid], signal.SIGTERM)
        except (OSError, ValueError):
            pass
    for note in (lab.state / "neutron/bridges").glob("brq*"):
        guests.ip("netns", "del", "qdhcp-" + note.read_text(), check=False)
        guests.ip("link", "del", note.name, check=False)
        note.unlink()


def cmd_env(lab, _arguments):
    must_be_up(lab)
    for name, value in environment(lab).items():
        print("export %s=%s" % (name, shlex.quote(str(value))))


def must_be_up(lab):
    if not lab.exists():
        raise LabError("there is no lab in %s: run `lab.py up`" % lab.state)


def environment(lab, user="demo"):
    return {
        "OS_AUTH_URL": lab.keystone,
        "OS_IDENTITY_API_VERSION": "3",
        "OS_USERNAME": user,
        "OS_PASSWORD": PASSWORD,
        "OS_PROJECT_NAME": user,
        "OS_USER_DOMAIN_ID": "default",
        "OS_PROJECT_DOMAIN_ID": "default",
        "OS_REGION_NAME": REGION,
        "PATH": "%s:%s" % (lab.bin, os.environ.get("PATH", "")),
    }


def cmd_status(lab, _arguments):
    must_be_up(lab)
    total = 0.0
    for name, service in services.table(lab).items():
        pid = process.pid_of(lab, name)
        if not pid:
            print("%-13s down" % name)
            continue
        pids = process.members(pid)
        size = memory(pids)
        total += size
        port = service.port or "-"
        print("%-13s pid %-7d processes %-2d %7.1f MiB  port %s" % (name, pid, len(pids), size, port))
    print("%-13s %33.1f MiB" % ("together", total))


def memory(pids):
    """Proportional set size in MiB."""
    size = 0
    for pid in pids:
        try:
            lines = pathlib.Path("/proc/%d/smaps_rollup" % pid).read_text().splitlines()
        except OSError:
            continue
        size += sum(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
    return size / 1024


def cmd_start(lab, names):
    table = services.table(lab)
    for name in known(table, names):
        process.start(lab, name, table[name])


def cmd_stop(lab, names):
    for name in known(services.table(lab), names):
        process.stop(lab, name)


def cmd_kill(lab, names):
    for name in known(services.table(lab), names):
        process.stop(lab, name, signal.SIGKILL)


def known(table, names):
    for name in names:
        if name not in table:
            raise LabError("there is no process %r; there are %s" % (name, ", ".join(table)))
    return names


def cmd_guests(lab, _arguments):
    """Run by `up`, not by people."""
    guests.serve(lab)


def cmd_demo(lab, arguments):
    """A cluster from the template of 2015, through Heat, with everything a person would type."""
    must_be_up(lab)
    if lab.nsxv:
        raise LabError("the demo needs Heat, which the NSX-v lab leaves out")
    template = arguments[0] if arguments else REPO / "examples/hadoop-2015.json"
    stack = "demo"
    client = {**os.environ, **environment(lab)}

    def shown(*words):
        say("$ " + " ".join(map(str, words)))
        return subprocess.call([str(word) for word in words], env=client)

    code = shown("openstack", "stack", "create", "-t", template, "--wait", stack)
    code = code or shown("openstack", "stack", "output", "show", stack, "--all")
    code = code or shown("openstack", "port", "list", "-c", "Name", "-c", "MAC Address", "-c", "Fixed IP Addresses")
    say("`openstack stack delete %s` removes it; `lab.py env` has what the client needs" % stack)
    return code


def cmd_plugin(lab, arguments):
    """The Heat plugin's own tests, with this flavour's Heat; arguments are pytest's."""
    install.install(lab)
    python = "/usr/bin/python3" if lab.debian else lab.bin / "python"
    code = 0
    if not lab.debian:
        code = subprocess.call([str(lab.bin / "mypy"), "--cache-dir", os.devnull], cwd=REPO / "heat")
    return subprocess.call([str(python), "-B", "-m", "pytest", *arguments], cwd=REPO / "heat") or code


def cmd_test(lab, arguments):
    """The lab's tests; closes with counts. --up: brings the lab up first and takes it down again."""
    if "--up" not in arguments:
        must_be_up(lab)
        return run_tests(lab, arguments)
    try:
        cmd_up(lab, [])
        code = run_tests(lab, [argument for argument in arguments if argument != "--up"])
    finally:
        cmd_down(lab, [])
    if not code:  # what went wrong is in the logs
        shutil.rmtree(lab.state)
    return code


def run_tests(lab, names):
    spec = importlib.util.spec_from_file_location("labtests", LAB / "tests/__init__.py",
                                                  submodule_search_locations=[str(LAB / "tests")])  # fmt: skip
    package = importlib.util.module_from_spec(spec)
    sys.modules["labtests"] = package
    spec.loader.exec_module(package)
    return package.run(lab, names)


COMMANDS = {name[4:]: value for name, value in list(globals().items()) if name.startswith("cmd_")}
