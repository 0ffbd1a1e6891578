//! The events and the filters, after updates and reads.

use tokio::sync::mpsc::UnboundedReceiver;

use super::*;
use crate::update::PropertyChange;
use crate::xml::Element;
use howdah_core::systems::Remote;

type Events = UnboundedReceiver<Remote<WatchEvent>>;

fn listen(site: &mut Site, cluster: &str, id: u64) -> Events {
    let (to, events) = tokio::sync::mpsc::unbounded_channel();
    site.take(Command::Listen { cluster: cluster.to_owned(), id, to });
    events
}

fn told(events: &mut Events) -> String {
    let mut words = Vec::new();
    while let Ok(event) = events.try_recv() {
        words.push(match event {
            Ok(WatchEvent::Vm(f)) => format!("{}={}", f.vm, f.name.map(|n| n.to_string()).unwrap_or_default()),
            Ok(WatchEvent::Gone(vm)) => format!("-{vm}"),
            Ok(other) => format!("{other:?}"),
            Err(e) => format!("! {e}"),
        });
    }
    words.join(" ")
}

fn update(ty: &str, value: &str, changes: &[(&str, &str)]) -> ObjectUpdate {
    let change = |(path, text): &(&str, &str)| PropertyChange {
        path: (*path).to_owned(),
        value: Some(Element::leaf("val", text)),
    };
    ObjectUpdate { obj: Ref::new(ty, value), left: false, changes: changes.iter().map(change).collect() }
}

fn left(ty: &str, value: &str) -> ObjectUpdate {
    ObjectUpdate { left: true, ..update(ty, value, &[]) }
}

/// Creates the pending filters, one per folder, and reads them as empty.
fn settle(site: &mut Site) {
    let asked = site.age();
    let (open, _) = site.rearrange();
    for folder in open {
        site.opened(std::slice::from_ref(&folder), Ref::new("PropertyFilter", &folder));
        site.read_vms(&[folder], &[], asked);
    }
    site.tell();
}

/// A filter's updates of VMs.
fn show(site: &mut Site, filter: &str, updates: &[ObjectUpdate]) {
    site.begin_set();
    site.update_vms(filter, updates);
    site.tell();
}

/// A VM's name in a folder.
fn named(vm: &str, name: &str, folder: &str) -> ObjectUpdate {
    update("VirtualMachine", vm, &[("name", name), ("parent", folder)])
}

fn object(vm: &str, properties: &[(&str, &str)]) -> Object {
    let properties = properties.iter().map(|(path, text)| ((*path).to_owned(), Element::leaf("val", text)));
    Object { obj: Ref::new("VirtualMachine", vm), properties: properties.collect(), withheld: None }
}

fn site() -> Site {
    let mut site = Site::new("SERENGETI-vApp".to_owned());
    site.read_folders(&[], 0);
    site.update_folder(&update("Folder", "root", &[("name", "SERENGETI-vApp-1"), ("parent", "vm")]));
    site.update_folder(&update("Folder", "c1", &[("name", "c"), ("parent", "root")]));
    site.update_folder(&update("Folder", "c2", &[("name", "c"), ("parent", "vm")]));
    site
}

#[test]
fn only_a_folder_below_the_root_counts() {
    let mut site = site();
    let _events = listen(&mut site, "c", 1);
    assert_eq!(site.rearrange(), (vec!["c1".to_owned()], vec![]));
    assert_eq!(site.rearrange(), (vec![], vec![]), "it is being opened");
    let filter = Ref::new("PropertyFilter", "f");
    site.opened(&["c1".to_owned()], filter.clone());
    assert_eq!(site.rearrange(), (vec![], vec![]));
    // After a rename, it belongs to another cluster.
    site.update_folder(&update("Folder", "c1", &[("name", "d")]));
    assert_eq!(site.rearrange(), (vec![], vec![filter]));
}

