"""Keystone as the lab uses it: logging in, and filling it.

Everything is looked up before it is created, so filling it again changes nothing.
"""
import http.client
import json
import urllib.error
import urllib.request

from labkit.settings import PASSWORD, REGION, LabError


def call(method, url, body=None, token=None, headers=None, timeout=120):
    """One JSON request: (headers, body). An error of the server is a LabError with its text."""
    request = urllib.request.Request(url, method=method, data=None if body is None else json.dumps(body).encode())
    request.add_header("Content-Type", "application/json")
    for name, value in {**({"X-Auth-Token": token} if token else {}), **(headers or {})}.items():
        request.add_header(name, value)
    try:
        with urllib.request.urlopen(request, timeout=timeout) as answer:
            raw = answer.read()
            return answer.headers, parse(raw)
    except urllib.error.HTTPError as error:
        raise ApiError(error.code, method, url, error.read().decode(errors="replace"))
    except http.client.HTTPException as error:  # cut off in the middle
        raise OSError("%s %s: %r" % (method, url, error))


def parse(raw):
    try:
        return json.loads(raw) if raw else None
    except ValueError:
        return None  # Heat writes text after the JSON of a 202


class ApiError(LabError):
    """An error answer."""

    def __init__(self, code, method, url, text):
        super().__init__("%s %s: %d %s" % (method, url, code, text[:600]))
        self.code = code


def login(lab, user="demo", project="demo"):
    """A token and the id of its project."""
    headers, body = call(
        "POST",
        lab.keystone + "/auth/tokens",
        {
            "auth": {
                "identity": {
                    "methods": ["password"],
                    "password": {"user": {"name": user, "domain": {"id": "default"}, "password": PASSWORD}},
                },
                "scope": {"project": {"name": project, "domain": {"id": "default"}}},
            }
        },
    )
    return headers["X-Subject-Token"], body["token"]["project"]["id"]


class Filler:
    """Creates what is not there yet."""

    def __init__(self, lab):
        self.keystone = lab.keystone
        self.token, _ = login(lab, "admin", "admin")

    def ensure(self, kind, query, body, plural=None):
        plural = plural or kind + "s"
        filters = "&".join("%s=%s" % item for item in query.items())
        _, found = call("GET", "%s/%s?%s" % (self.keystone, plural, filters), token=self.token)
        if found[plural]:
            return found[plural][0]["id"]
        _, made = call("POST", "%s/%s" % (self.keystone, plural), {kind: {**query, **body}}, self.token)
        return made[kind]["id"]

    def grant(self, path, user, role):
        call("PUT", "%s/%s/users/%s/roles/%s" % (self.keystone, path, user, role), token=self.token)

    def endpoint(self, service_type, name, url):
        service = self.ensure("service", {"type": service_type}, {"name": name})
        for interface in ("public", "internal", "admin"):
            query = {"service_id": service, "interface": interface}
            found = self.ensure("endpoint", query, {"url": url, "region_id": REGION})
            call("PATCH", "%s/endpoints/%s" % (self.keystone, found), {"endpoint": {"url": url}}, self.token)


def fill(lab):
    """Users, roles and the catalogue."""
    filler = Filler(lab)
    user = {"domain_id": "default"}
    role = {name: filler.ensure("role", {"name": name}, {}) for name in
            ("admin", "member", "service", "heat_stack_user", "heat_stack_owner")}  # fmt: skip
    service = filler.ensure("project", {"name": "service", **user}, {})
    for name in ("neutron", "heat", "howdah"):
        # Howdah like the others: it verifies tokens, makes ports with a MAC of its choice on
        # networks that it does not own, for other projects, and reads their quota
        made = filler.ensure("user", {"name": name, **user}, {"password": PASSWORD})
        filler.grant("projects/" + service, made, role["admin"])
        filler.grant("projects/" + service, made, role["service"])
    for name in ("demo", "other"):
        project = filler.ensure("project", {"name": name, **user}, {})
        made = filler.ensure("user", {"name": name, **user}, {"password": PASSWORD})
        filler.grant("projects/" + project, made, role["member"])
    domain = filler.ensure("domain", {"name": "heat"}, {})
    admin = filler.ensure("user", {"name": "heat_domain_admin", "domain_id": domain}, {"password": PASSWORD})
    filler.grant("domains/" + domain, admin, role["admin"])
    filler.endpoint("identity", "keystone", lab.keystone)
    filler.endpoint("network", "neutron", lab.url("neutron"))
    filler.endpoint("orchestration", "heat", lab.url("heat", "/v1/$(tenant_id)s"))
    filler.endpoint("data-processing", "howdah", lab.url("howdah"))
