"""The resource under Heat's own engine classes, against a small Howdah over real HTTP."""
import json
import logging
import unittest
import uuid
from unittest import mock

import fixtures
from heat.common import exception, messaging, policy, template_format
from heat.engine import resources, rsrc_defn, scheduler
from heat.engine.clients.os import keystone, neutron
from heat.engine.clients.os.keystone import fake_keystoneclient
from heat.engine.clients.os.neutron import neutron_constraints
from heat.engine import resource as heat_resource
from heat.tests import utils
from keystoneauth1 import access, fixture
from keystoneauth1.identity import access as access_plugin
from oslo_config import cfg

import howdah_heat.heat.bde as bde
from fake import CAPABILITY, PROJECT, TOKEN, FakeHowdah, error
from howdah_heat import options, resource

NET, SUBNET, GROUP = (str(uuid.uuid4()) for _ in range(3))

HOT = """
heat_template_version: 2018-08-31
resources:
  cluster:
    type: VirtualElephant::VMware::BDE
    properties:
      cluster_name: hadoop1
      cluster_type: apache
      network: %s
      subnet: %s
      cluster_password: s3cret-of-nodes
      password: s3cret-of-bde
"""

# The shape of 2015: CFN, all thirteen properties, strings only.
CFN_2015 = {
    "AWSTemplateFormatVersion": "2010-09-09",
    "Resources": {
        "cluster": {
            "Type": "VirtualElephant::VMware::BDE",
            "Properties": {
                "bde_endpoint": "bde.example", "vcm_server": "vc.example", "username": "root", "password": "x",
                "cluster_name": "hadoop1", "cluster_type": "apache", "network": NET, "cluster_password": "y",
                "cluster_rp": "rp1", "vio_config": "/etc/vio.config", "bde_config": "/etc/bde.config",
                "security_group": GROUP, "subnet": SUBNET,
            },
        }
    },
}  # fmt: skip


def find(entity, name, cmd_resource=None):
    return {"net1": NET, "web": GROUP}.get(name, name)