#[test]
fn a_filter_is_kept_as_long_as_one_of_its_folders_is_followed() {
    let mut site = site();
    site.update_folder(&update("Folder", "d1", &[("name", "d"), ("parent", "root")]));
    let (_c, _d) = (listen(&mut site, "c", 1), listen(&mut site, "d", 2));
    let (both, _) = site.rearrange();
    let filter = Ref::new("PropertyFilter", "f");
    site.opened(&both, filter.clone());
    site.read_vms(&both, &[object("vm-1", &[("name", "a"), ("parent", "c1")])], 0);
    site.take(Command::Leave { cluster: "c".to_owned(), id: 1 });
    assert_eq!(site.rearrange(), (vec![], vec![]));
    // Watched again, the cluster is still known.
    let mut again = listen(&mut site, "c", 3);
    assert_eq!(site.rearrange(), (vec![], vec![]));
    site.tell();
    assert_eq!(told(&mut again), "vm-1=a Synced");
    for (cluster, id) in [("c", 3), ("d", 2)] {
        site.take(Command::Leave { cluster: cluster.to_owned(), id });
    }
    assert_eq!(site.rearrange(), (vec![], vec![filter]));
    assert!(site.is_empty());
}

#[test]
fn a_cluster_is_in_sync_when_its_folder_was_read_and_others_do_not_wait_for_it() {
    let mut site = site();
    site.update_folder(&update("Folder", "d1", &[("name", "d"), ("parent", "root")]));
    let mut c = listen(&mut site, "c", 1);
    settle(&mut site);
    show(&mut site, "c1", &[named("vm-1", "a", "c1")]);
    assert_eq!(told(&mut c), "Synced vm-1=a");
    let mut d = listen(&mut site, "d", 2);
    let (open, _) = site.rearrange();
    site.opened(&open, Ref::new("PropertyFilter", "d1"));
    show(&mut site, "d1", &[named("vm-2", "b", "d1")]);
    show(&mut site, "c1", &[named("vm-1", "a2", "c1")]);
    assert_eq!((told(&mut c), told(&mut d)), ("vm-1=a2".to_owned(), String::new()));
    let asked = site.age();
    site.read_vms(&open, &[object("vm-2", &[("name", "b"), ("parent", "d1")])], asked);
    site.tell();
    assert_eq!(told(&mut d), "vm-2=b Synced");
}

#[test]
fn an_update_that_came_after_a_read_was_asked_for_is_the_newer_one() {
    let mut site = site();
    let mut events = listen(&mut site, "c", 1);
    settle(&mut site);
    show(&mut site, "c1", &["vm-1", "vm-2", "vm-3"].map(|vm| named(vm, "a", "c1")));
    let asked = site.age();
    show(&mut site, "c1", &[named("vm-1", "newer", "c1"), left("VirtualMachine", "vm-2"), named("vm-4", "new", "c1")]);
    assert_eq!(told(&mut events), "Synced vm-1=a vm-2=a vm-3=a -vm-2 vm-1=newer vm-4=new");
    let before = [object("vm-1", &[("name", "a"), ("parent", "c1")]), object("vm-2", &[("parent", "c1")])];
    site.read_vms(&["c1".to_owned()], &before, asked);
    site.tell();
    assert_eq!(told(&mut events), "-vm-3", "its leaving was not told");
    // The next read started after that.
    site.read_vms(&["c1".to_owned()], &[object("vm-1", &[("name", "newest"), ("parent", "c1")])], site.age());
    site.tell();
    assert_eq!(told(&mut events), "-vm-4 vm-1=newest");
}

#[test]
fn folders_that_were_told_since_a_read_was_asked_for_stay_as_they_were_told() {
    let mut site = site();
    let _events = listen(&mut site, "c", 1);
    let asked = site.age();
    site.begin_set();
    site.update_folder(&update("Folder", "c3", &[("name", "c"), ("parent", "root")]));
    site.update_folder(&left("Folder", "c1"));
    let folder = |moref: &str, name: &str, parent: &str| {
        let properties = [("name", name), ("parent", parent)];
        Object { obj: Ref::new("Folder", moref), ..object("", &properties) }
    };
    site.read_folders(&[folder("root", "SERENGETI-vApp-1", "vm"), folder("c1", "c", "root")], asked);
    assert_eq!(site.rearrange().0, ["c3"]);
}

