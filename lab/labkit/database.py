"""MariaDB with three current schemas.

Migrations take half a minute, so their result is kept in the cache, one for each set of versions,
and copied. It has no port number in it: endpoints are registered afterwards. Fernet keys are
32 random bytes in URL-safe base64; writing them saves keystone-manage the time to start.
"""
import base64
import concurrent.futures
import os
import shutil
import socket

from labkit import config
from labkit.process import must_live, run, start, stop, wait_until
from labkit.settings import PASSWORD, REGION, say

KEYS = ("fernet-keys", "credential-keys")


def prepare(lab, service):
    """Leaves MariaDB running with the schemas in it."""
    data = lab.state / "mariadb"
    if not data.exists():
        if lab.seed().exists():
            copy(lab.seed(), lab.state, lab.etc)
        else:
            migrate(lab, service, data)
            keep(lab, data)
    up(lab, service)
    if lab.nsxv:  # its tables are made by the server, at each start
        run(lab, "create-nsxv", "mariadb", "--no-defaults", "-uroot", "-S", lab.mariadb_socket,
            "-e", "CREATE DATABASE IF NOT EXISTS nsxv CHARACTER SET utf8mb3")  # fmt: skip


def up(lab, service):
    start(lab, "mariadb", service)

    def connects():
        with socket.socket(socket.AF_UNIX) as probe:
            probe.connect(str(lab.mariadb_socket))
            return True

    wait_until("MariaDB answers", connects, pause=0.05, alive=must_live(lab, "mariadb"))


def copy(seed, state, etc):
    for name in KEYS:
        shutil.copytree(seed / name, etc / name, dirs_exist_ok=True)
    # last: its presence says that all is there
    shutil.copytree(seed / "mariadb", state / "mariadb.new", dirs_exist_ok=True)
    (state / "mariadb.new").rename(state / "mariadb")


def migrate(lab, service, data):
    say("first use of these versions: migrating three databases")
    run(lab, "mariadb-install-db", "mariadb-install-db", "--no-defaults", "--user=root",
        "--datadir=%s" % data, "--auth-root-authentication-method=normal", "--skip-test-db")  # fmt: skip
    up(lab, service)
    # the character set of Neutron's migrations: with a wider one an index becomes too long
    statements = "; ".join("CREATE DATABASE %s CHARACTER SET utf8mb3" % d for d in ("keystone", "neutron", "heat"))
    run(lab, "create-databases", "mariadb", "--no-defaults", "-uroot", "-S", lab.mariadb_socket, "-e", statements)
    keystone_keys(lab)
    with concurrent.futures.ThreadPoolExecutor() as pool:  # most of the time goes into imports
        for job in [pool.submit(step, lab) for step in (keystone, neutron, heat)]:
            job.result()


def keep(lab, data):
    stop(lab, "mariadb")
    fresh = lab.seed().with_name(lab.seed().name + ".new-%d" % os.getpid())
    shutil.rmtree(fresh, ignore_errors=True)
    for name in KEYS:
        shutil.copytree(lab.etc / name, fresh / name)
    shutil.copytree(data, fresh / "mariadb")
    if lab.seed().exists():  # another lab was quicker
        shutil.rmtree(fresh)
    else:
        fresh.rename(lab.seed())


def keystone_keys(lab):
    for directory in KEYS:
        (lab.etc / directory).mkdir(parents=True, exist_ok=True, mode=0o700)
        for number in "01":
            config.write(lab, "%s/%s" % (directory, number), base64.urlsafe_b64encode(os.urandom(32)).decode())


def keystone(lab):
    manage = [lab.bin / "keystone-manage", "--config-file", lab.etc / "keystone.conf"]
    run(lab, "keystone-db-sync", *manage, "db_sync")
    run(lab, "keystone-bootstrap", *manage, "bootstrap", "--bootstrap-password", PASSWORD,
        "--bootstrap-region-id", REGION)  # fmt: skip


def neutron(lab):
    files = ["--config-file", lab.etc / "neutron.conf", "--config-file", lab.etc / "ml2.ini"]
    run(lab, "neutron-db", lab.bin / "neutron-db-manage", *files, "upgrade", "heads",
        environment={"PYTHONPATH": config.driver_path()})  # fmt: skip


def heat(lab):
    run(lab, "heat-db-sync", lab.bin / "heat-manage", "--config-file", lab.etc / "heat.conf", "db_sync")
