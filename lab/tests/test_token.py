"""A create that lasts longer than the requester's token."""
import time

from labkit import config


def test_a_create_outlives_a_token_of_30_seconds(cloud):
    # The stack is deleted with tokens of the usual life: Heat's own resources do need one.
    with cloud.removed("outlives"):
        usual = cloud.lab.token_seconds
        set_lifetime(cloud, 30)
        try:
            began = time.monotonic()
            cloud.create("outlives", 20, ClusterName="outlives")
            cluster_id = cloud.cluster_under_way("outlives")
            # a create may be quicker than that: the service is away for a while
            cloud.stop("howdah")
            time.sleep(max(0.0, 35 - (time.monotonic() - began)))
            cloud.start("howdah")
            cloud.wait("outlives", "CREATE_COMPLETE")
            assert time.monotonic() - began > 35, "the create was too short to show anything"
            cloud.check_addresses(cloud.cluster(cluster_id), 20)
        finally:
            set_lifetime(cloud, usual)


def set_lifetime(cloud, seconds):
    cloud.lab.token_seconds = seconds
    config.write(cloud.lab, "keystone.conf", config.keystone(cloud.lab))
    cloud.stop("keystone")
    cloud.start("keystone")
    # the one in hand still has the life of those before
    cloud.forget_token()
