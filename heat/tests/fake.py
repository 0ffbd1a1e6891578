"""A small Howdah for the plugin's tests: its native API over real HTTP, and nothing behind it.

It belongs to one project, and says that a cluster is gone only to who names that project or bears the
capability. Every request is recorded. What it answers can be set: how many reads an operation takes, the
error it ends with, and answers to give instead of the next ones. It can go away and come back
on the same port.
"""
import json
import threading
import uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

TOKEN = "the-users-token"
PROJECT = "test_tenant_id"  # that of the contexts of Heat's own tests
CAPABILITY = "capability-of-%s"


class FakeHowdah:
    def __init__(self):
        self.clusters = {}
        self.requests = []
        self.instead = []  # (status, body) answered to the next requests
        self.reads_needed = 2
        self.status = None  # in place of the one that goes with what is wanted
        self.failure = None  # error that the next operations end with
        self.tokens = {TOKEN}
        self.forgotten = False  # whether capabilities of removed clusters are no longer known
        self.port = 0
        self._server = None
        self.come_back()

    @property
    def url(self):
        return "http://127.0.0.1:%d" % self.port

    def come_back(self):
        fake = self

        class Handler(BaseHTTPRequestHandler):
            def answer(self):
                length = int(self.headers.get("Content-Length") or 0)
                body = json.loads(self.rfile.read(length)) if length else None
                status, document = fake.handle(self.command, self.path, self.headers, body)
                raw = document if isinstance(document, bytes) else json.dumps(document).encode()
                self.send_response(status)
                self.send_header("Content-Type", "text/html" if isinstance(document, bytes) else "application/json")
                self.send_header("Content-Length", str(len(raw)))
                self.end_headers()
                self.wfile.write(raw)

            do_GET = do_PUT = do_DELETE = answer

            def log_message(self, *args):
                pass

        ThreadingHTTPServer.allow_reuse_address = True
        self._server = ThreadingHTTPServer(("127.0.0.1", self.port), Handler)
        self.port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()

    def go_away(self):
        self._server.shutdown()
        self._server.server_close()

    def sent(self, method):
        return [r for r in self.requests if r[0] == method]

    # ------------------------------------------------------------ the API
    def handle(self, method, path, headers, body):
        self.requests.append((method, path, dict(headers), body))
        if self.instead:
            return self.instead.pop(0)
        path, _, query = path.partition("?")
        cluster_id = path.split("/")[3]
        capability = headers.get("X-Howdah-Capability")
        bears = capability == CAPABILITY % cluster_id
        if capability and (not bears or (self.forgotten and cluster_id not in self.clusters)):
            return self.nothing(cluster_id, False)
        if not bears and headers.get("X-Auth-Token") not in self.tokens:
            return error(401, "unauthorized", "the token is not good")
        entitled = bears or query == "project=" + PROJECT
        cluster = self.clusters.get(cluster_id)
        if method == "PUT" and path.endswith("/state"):
            if cluster is None:
                return self.nothing(cluster_id, entitled)
            cluster["wanted"] = body["state"]
            return self.accept(cluster, {"running": "start", "stopped": "stop"}[body["state"]])
        if method == "PUT":
            if any(c["spec"]["name"] == body["name"] for c in self.clusters.values() if c is not cluster):
                return error(409, "cluster_name_taken", "there is a cluster %s" % body["name"])
            if cluster is None:
                cluster = {"id": cluster_id, "spec": body, "operation": None, "wanted": "running"}
                self.clusters[cluster_id] = cluster
            elif cluster["spec"] != body:
                return error(409, "cluster_spec_differs", "the cluster is another")
            return self.accept(cluster, "create")
        if cluster is None:
            return self.nothing(cluster_id, entitled)
        if method == "DELETE":
            cluster["wanted"] = "deleted"
            return self.accept(cluster, "delete")
        if "/events" in path:
            return 200, {"events": [{"id": 1, "reason": "port_created", "message": "made"}]}
        self.advance(cluster)
        if cluster["id"] not in self.clusters:
            return self.nothing(cluster_id, entitled)
        return 200, self.show(cluster)

    @staticmethod
    def nothing(cluster_id, entitled):
        if entitled:
            return error(404, "cluster_not_found", "there is no cluster %s" % cluster_id)
        message = "no cluster %s can be seen by who asks" % cluster_id
        return error(404, "cluster_not_visible", message, "Name its project.")

    def accept(self, cluster, kind):
        operation = cluster["operation"]
        if not operation or operation["kind"] != kind or operation["state"] == "failed":
            cluster["operation"] = {
                "id": str(uuid.uuid4()), "kind": kind, "state": "running", "error": None}  # fmt: skip
            cluster["reads"] = self.reads_needed
        return 202, {
            "cluster": self.show(cluster),
            "operation": cluster["operation"],
            "capability": CAPABILITY % cluster["id"],
        }

    def advance(self, cluster):
        operation = cluster["operation"]
        if operation["state"] != "running":
            return
        cluster["reads"] -= 1
        if cluster["reads"] > 0:
            return
        if self.failure:
            operation["state"], operation["error"] = "failed", self.failure
        elif operation["kind"] == "delete":
            del self.clusters[cluster["id"]]
        else:
            operation["state"] = "succeeded"

    def show(self, cluster):
        done = cluster["operation"] and cluster["operation"]["state"] == "succeeded"
        return {
            "id": cluster["id"],
            "name": cluster["spec"].get("name"),
            "wanted": cluster["wanted"],
            "status": (cluster.get("status") or self.status or cluster["wanted"]) if done else "creating",
            "status_reason": "because of the test",
            "progress": 1.0 if done else 0.5,
            "operation": cluster["operation"],
            "nodes": [{"name": "c-master-0", "address": "10.0.0.5"}],
            "addresses": {"master": ["10.0.0.5"]},
            "master_address": "10.0.0.5",
        }


def error(status, code, message, hint=None):
    return status, {"error": {"code": code, "message": message, "hint": hint, "details": {}}}
