"""Heat cannot reach the service."""
import time


def test_a_service_that_comes_back_is_waited_for(cloud):
    with cloud.removed("patient"):
        cloud.stop("howdah")
        try:
            cloud.create("patient", 3, ClusterName="patient")
            until = time.monotonic() + 120
            while not told(cloud, "patient"):
                assert time.monotonic() < until, "no event says that the service is away"
                time.sleep(1)
        finally:
            cloud.start("howdah")
        cloud.wait("patient", "CREATE_COMPLETE")
        assert len(cloud.clusters()) == 1, cloud.clusters()


def test_a_service_that_stays_away_is_named_as_the_reason(cloud):
    cloud.stop("howdah")
    try:
        cloud.create("reason", 3, minutes=1, ClusterName="reason")
        stack = cloud.wait("reason", "CREATE_FAILED")
        wanted = "the Howdah service could not be reached for"
        assert wanted in stack["stack_status_reason"], stack["stack_status_reason"]
        assert cloud.lab.url("howdah") in stack["stack_status_reason"], stack["stack_status_reason"]
    finally:
        cloud.start("howdah")
        cloud.delete("reason")


def told(cloud, name):
    events = cloud.call("GET", "heat", cloud.path(name) + "/events")["events"]
    return any("trying again" in (event["resource_status_reason"] or "") for event in events)
