//! The example runs.

#[path = "../examples/list.rs"]
#[allow(dead_code, reason = "its `main` reads the standard input")]
mod list;

#[test]
fn the_example_runs() {
    let page = br#"{
        "clusters": [{
            "id": "6f0c2a5e-4a52-4a0e-9d0d-2f5d5a0e8c11", "site": "main", "project": "demo", "name": "hadoop",
            "cluster_type": "bigtop", "wanted": "running", "status": "creating", "status_reason": "2 nodes boot",
            "progress": 0.5, "network": {"id": "n", "name": "data"}, "node_count": 3,
            "stages": {"planned": 0, "cloned": 0, "booting": 2, "no_address": 0, "addressed": 1},
            "operation": {"id": "00000000-0000-0000-0000-000000000007", "kind": "create", "state": "running",
                          "requested": "2026-01-02T03:04:05Z"},
            "created": "2026-01-02T03:04:05Z"
        }],
        "next": "m"
    }"#;
    let mut told = Vec::new();
    list::list(&page[..], &mut told).expect("the page cannot be read");
    let told = String::from_utf8(told).expect("it is text");
    assert_eq!(
        told,
        "6f0c2a5e-4a52-4a0e-9d0d-2f5d5a0e8c11 hadoop: creating, 1 of 3 nodes have their address\n\
         There are more: ask again with marker=m\n"
    );
}
