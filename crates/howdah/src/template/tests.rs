//! What is supported, and each refusal as the user reads it.

use super::*;

const CFN: &str = r#"{
  "AWSTemplateFormatVersion": "2010-09-09",
  "Parameters": {
    "ClusterName": {"Type": "String", "Default": "hadoop"},
    "Password": {"Type": "String"},
    "Workers": {"Type": "Number", "Default": "17"}
  },
  "Resources": {
    "Net": {"Type": "OS::Neutron::Net", "Properties": {"name": "hadoop-net"}},
    "Sub": {"Type": "OS::Neutron::Subnet", "Properties": {"network_id": {"Ref": "Net"}, "cidr": "10.1.0.0/24"}},
    "Bde": {"Type": "VirtualElephant::VMware::BDE", "DependsOn": "Sub", "Properties": {
      "cluster_name": {"Ref": "ClusterName"}, "network": {"Ref": "Net"}, "subnet": {"Ref": "Sub"},
      "node_groups": [{"name": "worker", "count": {"Ref": "Workers"}}]}}
  }
}"#;

fn given(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect()
}

#[test]
fn the_shape_of_2015_is_understood() {
    let plan = read(CFN, &given(&[("Workers", "3")])).unwrap();
    assert_eq!(plan.network, Some(NetworkPlan { name: "hadoop-net".to_owned() }));
    assert_eq!(plan.subnet, Some(SubnetPlan { name: "Sub".to_owned(), cidr: "10.1.0.0/24".to_owned(), dhcp: true }));
    assert_eq!(plan.cluster["cluster_name"], "hadoop");
    assert_eq!(plan.cluster["network"], "hadoop-net");
    assert_eq!(plan.cluster["node_groups"][0]["count"], "3");
}

#[test]
fn hot_in_yaml_is_understood() {
    let hot = "heat_template_version: 2021-04-16
parameters:
  name: {type: string, default: mesos}
resources:
  net: {type: OS::Neutron::Net}
  cluster:
    type: VirtualElephant::VMware::BDE
    properties: {cluster_name: {get_param: name}, network: {get_resource: net}, subnet: s1}
outputs:
  id: {value: {get_resource: cluster}}
";
    let plan = read(hot, &[]).unwrap();
    assert_eq!((&plan.cluster["cluster_name"], &plan.cluster["network"]), (&"mesos".into(), &"net".into()));
    assert_eq!(plan.subnet, None);
}

#[test]
fn the_examples_are_understood_and_become_a_request() {
    let cfn = read(include_str!("../../../../examples/hadoop-2015.json"), &given(&[("Workers", "3")])).unwrap();
    let request = body(cfn.cluster).unwrap();
    assert_eq!(request["name"], "hadoop_2015");
    assert_eq!(request["network"], "hadoop_2015", "a reference to a network whose name is a parameter");
    assert_eq!(request["resource_pools"], serde_json::json!(["openstackRP"]));
    assert_eq!(request["node_groups"][1]["count"], 3, "CFN writes numbers as strings");
    let hot = read(include_str!("../../../../examples/hadoop.yaml"), &[]).unwrap();
    assert_eq!((hot.network, hot.subnet), (None, None));
    assert_eq!(body(hot.cluster).unwrap()["node_groups"][1]["count"], 3);
}

#[test]
fn each_refusal_names_what_it_refuses() {
    let cfn = |from: &str, to: &str| CFN.replace(from, to);
    let rows = [
        ("foo: bar".to_owned(), given(&[])),
        ("just text".to_owned(), given(&[])),
        ("{\"a\": [".to_owned(), given(&[])),
        (cfn(r#""subnet": {"Ref": "Sub"}"#, r#""subnet": {"Fn::GetAtt": ["Sub", "id"]}"#), given(&[])),
        (cfn(r#""subnet": {"Ref": "Sub"}"#, r#""subnet": {"Ref": "Other"}"#), given(&[])),
        (cfn(r#""subnet": {"Ref": "Sub"}"#, r#""cluster_password": {"Ref": "Password"}"#), given(&[])),
        (CFN.to_owned(), given(&[("Colour", "red")])),
        (cfn("OS::Neutron::Net\"", "OS::Nova::Server\""), given(&[])),
        (cfn(r#""cidr": "10.1.0.0/24""#, r#""cidr": "10.1.0.0/24", "host_routes": []"#), given(&[])),
        (cfn(r#", "cidr": "10.1.0.0/24""#, ""), given(&[])),
        (cfn("VirtualElephant::VMware::BDE", "OS::Neutron::Net"), given(&[])),
        ("heat_template_version: 2021-04-16".to_owned(), given(&[])),
    ];
    let said: Vec<_> = rows
        .iter()
        .map(|(text, given)| {
            let error = read(text, given).unwrap_err();
            let hint = error.hint().map(|h| format!("\n  hint: {h}")).unwrap_or_default();
            format!("{error}{hint}")
        })
        .collect();
    insta::assert_snapshot!(said.join("\n"));
}
