"""The resource type ``VirtualElephant::VMware::BDE``.

Every action is one idempotent request, sent by its ``handle_`` method, and one document that its
``check_`` method reads once a second until the operation has ended::

    handle_*  --sent-->  accepted  --read: running-->  accepted  --read: succeeded-->  done
        |                    ^                                   --read: failed----->  ClusterFailed
        +--not reached--> unsent: sent again at a later check

Invariants:

* ``resource_id`` is the cluster's id. It is chosen, and in Heat's database, before the first
  request leaves, so nothing that was ever asked for can be lost.
* Nothing blocks: a call ends within the time limits of ``[howdah]``. Older engines run all
  their work in one thread, so a wait in here would be everybody's.
* Reading needs no token, only the capability that the service hands out with its answer; a
  create may last longer than the requester's token.
* A cluster counts as gone only when the service says so for the stack's own project, which is named with
  the request. That the service shows us nothing is an error, not the end of the cluster.
* A service that is away is waited for until the stack's time is nearly over, and is then named
  as the reason; Heat's own "Timed out" would not say why.
"""
import time
import urllib.parse
import uuid
from typing import Any, Callable, Dict, List, Mapping, Optional

from heat.common import exception
from heat.common.i18n import _
from heat.engine import resource, support
from heat.objects import resource as objects
from oslo_config import cfg
from oslo_log import log as logging

from howdah_heat import client, schema

LOG = logging.getLogger(__name__)

TYPE = "VirtualElephant::VMware::BDE"
CAPABILITY = "capability"
# With less of the stack's time left than this, waiting for a service that is away ends.
SPARE_SECONDS = 3.0
# The pauses between two tries to reach it grow up to this.
LONGEST_PAUSE_SECONDS = 8.0

# The status of a cluster that was there and that somebody deleted in BDE.
GONE = "gone"


class ClusterFailed(exception.Error):
    """What Howdah says went wrong; the text becomes the resource's status reason."""


class Pending:
    """An action in progress: its request, whether it arrived, and since when the service is unreachable.

    Heat hands it from ``handle_*`` to each ``check_*``. It lives in memory only: what has to
    survive the engine is in ``resource_id`` and in the resource's data.
    """

    def __init__(self, what: str, method: str, path: str, body: Optional[Mapping[str, Any]] = None) -> None:
        self.what = what
        self.method = method
        self.path = path
        self.body = body
        self.accepted = False
        self.over = False
        self.operation: Optional[str] = None
        self.problem = ""
        self.failures = 0
        self.away_since = 0.0
        self.next_try = 0.0

    def answered(self) -> None:
        """The service answered."""
        self.failures = 0
        self.next_try = 0.0

    def missed(self, problem: str) -> None:
        """The service did not answer; the delay before the next attempt grows."""
        now = time.monotonic()
        if not self.failures:
            self.away_since = now
        self.problem = problem
        self.next_try = now + min(2.0**self.failures, LONGEST_PAUSE_SECONDS)
        self.failures += 1

    def away_for(self) -> float:
        """Seconds since the first attempt without an answer."""
        return time.monotonic() - self.away_since


