"""One engine worker: whatever blocked it would block other stacks, and on green threads (Debian's
Heat 19) every one of them."""
from labtests.support import seconds_of


def test_another_stack_is_answered_within_a_second_during_a_create(cloud):
    other = {"heat_template_version": "2016-10-14", "resources": {"value": {"type": "OS::Heat::Value",
             "properties": {"value": "here"}}}}  # fmt: skip
    with cloud.removed("busy", "other"):
        cloud.create("other", template=other)
        cloud.wait("other", "CREATE_COMPLETE")
        path, waits = cloud.path("other"), []
        cloud.create("busy", 20)
        cloud.cluster_under_way("busy")

        def ask():
            waits.append(seconds_of(lambda: cloud.call("GET", "heat", path)))

        cloud.wait("busy", "CREATE_COMPLETE", during=ask)
        assert len(waits) > 5, "the create was too short to show anything: %d calls" % len(waits)
        assert max(waits) < 1.0, "a call took %.2f s; all: %s" % (max(waits), sorted(waits)[-5:])
        cloud.check_addresses(cloud.cluster(cloud.resource("busy")["physical_resource_id"]), 20)
