"""A cluster of 20 nodes by the template of 2015, through its whole life, with the ordinary client."""
from labtests.support import EXAMPLE


def test_the_2015_template_brings_up_20_nodes_and_leaves_nothing(cloud):
    with cloud.removed("life"):
        cloud.cli("stack", "create", "-t", EXAMPLE, "--timeout", "30", "--wait", "life")
        assert cloud.stack("life")["stack_status"] == "CREATE_COMPLETE"
        cluster_id = cloud.resource("life")["physical_resource_id"]
        cluster = cloud.cluster(cluster_id)
        network = cluster["network"]["id"]
        cloud.check_addresses(cluster, 20)
        outputs = cloud.call("GET", "heat", cloud.path("life"))["stack"]["outputs"]
        outputs = {output["output_key"]: output["output_value"] for output in outputs}
        assert outputs["Master"] == cluster["master_address"], outputs
        assert sorted(sum(outputs["Addresses"].values(), [])) == sorted(n["address"] for n in cluster["nodes"])

        cloud.cli("stack", "suspend", "--wait", "life")
        assert cloud.stack("life")["stack_status"] == "SUSPEND_COMPLETE"
        assert cloud.cluster(cluster_id)["status"] == "stopped"
        assert cloud.namespaces() == [], "guests are still on"

        cloud.cli("stack", "resume", "--wait", "life")
        assert cloud.stack("life")["stack_status"] == "RESUME_COMPLETE"
        cloud.check_addresses(cloud.cluster(cluster_id), 20)

        cloud.cli("stack", "delete", "--yes", "--wait", "life")
        cloud.check_nothing_left(network, cluster_id)