#[test]
fn an_enter_of_something_known_is_an_update_and_news_are_told_once() {
    let mut site = site();
    let mut events = listen(&mut site, "c", 1);
    settle(&mut site);
    assert_eq!(told(&mut events), "Synced");
    show(&mut site, "c1", &[named("vm-1", "c-w-0", "c1")]);
    show(&mut site, "c1", &[named("vm-1", "c-w-0", "c1")]);
    assert_eq!(told(&mut events), "vm-1=c-w-0");
    // Several updates of one object in a set: the last one counts.
    show(&mut site, "c1", &[named("vm-1", "c-w-9", "c1"), update("VirtualMachine", "vm-1", &[("name", "c-w-1")])]);
    assert_eq!(told(&mut events), "vm-1=c-w-1");
    show(&mut site, "c1", &[left("VirtualMachine", "vm-1"), left("VirtualMachine", "vm-1"), left("Folder", "c9")]);
    show(&mut site, "unknown-filter", &[named("vm-2", "c-w-2", "c1")]);
    assert_eq!(told(&mut events), "-vm-1");
}

#[test]
fn a_vm_that_moves_between_two_folders_of_a_cluster_stays() {
    let mut site = site();
    site.update_folder(&update("Folder", "root2", &[("name", "SERENGETI-vApp-2"), ("parent", "vm")]));
    site.update_folder(&update("Folder", "c3", &[("name", "c"), ("parent", "root2")]));
    site.update_folder(&update("Folder", "group", &[("name", "worker"), ("parent", "c3")]));
    let mut events = listen(&mut site, "c", 1);
    settle(&mut site);
    show(&mut site, "c1", &[named("vm-1", "a", "c1")]);
    show(&mut site, "c3", &[named("vm-1", "a", "group")]);
    show(&mut site, "c1", &[left("VirtualMachine", "vm-1")]);
    assert_eq!(told(&mut events), "Synced vm-1=a");
    // It is removed with its folder.
    site.update_folder(&left("Folder", "c3"));
    settle(&mut site);
    assert_eq!(told(&mut events), "-vm-1");
}

#[test]
fn a_vm_whose_folder_is_told_after_it_is_told_then() {
    let mut site = site();
    let mut events = listen(&mut site, "c", 1);
    settle(&mut site);
    show(&mut site, "c1", &[named("vm-1", "a", "group")]);
    assert_eq!(told(&mut events), "Synced");
    site.update_folder(&update("Folder", "group", &[("name", "worker"), ("parent", "c1")]));
    settle(&mut site);
    assert_eq!(told(&mut events), "vm-1=a");
}

#[test]
fn a_loss_is_told_when_it_is_over_and_only_to_those_who_knew_something() {
    let mut site = site();
    let mut old = listen(&mut site, "c", 1);
    settle(&mut site);
    show(&mut site, "c1", &[named("vm-1", "a", "c1")]);
    site.lose();
    let mut new = listen(&mut site, "d", 2);
    settle(&mut site);
    assert_eq!((told(&mut old), told(&mut new)), ("Synced vm-1=a".to_owned(), String::new()));
    site.tell_error(Error::NoVm { vm: "x".to_owned() });
    site.read_folders(&[], site.age());
    settle(&mut site);
    assert_eq!(told(&mut old), "! vCenter: the VM x does not exist Reset Synced");
    assert_eq!(told(&mut new), "! vCenter: the VM x does not exist Synced");
}

#[test]
fn a_vm_is_told_with_its_cards() {
    let mut site = site();
    let mut events = listen(&mut site, "c", 1);
    settle(&mut site);
    let card = Element::new("VirtualDevice").typed("VirtualVmxnet3").with_leaf("key", 4000);
    let mut entered = named("vm-1", "a", "c1");
    entered
        .changes
        .push(PropertyChange { path: "config.hardware.device".into(), value: Some(Element::new("val").with(card)) });
    show(&mut site, "c1", &[entered]);
    assert_eq!(events.try_recv().unwrap().unwrap(), WatchEvent::Synced);
    let Ok(Ok(WatchEvent::Vm(facts))) = events.try_recv() else { panic!("it is not told") };
    assert_eq!(facts.nics.len(), 1);
    // Properties outside an update do not change.
    show(&mut site, "c1", &[update("VirtualMachine", "vm-1", &[("runtime.powerState", "poweredOn")])]);
    let Ok(Ok(WatchEvent::Vm(facts))) = events.try_recv() else { panic!("it is not told") };
    assert_eq!((facts.power, facts.nics.len()), (howdah_core::systems::vcenter::Power::On, 1));
}
