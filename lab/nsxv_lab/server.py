"""neutron-server with the NSX-v plugin, and NSX Manager in the same process.

    server.py NEUTRON_CONF CONTROL_PORT

The control port, on loopback: GET /state shows what NSX holds; POST /fail {"call": ..., "times": ...} makes calls of
the plugin fail. The API runs in this process, without workers, because NSX Manager's state is its memory. For the same
reason the database is emptied at each start.
"""
import compat  # noqa: F401, isort: skip
import eventlet

eventlet.monkey_patch()

import json  # noqa: E402
import os  # noqa: E402
import sys  # noqa: E402

# Models refer to tables of these two; options are read while later modules load.
import neutron_dynamic_routing.db.bgp_db  # noqa: E402, F401
import vmware_nsx.common.config  # noqa: E402, F401
from eventlet import wsgi  # noqa: E402
from manager import Manager  # noqa: E402
from neutron import server  # noqa: E402
from neutron.server import wsgi_eventlet  # noqa: E402
from neutron_lib.db import api as db_api  # noqa: E402
from vmware_nsx.db.migration.models import head  # noqa: E402
from vmware_nsx.plugins.nsx_v.vshield import vcns  # noqa: E402
from vmware_nsx.services.lbaas.octavia import octavia_listener  # noqa: E402


def control(manager):
    def application(environ, start_response):
        status, answer = "200 OK", {}
        asked = (environ["REQUEST_METHOD"], environ["PATH_INFO"])
        if asked == ("GET", "/state"):
            answer = manager.state()
        elif asked == ("POST", "/fail"):
            body = json.loads(environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"])))
            manager.fail(body["call"], body["times"])
        else:
            status = "404 Not Found"
        start_response(status, [("Content-Type", "application/json")])
        return [json.dumps(answer).encode()]

    return application


def empty(engine):
    """A database of the same name, with nothing in it."""
    name = engine.url.database
    with engine.connect() as connection:
        connection.execute("DROP DATABASE %s" % name)
        connection.execute("CREATE DATABASE %s CHARACTER SET utf8mb3" % name)
    engine.dispose()


def main(conf, port):
    manager = Manager()
    vcns.Vcns = lambda *_args, **_kwargs: manager
    # Octavia's listeners want a broker.
    octavia_listener.NSXOctaviaListener.__init__ = lambda self, **_kwargs: None
    octavia_listener.NSXOctaviaStatisticsCollector.__init__ = lambda self, *_args, **_kwargs: None
    sys.argv = ["neutron-server", "--config-file", conf]
    server._init_configuration()
    engine = db_api.get_context_manager().writer.get_engine()
    empty(engine)
    head.get_metadata().create_all(engine)
    eventlet.spawn(wsgi.server, eventlet.listen(("127.0.0.1", int(port))), control(manager), open(os.devnull, "w"))
    wsgi_eventlet.eventlet_wsgi_server()


if __name__ == "__main__":
    main(*sys.argv[1:])