class BigDataClusterTest(unittest.TestCase):
    """As Heat's own test base, which wants a checkout of Heat around it, without that."""

    def setUp(self):
        super().setUp()
        self.log = fixtures.FakeLogger(level=logging.DEBUG)
        self.log.setUp()
        self.addCleanup(self.log.cleanUp)
        self.addCleanup(cfg.CONF.reset)
        messaging.setup("fake://", optional=True)
        self.addCleanup(messaging.cleanup)
        for target, name, value in (
            (scheduler, "ENABLE_SLEEP", False),
            (cfg.ConfigOpts, "find_file", lambda *args: None),  # nobody parsed a command line
            (policy.ResourceEnforcer, "enforce", mock.Mock()),
            (keystone.KeystoneClientPlugin, "_create", lambda _self: fake_keystoneclient.FakeKeystoneClient()),
            (neutron.NeutronClientPlugin, "find_resourceid_by_name_or_id", staticmethod(find)),
            (neutron_constraints.NetworkConstraint, "validate", lambda *args: True),
            (neutron_constraints.SubnetConstraint, "validate", lambda *args: True),
            (neutron_constraints.SecurityGroupConstraint, "validate", lambda *args: True),
        ):
            patch = mock.patch.object(target, name, value)
            patch.start()
            self.addCleanup(patch.stop)
        utils.setup_dummy_db()
        self.addCleanup(utils.reset_dummy_db)
        options.register()
        resources.initialise()
        for name, cls in bde.resource_mapping().items():
            heat_resource._register_class(name, cls)
        self.howdah = FakeHowdah()
        self.addCleanup(self.howdah.go_away)
        cfg.CONF.set_override("endpoint", self.howdah.url, options.GROUP)
        cfg.CONF.set_override("error_wait_time", None)

    def stack(self, template=HOT % (NET, SUBNET), **kwargs):
        if isinstance(template, str):
            template = template_format.parse(template)
        stack = utils.parse_stack(template, **kwargs)
        stack.context.auth_token = TOKEN
        self.addCleanup(lambda: stack)  # resources hold their stack weakly
        stack.validate()
        return stack

    def run_task(self, task, *args):
        scheduler.TaskRunner(task, *args)()

    def created(self):
        cluster = self.stack()["cluster"]
        self.run_task(cluster.create)
        self.assertEqual((cluster.CREATE, cluster.COMPLETE), cluster.state)
        return cluster

    def reason(self, task, *args):
        return self.raised(exception.ResourceFailure, scheduler.TaskRunner(task, *args))

    def raised(self, kind, call, *args):
        with self.assertRaises(kind) as caught:
            call(*args)
        return str(caught.exception)

    # ------------------------------------------------------------ create
    def test_create_sends_one_request_and_reads_until_done(self):
        cluster = self.created()
        (put,) = self.howdah.sent("PUT")
        self.assertEqual("/v1/clusters/" + cluster.resource_id, put[1])
        self.assertEqual(TOKEN, put[2]["X-Auth-Token"])
        self.assertEqual(
            {
                "name": "hadoop1", "cluster_type": "apache", "network": NET, "subnet": SUBNET,
                "resource_pools": ["openstackRP"], "password": "s3cret-of-bde", "cluster_password": "s3cret-of-nodes",
            },
            put[3],
        )  # fmt: skip

    def test_the_id_is_in_the_database_before_the_request_leaves(self):
        seen = []
        real = self.howdah.handle

        def handle(method, path, headers, body):
            seen.append(cluster.resource_id in path)
            return real(method, path, headers, body)

        self.howdah.handle = handle
        cluster = self.stack()["cluster"]
        with mock.patch.object(cluster, "resource_id_set", wraps=cluster.resource_id_set) as setter:
            self.run_task(cluster.create)
        setter.assert_called_once_with(cluster.resource_id)
        self.assertTrue(seen and all(seen))

    def test_reads_need_no_token(self):
        cluster = self.stack()["cluster"]
        self.howdah.reads_needed = 5
        real = self.howdah.accept

        def accept(*args):
            self.howdah.tokens.clear()  # the user's token ends as soon as the request is accepted
            return real(*args)

        self.howdah.accept = accept
        self.run_task(cluster.create)
        self.assertEqual((cluster.CREATE, cluster.COMPLETE), cluster.state)
        for _method, _path, headers, _body in self.howdah.sent("GET"):
            self.assertNotIn("X-Auth-Token", headers)

    def test_the_capability_is_kept_redacted(self):
        cluster = self.stack()["cluster"]
        with mock.patch.object(cluster, "data_set", wraps=cluster.data_set) as data_set:
            self.run_task(cluster.create)
        capability = CAPABILITY % cluster.resource_id
        data_set.assert_called_once_with(resource.CAPABILITY, capability, redact=True)
        self.assertEqual(capability, cluster.data()[resource.CAPABILITY])

    def test_the_2015_template_loads_unchanged(self):
        cluster = self.stack(CFN_2015)["cluster"]
        self.run_task(cluster.create)
        (put,) = self.howdah.sent("PUT")
        self.assertEqual(
            {
                "name": "hadoop1", "cluster_type": "apache", "network": NET, "subnet": SUBNET,
                "security_groups": [GROUP], "resource_pools": ["rp1"], "bde_endpoint": "bde.example",
                "vcm_server": "vc.example", "username": "root", "password": "x", "cluster_password": "y",
                "vio_config": "/etc/vio.config", "bde_config": "/etc/bde.config",
            },
            put[3],
        )  # fmt: skip

    def test_all_new_properties_arrive(self):
        template = template_format.parse(HOT % ("net1", SUBNET))
        template["resources"]["cluster"]["properties"].update(
            security_groups=["web"], cluster_rp="rp1,rp2", datastores=["ds"], site="main", app_manager="Default",
            remedy="bounce", wait_for="services", specification={"topologyPolicy": "NONE"},
            node_groups=[{"name": "worker", "roles": ["datanode"], "count": "3", "memory_mb": 4096}],
        )  # fmt: skip
        self.run_task(self.stack(template)["cluster"].create)
        body = self.howdah.sent("PUT")[0][3]
        self.assertEqual(NET, body["network"])
        self.assertEqual([GROUP], body["security_groups"])
        self.assertEqual(["rp1", "rp2"], body["resource_pools"])
        self.assertEqual(
            [{"name": "worker", "roles": ["datanode"], "count": 3, "memory_mb": 4096}], body["node_groups"]
        )
        for key in ("datastores", "site", "app_manager", "remedy", "wait_for", "specification"):
            self.assertIn(key, body)

    def test_bad_templates_are_refused_before_anything_exists(self):
        for change, words in (
            ({"cluster_name": "with-hyphen"}, "letters, digits and underscores only"),
            ({"remedy": "pray"}, "not an allowed value"),
            ({"node_groups": [{"name": "w", "roles": ["r"], "count": 0}]}, "out of range"),
            ({"node_groups": [{"name": "w", "roles": ["r"], "count": 1}] * 2}, "names w more than once"),
            ({"bogus": 1}, "Unknown Property bogus"),
        ):
            template = template_format.parse(HOT % (NET, SUBNET))
            template["resources"]["cluster"]["properties"].update(change)
            problem = self.raised(exception.StackValidationFailed, self.stack, template)
            self.assertIn(words, problem)
        self.assertEqual([], self.howdah.requests)

    # ------------------------------------------------------------ what goes wrong
    def test_an_error_arrives_with_its_hint(self):
        self.howdah.instead.append(error(400, "unknown_site", "no site has a BDE called nope", "sites: main, other"))
        self.assertEqual(
            "ClusterFailed: resources.cluster: no site has a BDE called nope (unknown_site) Hint: sites: main, other",
            self.reason(self.stack()["cluster"].create),
        )

    def test_a_failed_operation_arrives_with_its_hint(self):
        self.howdah.failure = {"code": "port_group_not_found", "message": "no port group", "hint": "wait"}
        self.assertEqual(
            "ClusterFailed: resources.cluster: no port group (port_group_not_found) Hint: wait",
            self.reason(self.stack()["cluster"].create),
        )

    def test_html_is_no_answer(self):
        self.howdah.instead.append((200, b"<html>login</html>"))
        reason = self.reason(self.stack()["cluster"].create)
        self.assertIn("answered 200 with text/html, which is not an answer of Howdah", reason)
        self.assertIn("check the endpoint", reason)

    def test_a_request_of_somebody_else_is_told(self):
        cluster = self.stack()["cluster"]
        self.howdah.reads_needed = 3
        task = scheduler.TaskRunner(cluster.create)
        task.start()
        self.howdah.accept(self.howdah.clusters[cluster.resource_id], "stop")
        problem = self.raised(exception.ResourceFailure, task.run_to_completion)
        self.assertIn("overtaken by a later request for this cluster (stop)", problem)

    def test_a_service_that_is_away_is_waited_for(self):
        self.howdah.go_away()
        cluster = self.stack()["cluster"]
        task = scheduler.TaskRunner(cluster.create)
        task.start()
        self.assertEqual([], self.howdah.requests)
        self.howdah.come_back()
        task.run_to_completion()
        self.assertEqual((cluster.CREATE, cluster.COMPLETE), cluster.state)
        self.assertEqual(1, len(self.howdah.sent("PUT")))

    def test_a_service_that_goes_away_meanwhile_is_waited_for(self):
        self.howdah.instead.append((503, b"starting"))
        cluster = self.stack()["cluster"]
        task = scheduler.TaskRunner(cluster.create)
        task.start()
        while not self.howdah.sent("GET"):
            task.step()
        self.howdah.go_away()
        task.step()
        self.howdah.come_back()
        task.run_to_completion()
        self.assertEqual((cluster.CREATE, cluster.COMPLETE), cluster.state)
        self.assertEqual(2, len(self.howdah.sent("PUT")))  # the 503, and the one that counted

    def test_a_service_that_stays_away_is_the_reason(self):
        self.howdah.go_away()
        self.addCleanup(self.howdah.come_back)
        stack = self.stack()
        left = [60.0]
        with mock.patch.object(stack, "time_remaining", lambda: left[0]):
            task = scheduler.TaskRunner(stack["cluster"].create)
            task.start()
            task.step()
            left[0] = 2.0
            problem = self.raised(exception.ResourceFailure, task.run_to_completion)
        self.assertIn("the Howdah service could not be reached for 0 seconds; last: " + self.howdah.url, problem)
        self.assertIn("resources.cluster", problem)

    def test_an_absence_is_an_event_of_the_stack(self):
        self.howdah.instead.extend([(503, b""), (502, b""), (429, b"")])
        cluster = self.stack()["cluster"]
        with mock.patch.object(cluster, "_add_event", wraps=cluster._add_event) as add:
            self.run_task(cluster.create)
        told = [c.args[2] for c in add.call_args_list if "trying again" in c.args[2]]
        self.assertEqual(1, len(told), told)

    def test_a_certificate_that_does_not_verify_is_not_waited_for(self):
        from keystoneauth1 import exceptions, session

        with mock.patch.object(session.Session, "request", side_effect=exceptions.SSLError("self-signed")):
            reason = self.reason(self.stack()["cluster"].create)
        self.assertIn("does not verify: self-signed", reason)
        self.assertIn("set ca_file in [clients_howdah]", reason)

    def test_no_secret_in_the_log(self):
        self.howdah.instead.append((503, b""))
        self.created()
        for secret in ("s3cret", TOKEN, "capability-of"):
            self.assertNotIn(secret, self.log.output)

    # ------------------------------------------------------------ the endpoint
    def test_the_endpoint_comes_from_the_catalogue(self):
        cfg.CONF.set_override("endpoint", None, options.GROUP)
        token = fixture.V3Token()
        token.set_project_scope()
        token.add_service(options.SERVICE_TYPE).add_standard_endpoints(public=self.howdah.url + "/v1", region="R1")
        stack = self.stack()
        stack.context._auth_plugin = access_plugin.AccessInfoPlugin(access.create(body=token, auth_token=TOKEN))
        self.run_task(stack["cluster"].create)
        self.assertEqual((stack["cluster"].CREATE, stack["cluster"].COMPLETE), stack["cluster"].state)

    def test_no_endpoint_is_told(self):
        cfg.CONF.set_override("endpoint", None, options.GROUP)
        token = fixture.V3Token()
        token.set_project_scope()
        token.add_service("network").add_standard_endpoints(public="http://127.0.0.1:1", region="R1")
        stack = self.stack()
        stack.context._auth_plugin = access_plugin.AccessInfoPlugin(access.create(body=token, auth_token=TOKEN))
        reason = self.reason(stack["cluster"].create)
        self.assertIn("the catalogue has no endpoint of type data-processing", reason)
        self.assertIn("set [howdah] endpoint in heat.conf", reason)

    def test_a_token_that_ended_is_replaced_by_the_stacks_trust(self):
        stack = self.stack()
        stored = utils.dummy_context()
        stored.auth_token = "token-of-the-trust"
        self.howdah.tokens = {"token-of-the-trust"}
        with mock.patch.object(stack, "stored_context", return_value=stored):
            self.run_task(stack["cluster"].create)
        self.assertEqual((stack["cluster"].CREATE, stack["cluster"].COMPLETE), stack["cluster"].state)

    # ------------------------------------------------------------ delete
    def test_delete_waits_until_the_cluster_is_unknown(self):
        cluster = self.created()
        self.run_task(cluster.delete)
        self.assertEqual((cluster.DELETE, cluster.COMPLETE), cluster.state)
        self.assertEqual({}, self.howdah.clusters)
        self.assertGreaterEqual(len(self.howdah.sent("GET")), 4)

    def test_delete_of_a_cluster_that_is_gone(self):
        cluster = self.created()
        self.howdah.clusters.clear()
        self.run_task(cluster.delete)
        self.assertEqual((cluster.DELETE, cluster.COMPLETE), cluster.state)

    def test_delete_names_the_project_and_takes_only_one_word_for_gone(self):
        cluster = self.created()
        hint = "Ask with its project's token."
        self.howdah.instead = [error(404, "cluster_not_visible", "no cluster can be seen", hint)]
        reason = self.reason(cluster.delete)
        self.assertIn("no cluster can be seen (cluster_not_visible) Hint: " + hint, reason)
        self.assertIn(cluster.resource_id, self.howdah.clusters)
        self.run_task(cluster.delete)
        self.assertEqual((cluster.DELETE, cluster.COMPLETE), cluster.state)
        for sent in self.howdah.sent("DELETE"):
            self.assertEqual("/v1/clusters/%s?project=%s" % (cluster.resource_id, PROJECT), sent[1])

    def test_a_capability_that_is_forgotten_is_no_sign_that_the_cluster_is_gone(self):
        cluster = self.created()
        task = scheduler.TaskRunner(cluster.delete)
        task.start()
        self.howdah.forgotten = True
        self.howdah.clusters.clear()
        task.run_to_completion()
        self.assertEqual((cluster.DELETE, cluster.COMPLETE), cluster.state)
        last = self.howdah.sent("GET")[-1]
        self.assertEqual("/v1/clusters/%s?project=%s" % (cluster.resource_id, PROJECT), last[1])
        self.assertEqual(TOKEN, last[2]["X-Auth-Token"])

    def test_an_admin_of_another_project_acts_on_behalf_of_the_stacks_owner(self):
        cluster = self.created()
        stored = utils.dummy_context()
        stored.auth_token = "token-of-the-trust"
        self.howdah.tokens = {"token-of-the-trust"}
        stack = cluster.stack
        stack.context.project_id = "the-admins"
        with mock.patch.object(stack, "stored_context", return_value=stored):
            self.run_task(cluster.delete)
        self.assertEqual((cluster.DELETE, cluster.COMPLETE), cluster.state)
        (sent,) = self.howdah.sent("DELETE")
        self.assertEqual("token-of-the-trust", sent[2]["X-Auth-Token"])
        self.assertIn("project=" + PROJECT, sent[1])

    def test_the_site_is_named_where_it_is_known(self):
        cluster = self.created()
        self.assertNotIn("X-Howdah-Site", self.howdah.sent("PUT")[0][2])
        self.run_task(cluster.delete)
        template = template_format.parse(HOT % (NET, SUBNET))
        template["resources"]["cluster"]["properties"]["site"] = "north"
        cluster = self.stack(template)["cluster"]
        self.run_task(cluster.create)
        self.run_task(cluster.delete)
        for method in ("PUT", "DELETE"):
            self.assertEqual("north", self.howdah.sent(method)[-1][2]["X-Howdah-Site"])

    def test_each_call_carries_the_id_of_the_request_that_heat_works_on(self):
        cluster = self.created()
        self.assertEqual(
            {cluster.context.request_id}, {sent[2]["X-OpenStack-Request-ID"] for sent in self.howdah.sent("PUT")}
        )
        # An ID that came from another service stands for the whole chain of requests.
        cluster.context.global_request_id = "req-6f7f7c3e-0f5e-4c73-8c27-3a0d1f1f6a10"
        self.run_task(cluster.delete)
        (deletion,) = self.howdah.sent("DELETE")
        self.assertEqual(cluster.context.global_request_id, deletion[2]["X-OpenStack-Request-ID"])

    def test_delete_after_a_create_that_got_nowhere(self):
        cluster = self.stack()["cluster"]
        with mock.patch.object(cluster, "handle_create", side_effect=ValueError("before the id was chosen")):
            self.reason(cluster.create)
        self.assertIsNone(cluster.resource_id)
        self.run_task(cluster.delete)
        self.assertEqual((cluster.DELETE, cluster.COMPLETE), cluster.state)
        self.assertEqual([], self.howdah.requests)

    def test_delete_after_a_refused_create(self):
        self.howdah.instead.append(error(409, "cluster_name_taken", "taken"))
        cluster = self.stack()["cluster"]
        self.reason(cluster.create)
        self.run_task(cluster.delete)
        self.assertEqual((cluster.DELETE, cluster.COMPLETE), cluster.state)
        self.assertEqual(1, len(self.howdah.sent("DELETE")))

    def test_a_failed_delete_is_told_and_can_be_repeated(self):
        cluster = self.created()
        self.howdah.failure = {"code": "bde_refused", "message": "BDE is in maintenance", "hint": None}
        self.assertEqual(
            "ClusterFailed: resources.cluster: BDE is in maintenance (bde_refused)", self.reason(cluster.delete)
        )
        self.howdah.failure = None
        self.run_task(cluster.delete)
        self.assertEqual((cluster.DELETE, cluster.COMPLETE), cluster.state)

    # ------------------------------------------------------------ suspend, resume, check
    def test_suspend_and_resume(self):
        cluster = self.created()
        self.run_task(cluster.suspend)
        self.assertEqual((cluster.SUSPEND, cluster.COMPLETE), cluster.state)
        self.assertEqual("stopped", self.howdah.clusters[cluster.resource_id]["wanted"])
        self.run_task(cluster.resume)
        self.assertEqual((cluster.RESUME, cluster.COMPLETE), cluster.state)
        self.assertEqual(
            [{"state": "stopped"}, {"state": "running"}], [r[3] for r in self.howdah.sent("PUT")[1:]]
        )

    def test_check_compares_what_is_with_what_was_asked_for(self):
        cluster = self.created()
        self.run_task(cluster.check)
        self.assertEqual((cluster.CHECK, cluster.COMPLETE), cluster.state)
        for status in ("degraded", "gone", "stopped", "error", "a word of a later service"):
            self.howdah.clusters[cluster.resource_id]["status"] = status
            reason = self.reason(cluster.check)
            self.assertIn("the cluster is %s and not running: because of the test" % status, reason)

    def test_a_suspended_cluster_is_checked_for_being_off(self):
        cluster = self.created()
        self.run_task(cluster.suspend)
        self.run_task(cluster.check)
        self.assertEqual((cluster.CHECK, cluster.COMPLETE), cluster.state)
        self.howdah.clusters[cluster.resource_id]["status"] = "running"
        self.assertIn("the cluster is running and not stopped", self.reason(cluster.check))

    def test_a_create_is_complete_although_the_cluster_is_degraded_by_now(self):
        self.howdah.status = "degraded"
        self.created()
        self.howdah.clusters.clear()
        self.howdah.status = "a word of a later service"
        self.created()

    def test_a_cluster_that_is_gone_is_deleted(self):
        cluster = self.created()
        self.howdah.clusters[cluster.resource_id]["status"] = "gone"
        self.run_task(cluster.delete)
        self.assertEqual((cluster.DELETE, cluster.COMPLETE), cluster.state)
        self.assertEqual({}, self.howdah.clusters)

    def test_a_cluster_that_is_gone_is_replaced_and_gives_its_name_away(self):
        cluster = self.created()
        self.howdah.clusters[cluster.resource_id]["status"] = "degraded"
        self.reason(cluster.check)
        self.assertFalse(cluster.needs_replace_failed())
        cluster.prepare_for_replace()
        self.assertEqual([], self.howdah.sent("DELETE"))
        self.howdah.clusters[cluster.resource_id]["status"] = "gone"
        self.assertTrue(cluster.needs_replace_failed())
        cluster.prepare_for_replace()
        self.assertEqual(1, len(self.howdah.sent("DELETE")))

    def test_a_cluster_that_the_service_cannot_read_is_a_failure_with_its_reason(self):
        cluster = self.created()
        refusal = error(409, "cluster_unreadable", "cluster c cannot be read: its record has version 9", "Wait.")
        self.howdah.instead = [refusal]
        self.assertIn("cannot be read: its record has version 9 (cluster_unreadable)", self.reason(cluster.check))
        self.howdah.instead = [refusal]
        self.assertIn("cluster_unreadable", self.reason(cluster.delete))

    def test_why_the_service_cannot_do_its_work_is_passed_on(self):
        cluster = self.created()
        self.howdah.instead = [error(503, "store_full", "the service cannot write its database: the disk is full")]
        self.assertIn("answered 503: the service cannot write its database", self.reason(cluster.check))

    # ------------------------------------------------------------ resume in place
    def updated(self, cluster, **changes):
        props = dict(cluster.t._properties, **changes)
        after = rsrc_defn.ResourceDefinition(cluster.name, cluster.type(), props)
        scheduler.TaskRunner(cluster.update, after)()

    def killed(self, cluster, accepted):
        """As after a killed engine: the resource failed in the middle, its handler's data is lost."""
        self.howdah.reads_needed = 1000
        if not accepted:
            self.howdah.go_away()
        task = scheduler.TaskRunner(cluster.create)
        task.start()
        task.step()
        if not accepted:
            self.howdah.come_back()
        self.howdah.reads_needed = 2
        for known in self.howdah.clusters.values():
            known["reads"] = 2
        cluster.state_set(cluster.CREATE, cluster.FAILED, "Worker went down during resource CREATE")

    def test_an_update_finishes_the_same_cluster(self):
        cluster = self.stack()["cluster"]
        self.killed(cluster, accepted=True)
        before = cluster.resource_id
        self.updated(cluster)
        self.assertEqual((cluster.UPDATE, cluster.COMPLETE), cluster.state)
        self.assertEqual(before, cluster.resource_id)
        self.assertEqual([before], list(self.howdah.clusters))
        first, second = self.howdah.sent("PUT")
        self.assertEqual(first[1:2] + first[3:], second[1:2] + second[3:])

    def test_an_update_finishes_a_cluster_whose_request_never_arrived(self):
        cluster = self.stack()["cluster"]
        self.killed(cluster, accepted=False)
        before = cluster.resource_id
        self.updated(cluster)
        self.assertEqual((cluster.UPDATE, cluster.COMPLETE), cluster.state)
        self.assertEqual([before], list(self.howdah.clusters))

    def test_a_failed_cluster_that_is_gone_is_replaced(self):
        cluster = self.stack()["cluster"]
        self.killed(cluster, accepted=True)
        self.howdah.clusters.clear()
        self.assertRaises(heat_resource.UpdateReplace, self.updated, cluster)

    def test_a_failed_cluster_is_not_replaced_while_the_service_is_away(self):
        cluster = self.stack()["cluster"]
        self.killed(cluster, accepted=True)
        self.howdah.instead.append((503, b""))
        self.updated(cluster)
        self.assertEqual((cluster.UPDATE, cluster.COMPLETE), cluster.state)

    def test_a_changed_property_replaces(self):
        cluster = self.created()
        self.assertRaises(heat_resource.UpdateReplace, self.updated, cluster, cluster_type="mapr")

    def test_a_corrected_template_gets_the_name_of_the_failed_cluster(self):
        self.howdah.failure = {"code": "distro_not_found", "message": "no such distro", "hint": None}
        old = self.stack()["cluster"]
        self.reason(old.create)
        self.howdah.failure = None
        with self.assertRaises(heat_resource.UpdateReplace):
            self.updated(old, cluster_type="mapr")
        self.assertEqual(1, len(self.howdah.sent("DELETE")))
        new = self.stack()["cluster"]
        new.replaces = old.id
        task = scheduler.TaskRunner(new.create)
        task.start()
        self.assertEqual([old.resource_id], list(self.howdah.clusters))
        self.howdah.clusters.clear()  # its delete has ended
        task.run_to_completion()
        self.assertEqual((new.CREATE, new.COMPLETE), new.state)
        self.assertEqual([new.resource_id], list(self.howdah.clusters))

    def test_a_complete_cluster_keeps_its_name(self):
        old = self.created()
        old.prepare_for_replace()
        self.assertEqual([], self.howdah.sent("DELETE"))
        new = self.stack()["cluster"]
        new.replaces = old.id
        self.assertIn("there is a cluster hadoop1 (cluster_name_taken)", self.reason(new.create))

    # ------------------------------------------------------------ attributes
    def test_attributes(self):
        cluster = self.created()
        self.howdah.tokens.clear()
        get = cluster.FnGetAtt
        self.assertEqual(cluster.resource_id, get("cluster_id"))
        self.assertEqual("running", get("status"))
        self.assertEqual(1.0, get("progress"))
        self.assertEqual("10.0.0.5", get("master_address"))
        self.assertEqual({"master": ["10.0.0.5"]}, get("addresses"))
        self.assertEqual("c-master-0", get("nodes")[0]["name"])
        self.assertEqual("create", get("operation")["kind"])
        self.assertEqual("port_created", get("events")[0]["reason"])
        self.assertEqual("hadoop1", get("show")["name"])
        self.assertEqual(cluster.resource_id, cluster.FnGetRefId())
        self.assertNotIn("capability", json.dumps(get("show")))