class BigDataCluster(resource.Resource):
    """A big-data cluster on vSphere whose nodes get their addresses from Neutron.

    The cluster is made by VMware Big Data Extensions and looked after by the Howdah service,
    which creates a port for every node before its guest asks for an address. The resource is
    complete when every node has the address that its port promises.
    """

    support_status = support.SupportStatus(version="1.0.0")
    # A failed check says that the cluster is not well, not that it should be thrown away.
    always_replace_on_check_failed = False

    PROPERTIES = schema.PROPERTIES
    ATTRIBUTES = schema.ATTRIBUTES
    properties_schema = schema.PROPERTIES_SCHEMA
    attributes_schema = schema.ATTRIBUTES_SCHEMA

    def translation_rules(self, properties: Any) -> List[Any]:
        """Names become ids; see :func:`schema.translation_rules`."""
        return schema.translation_rules(properties, self.client_plugin("neutron"))

    def validate(self) -> Any:
        """Rejects invalid properties before anything exists."""
        super().validate()
        names = [group[schema.GROUP_NAME] for group in self.properties[schema.NODE_GROUPS] or []]
        twice = sorted({name for name in names if name and names.count(name) > 1})
        if twice:
            raise exception.StackValidationFailed(
                message=_("node_groups names %s more than once") % ", ".join(map(str, twice))
            )

    # ------------------------------------------------------------ create, update

    def handle_create(self) -> Pending:
        """Requests the cluster."""
        self.resource_id_set(str(uuid.uuid4()))
        return self._start(self._wanted())

    def check_create_complete(self, pending: Pending) -> bool:
        """True once every node has its address."""
        return self._ended(pending)

    def handle_update(self, json_snippet: Any, tmpl_diff: Any, prop_diff: Any) -> Pending:
        """Finishes the cluster that a killed engine or a failed operation left behind.

        No property can be changed in place, so ``prop_diff`` is empty: Heat comes here because
        :meth:`_needs_update` said so, or for a change of metadata. Asking for the same cluster
        again is right in both cases; the service has nothing to do if it is there already.
        """
        return self._start(self._wanted())

    def check_update_complete(self, pending: Pending) -> bool:
        """True once every node has its address."""
        return self._ended(pending)

    def needs_replace_failed(self) -> bool:
        """Whether to replace a failed resource: only if there is nothing to finish.

        In doubt, with the service away, the answer is no: asking for the same cluster again is
        safe, and a second cluster of the same name is not.
        """
        if self.resource_id is None:
            return True
        try:
            # Somebody has deleted it in BDE: the record of it is all that is left.
            return bool(self._look(self.resource_id).get("status") == GONE)
        except client.Gone:
            # It existed and was removed: create it again. But if no request was ever
            # answered it never existed, and the first one can simply be sent again.
            return self._capability() is not None
        except (client.Refused, client.Unavailable) as problem:
            LOG.warning("cannot tell whether cluster %s can be resumed: %s", self.resource_id, problem)
        return False

    def _needs_update(
        self,
        after: Any,
        before: Any,
        after_props: Any,
        before_props: Any,
        prev_resource: Any,
        check_init_complete: bool = True,
    ) -> bool:
        """As Heat's, but a failed resource that is kept has to be finished.

        Heat would write such a resource down as complete without calling anything. Whether it is
        to be replaced for a changed property is found out here and not a little later, because
        here it still says of itself that its create failed: :meth:`prepare_for_replace` asks.
        """
        differs = super()._needs_update(after, before, after_props, before_props, prev_resource, check_init_complete)
        if self.status != self.FAILED:
            return bool(differs)
        self.update_template_diff_properties(after_props, before_props)
        return True

    def prepare_for_replace(self) -> None:
        """Frees the name of a cluster that never was complete, or is gone, for the one that replaces it.

        Heat makes the replacement first and deletes afterwards, but cluster names are unique, and
        correcting a template after a failed create is the common case. A cluster that was
        complete once, and is still there, is not touched before its replacement is.
        """
        if self.resource_id is None or self.status != self.FAILED:
            return
        try:
            if self.action != self.CREATE and self._look(self.resource_id).get("status") != GONE:
                return
            self._client().call("DELETE", self._path() + self._of_our_project())
        except (client.Refused, client.Unavailable) as problem:
            LOG.warning("cluster %s cannot be removed before it is replaced: %s", self.resource_id, problem)

    def _name_becomes_free(self) -> bool:
        """Whether what holds our name is the cluster that we replace, on its way out."""
        if self.replaces is None:
            return False
        replaced = objects.Resource.get_obj(self.context, self.replaces).physical_resource_id
        try:
            document = self._look(replaced)
        except client.Gone:
            return True
        return document.get("wanted") == "deleted"

    # ------------------------------------------------------------ suspend, resume, check

    def handle_suspend(self) -> Pending:
        """Asks for the cluster to be switched off."""
        return self._start(Pending("suspend", "PUT", self._path() + "/state", {"state": "stopped"}))

    def check_suspend_complete(self, pending: Pending) -> bool:
        """True once it is off."""
        return self._ended(pending)

    def handle_resume(self) -> Pending:
        """Asks for the cluster to be switched on."""
        return self._start(Pending("resume", "PUT", self._path() + "/state", {"state": "running"}))

    def check_resume_complete(self, pending: Pending) -> bool:
        """True once every node has its address again."""
        return self._ended(pending)

    def handle_check(self) -> None:
        """Compares what the cluster is with what it was asked to be: any other word is not well."""
        document = self._document()
        status, wanted = document.get("status"), document.get("wanted")
        if status != wanted:
            raise ClusterFailed(
                _("the cluster is %(status)s and not %(wanted)s: %(reason)s")
                % {"status": status, "wanted": wanted, "reason": document.get("status_reason")}
            )

    # ------------------------------------------------------------ delete

    def handle_delete(self) -> Optional[Pending]:
        """Asks for the cluster to be removed, also when its create never got far."""
        if self.resource_id is None:
            return None
        return self._start(Pending("delete", "DELETE", self._path() + self._of_our_project()))

    def check_delete_complete(self, pending: Optional[Pending]) -> bool:
        """True once the service says that the cluster is gone."""
        return pending is None or pending.over or self._ended(pending)

    # ------------------------------------------------------------ attributes

    def _resolve_attribute(self, name: str) -> Any:
        if self.resource_id is None:
            return None
        if name == schema.CLUSTER_ID:
            return self.resource_id
        if name == schema.EVENTS:
            return self._document("/events").get("events", [])
        return self._document().get(name)

    def _show_resource(self) -> Optional[Dict[str, Any]]:
        return self._document() if self.resource_id is not None else None

    # ------------------------------------------------------------ how

    def _client(self, context: Any = None) -> client.Client:
        if context is None:
            # An admin may work on another project's stack; its cluster is that project's, and so is what is
            # asked of it.
            ours = self.context.project_id == self.stack.tenant_id
            context = self.context if ours else self.stack.stored_context()
        return client.Client(
            context.keystone_session,
            context.region_name or cfg.CONF.region_name_for_services,
            self.properties[schema.SITE],
            self.context.global_id,
        )

    def _of_our_project(self) -> str:
        """Names the stack's project: only then does the service say that the cluster is gone."""
        return "?" + urllib.parse.urlencode({"project": self.stack.tenant_id})

    def _look(self, cluster: Optional[str]) -> client.Document:
        """The cluster of this id as the service shows it to the stack's project."""
        return self._client().call("GET", "/v1/clusters/%s%s" % (cluster, self._of_our_project()))

    def _path(self) -> str:
        return "/v1/clusters/%s" % self.resource_id

    def _wanted(self) -> Pending:
        return Pending("create", "PUT", self._path(), schema.wanted(self.properties))

    def _capability(self) -> Optional[str]:
        value: Optional[str] = self.data().get(CAPABILITY)
        return value

    def _read(self, suffix: str = "") -> client.Document:
        capability = self._capability()
        if capability:
            try:
                return self._client().call("GET", self._path() + suffix, capability=capability)
            except client.Refused as problem:
                if problem.code != client.NOT_VISIBLE:
                    raise
                # The service has forgotten it: a removed cluster's for example, after some days.
        return self._client().call("GET", self._path() + suffix + self._of_our_project())

    def _document(self, suffix: str = "") -> client.Document:
        """What the service shows, for callers outside an action."""
        try:
            return self._read(suffix)
        except (client.Refused, client.Unavailable) as problem:
            raise ClusterFailed(str(problem))

    def _start(self, pending: Pending) -> Pending:
        self._attempt(pending, self._send)
        return pending

    def _ended(self, pending: Pending) -> bool:
        """Goes one step further; whether the operation has ended well."""
        if pending.failures and self.stack.time_remaining() < SPARE_SECONDS:
            raise ClusterFailed(
                _("the Howdah service could not be reached for %(seconds)d seconds; last: %(problem)s")
                % {"seconds": pending.away_for(), "problem": pending.problem}
            )
        if time.monotonic() < pending.next_try:
            return False
        return self._attempt(pending, self._follow if pending.accepted else self._send)

    def _attempt(self, pending: Pending, step: Callable[[Pending], bool]) -> bool:
        try:
            done = step(pending)
        except client.Unavailable as problem:
            first = not pending.failures
            pending.missed(str(problem))
            LOG.warning(
                "%s of cluster %s: the Howdah service cannot be reached, trying again: %s",
                pending.what,
                self.resource_id,
                problem,
            )
            if first:
                self._add_event(
                    self.action, self.status, _("Howdah cannot be reached, trying again: %s") % pending.problem
                )
            return False
        except client.Gone as problem:
            if pending.method == "DELETE":
                pending.over = True
                return True
            raise ClusterFailed(str(problem))
        except client.Refused as problem:
            raise ClusterFailed(str(problem))
        pending.answered()
        return done

    def _send(self, pending: Pending) -> bool:
        """Sends the request. A cluster is never done by that alone: the next check looks."""
        try:
            document = self._client().call(pending.method, pending.path, pending.body)
        except client.Refused as problem:
            if problem.code == "cluster_name_taken" and self._name_becomes_free():
                return False
            if problem.status != 401:
                raise
            # The requester's token ended before the service could be reached. Heat keeps a trust
            # for the stack, for just such work that outlives a request.
            LOG.info("the requester's token is no longer good; asking on behalf of the stack's owner")
            document = self._client(self.stack.stored_context()).call(pending.method, pending.path, pending.body)
        if document.get(CAPABILITY):
            self.data_set(CAPABILITY, str(document[CAPABILITY]), redact=True)
        pending.accepted = True
        pending.operation = (document.get("operation") or {}).get("id")
        return False

    def _follow(self, pending: Pending) -> bool:
        document = self._read()
        operation = document.get("operation") or {}
        if operation.get("id") != pending.operation:
            raise ClusterFailed(
                _("the %(what)s was overtaken by a later request for this cluster (%(kind)s) from elsewhere")
                % {"what": pending.what, "kind": operation.get("kind")}
            )
        if operation.get("state") == "failed":
            error = operation.get("error") or {}
            message = error.get("message") or document.get("status_reason") or _("the service gives no reason")
            raise ClusterFailed(client.describe(str(message), error.get("code") or "", error.get("hint") or ""))
        # A delete is over when the service no longer knows the cluster, not before.
        return operation.get("state") == "succeeded" and pending.method != "DELETE"
