"""Heat's engine is killed in the middle of a create. Heat itself neither resumes nor fails such a stack."""

BY_ENGINE = "how an engine dies, and what the next one finds, is its own affair"


def killed_in_the_middle(cloud, name, nodes):
    cloud.create(name, nodes, ClusterName=name)
    cluster_id = cloud.cluster_under_way(name)
    cloud.restart_engine()
    return cluster_id


def test_an_update_finishes_the_same_cluster(cloud):
    with cloud.removed("resumed"):
        cluster_id = killed_in_the_middle(cloud, "resumed", 8)
        cloud.cli("stack", "update", "--existing", "--timeout", "30", "resumed")
        cloud.wait("resumed", "UPDATE_COMPLETE")
        resource = cloud.resource("resumed")
        assert resource["physical_resource_id"] == cluster_id, "another cluster"
        assert resource["resource_status"].endswith("COMPLETE"), resource
        assert [cluster["id"] for cluster in cloud.clusters()] == [cluster_id], "doubles"
        cluster = cloud.cluster(cluster_id)
        assert cluster["status"] == "running", cluster["status"]
        cloud.check_addresses(cluster, 8)
        assert len(cloud.vms()) == 8, cloud.vms()
        network = cluster["network"]["id"]
        cloud.delete("resumed")
        cloud.check_nothing_left(network, cluster_id)


def test_a_delete_leaves_nothing(cloud):
    with cloud.removed("cleared"):
        cluster_id = killed_in_the_middle(cloud, "cleared", 8)
        network = cloud.cluster(cluster_id)["network"]["id"]
        cloud.delete("cleared")
        cloud.check_nothing_left(network, cluster_id)
