"""A template is corrected after a failed create, and the stack updated."""


def test_a_corrected_template_replaces_the_failed_cluster(cloud):
    with cloud.removed("correct"):
        cloud.create("correct", 3, ClusterName="correct", ClusterType="no_such_distro")
        stack = cloud.wait("correct", "CREATE_FAILED")
        assert "no_such_distro" in stack["stack_status_reason"], stack["stack_status_reason"]
        cloud.cli("stack", "update", "--existing", "--parameter", "ClusterType=bigtop", "correct")
        cloud.wait("correct", "UPDATE_COMPLETE")
        (cluster,) = cloud.clusters()
        assert cluster["id"] == cloud.resource("correct")["physical_resource_id"]
        assert cluster["cluster_type"] == "bigtop", cluster
        cloud.check_addresses(cloud.cluster(cluster["id"]), 3)
