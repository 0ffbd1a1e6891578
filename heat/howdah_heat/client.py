"""One request to Howdah's native API, and the meaning of its response.

There is no retry and no waiting in here: a request ends within its time limits, and the caller
asks again at Heat's next poll. Nothing is logged in here either, because bodies hold passwords
and headers hold tokens. What went wrong is one of three things:

* :class:`Unavailable`: the service could not be reached; a retry may succeed;
* :class:`Gone`: the service says that the cluster does not exist, which it reveals only to authorised requesters;
* :class:`Refused`: the service, or the way to it, says no, and why.
"""
from typing import Any, Dict, Mapping, Optional

from keystoneauth1 import exceptions as ks_exceptions

from howdah_heat import options

CAPABILITY_HEADER = "X-Howdah-Capability"
SITE_HEADER = "X-Howdah-Site"
REQUEST_ID_HEADER = "X-OpenStack-Request-ID"
# The one word that a cluster is gone, and the one that nothing is known of it to who asks: then it may well exist.
NOT_FOUND = "cluster_not_found"
NOT_VISIBLE = "cluster_not_visible"
# What a proxy says in front of a service that is away, a service that is starting, and one that has had too
# many tokens refused that came from this host, whosever they were.
AWAY = frozenset((429, 502, 503, 504))

Document = Dict[str, Any]


class Unavailable(Exception):
    """The service could not be reached."""


class Refused(Exception):
    """The request was rejected; ``str()`` is for the status reason of a resource."""

    def __init__(self, message: str, code: str = "", hint: str = "", status: int = 0) -> None:
        super().__init__(describe(message, code, hint))
        self.code = code
        self.status = status


class Gone(Refused):
    """There is no such cluster."""


def describe(message: str, code: str = "", hint: Optional[str] = "") -> str:
    """An error of the service as one line: what, its code, what to do."""
    text = message.rstrip()
    if code:
        text = "%s (%s)" % (text, code)
    if hint:
        text = "%s Hint: %s" % (text if text.endswith((".", ")")) else text + ".", hint)
    return text


class Client:
    """The service, as one keystoneauth session sees it.

    ``site`` is the one whose OpenStack this is, if it is known. ``request_id`` is the ID of Heat's request: the
    service passes it on to Neutron and vCenter, so that one ID is in all their logs.
    """

    def __init__(
        self,
        session: Any,
        region: Optional[str] = None,
        site: Optional[str] = None,
        request_id: Optional[str] = None,
    ) -> None:
        self._session = session
        self._region = region
        self._site = site
        self._request_id = request_id
        self._base: Optional[str] = None

    def base(self) -> str:
        """URL of the service, without a trailing ``/v1``."""
        if self._base is None:
            found = options.endpoint() or self._in_catalogue()
            found = found.rstrip("/")
            self._base = found[: -len("/v1")] if found.endswith("/v1") else found
        return self._base

    def _in_catalogue(self) -> str:
        try:
            found = self._session.get_endpoint(
                service_type=options.SERVICE_TYPE,
                interface=options.interface(),
                region_name=self._region,
                skip_discovery=True,
            )
        except ks_exceptions.EndpointNotFound:
            found = None
        except ks_exceptions.ConnectionError as problem:
            raise Unavailable("the Identity service cannot be reached: %s" % problem)
        except ks_exceptions.ClientException as problem:
            raise Refused("the Identity service does not give its catalogue: %s" % problem)
        if not found:
            raise Refused(
                "the catalogue has no endpoint of type %s%s"
                % (options.SERVICE_TYPE, " in region %s" % self._region if self._region else ""),
                hint="the operator can register Howdah there, or set [%s] endpoint in heat.conf" % options.GROUP,
            )
        return str(found)

    def call(
        self, method: str, path: str, body: Optional[Mapping[str, Any]] = None, capability: Optional[str] = None
    ) -> Document:
        """Sends one request, with the capability alone if there is one, else with the token."""
        url = self.base() + path
        headers = {"Accept": "application/json"}
        if self._site:
            headers[SITE_HEADER] = self._site
        if self._request_id:
            headers[REQUEST_ID_HEADER] = self._request_id
        if capability:
            headers[CAPABILITY_HEADER] = capability
        try:
            response = self._session.request(
                url,
                method,
                json=body,
                headers=headers,
                authenticated=not capability,
                raise_exc=False,
                redirect=False,  # a token goes to the host it is meant for and no other
                connect_retries=0,
                log=False,  # see the head of this file
                **options.transport()
            )
        except ks_exceptions.SSLError as problem:
            raise Refused(
                "the certificate of %s does not verify: %s" % (self.base(), problem),
                hint="set ca_file in [clients_%s] of heat.conf to the authority that signed it" % options.CLIENT,
            )
        except (ks_exceptions.ConnectionError, ks_exceptions.RetriableConnectionFailure) as problem:
            raise Unavailable("%s: %s" % (self.base(), problem))
        except ks_exceptions.ClientException as problem:
            raise Refused("%s %s failed: %s" % (method, url, problem))
        return _read(response, method, url)


def _read(response: Any, method: str, url: str) -> Document:
    status = int(response.status_code)
    try:
        document = response.json()
    except ValueError:
        document = None
    if 200 <= status < 300 and isinstance(document, dict):
        return document
    error = document.get("error") if isinstance(document, dict) else None
    if status in AWAY:
        # The service itself says why, what stands in front of it does not.
        reason = error.get("message") if isinstance(error, dict) else None
        raise Unavailable("%s answered %d%s" % (url, status, ": %s" % reason if reason else ""))
    if not isinstance(error, dict) or not error.get("message"):
        kind = response.headers.get("Content-Type", "no type")
        raise Refused(
            "%s %s answered %d with %s, which is not an answer of Howdah" % (method, url, status, kind),
            hint="check the endpoint: [%s] endpoint in heat.conf, or type %s in the catalogue"
            % (options.GROUP, options.SERVICE_TYPE),
            status=status,
        )
    kind_of = Gone if status == 404 and error.get("code") == NOT_FOUND else Refused
    raise kind_of(str(error["message"]), str(error.get("code") or ""), str(error.get("hint") or ""), status)
