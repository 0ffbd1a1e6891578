//! What the service counts, in Prometheus' text form. Invariant: labels come from fixed sets
//! (routes, methods, codes, configured sites), never from a request, so that their number is bounded.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use howdah_core::failure::{ErrorKind, System};
use howdah_transport::meter::{Called, Failed};
use jiff::Timestamp;

/// All counters.
#[derive(Debug, Default)]
pub struct Metrics {
    counters: Mutex<Counters>,
}

#[derive(Debug, Default)]
struct Counters {
    requests: BTreeMap<(String, String, u16), Sum>,
    calls: BTreeMap<(String, System, String, &'static str), Sum>,
    health: BTreeMap<(String, System), Health>,
    probed: BTreeMap<(String, System), Health>,
}

impl Counters {
    fn health_of(&self, key: &(String, System)) -> Option<Health> {
        let (last, probe) = (self.health.get(key), self.probed.get(key));
        // A call that went well does not show that everything that the work needs is there.
        let failing = [last, probe].into_iter().flatten().find(|h| h.failing.is_some());
        failing.or(last).or(probe).cloned()
    }
}

#[derive(Debug, Default, Clone, Copy)]
struct Sum {
    count: u64,
    seconds: f64,
}

impl Sum {
    fn add(&mut self, took: Duration) {
        self.count += 1;
        self.seconds += took.as_secs_f64();
    }
}

/// What a remote system said last to a call of the service's own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Health {
    /// When.
    pub at: Timestamp,
    /// The code of its failure, if it cannot be worked with as things stand.
    pub failing: Option<&'static str>,
}

impl Metrics {
    fn counters(&self) -> MutexGuard<'_, Counters> {
        self.counters.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A request to the API was answered.
    pub fn request(&self, method: &str, route: &str, status: u16, took: Duration) {
        let key = (method.to_owned(), route.to_owned(), status);
        self.counters().requests.entry(key).or_default().add(took);
    }

    /// A call to a remote system of a site was answered, or not.
    pub fn call(&self, site: &str, call: &Called<'_>) {
        let outcome = call.failed.map_or("ok", |f| kind_word(f.kind));
        let key = (site.to_owned(), call.system, call.method.to_owned(), outcome);
        self.counters().calls.entry(key).or_default().add(call.took);
    }

    /// A call of the service's own showed how a remote system is.
    pub fn heard(&self, site: &str, system: System, at: Timestamp, failed: Option<Failed>) {
        let failing = failed.filter(|f| is_out_of_order(f.kind)).map(|f| f.code);
        self.counters().health.insert((site.to_owned(), system), Health { at, failing });
    }

    /// A probe of a remote system ended: it asks what the work needs, so that each of its failures is the system's.
    pub fn probed(&self, site: &str, system: System, at: Timestamp, failing: Option<&'static str>) {
        self.counters().probed.insert((site.to_owned(), system), Health { at, failing });
    }

    /// How a system is, if it was asked at all: by the last call, and by the last probe.
    pub fn health(&self, site: &str, system: System) -> Option<Health> {
        self.counters().health_of(&(site.to_owned(), system))
    }

    /// The text, with the present number of clusters by status and of operations by kind and state.
    pub fn text(
        &self,
        clusters: &BTreeMap<(String, String), u64>,
        operations: &BTreeMap<(String, String), u64>,
        controllers: usize,
    ) -> String {
        let mut text = String::new();
        family(&mut text, "howdah_clusters", "gauge", "Clusters by site and status.");
        for ((site, status), count) in clusters {
            sample(&mut text, "howdah_clusters", &[("site", site), ("status", status)], *count as f64);
        }
        family(&mut text, "howdah_operations", "gauge", "Newest operation of each cluster by kind and state.");
        for ((kind, state), count) in operations {
            sample(&mut text, "howdah_operations", &[("kind", kind), ("state", state)], *count as f64);
        }
        family(&mut text, "howdah_controllers", "gauge", "Running controllers, one for each cluster.");
        sample(&mut text, "howdah_controllers", &[], controllers as f64);

        let counters = self.counters();
        family(&mut text, "howdah_api_request_seconds", "summary", "Requests to the API, by route and status.");
        for ((method, route, status), sum) in &counters.requests {
            let labels = [("method", method.as_str()), ("route", route), ("status", &status.to_string())];
            summary(&mut text, "howdah_api_request_seconds", &labels, *sum);
        }
        family(&mut text, "howdah_remote_call_seconds", "summary", "Calls to remote systems, by method and outcome.");
        for ((site, system, method, outcome), sum) in &counters.calls {
            let labels =
                [("site", site.as_str()), ("system", system_word(*system)), ("method", method), ("outcome", outcome)];
            summary(&mut text, "howdah_remote_call_seconds", &labels, *sum);
        }
        family(&mut text, "howdah_remote_up", "gauge", "1 if the remote system was healthy at the last call, else 0.");
        let asked: BTreeSet<_> = counters.health.keys().chain(counters.probed.keys()).collect();
        for key @ (site, system) in asked {
            let Some(health) = counters.health_of(key) else { continue };
            let up = if health.failing.is_none() { 1.0 } else { 0.0 };
            sample(&mut text, "howdah_remote_up", &[("site", site), ("system", system_word(*system))], up);
        }
        text
    }
}

/// Whether an error says something about the system rather than about the request.
const fn is_out_of_order(kind: ErrorKind) -> bool {
    matches!(
        kind,
        ErrorKind::Unreachable
            | ErrorKind::NoAnswer
            | ErrorKind::Certificate
            | ErrorKind::Credentials
            | ErrorKind::Unavailable
            | ErrorKind::BadAnswer
    )
}

/// The system's word in labels and documents.
pub const fn system_word(system: System) -> &'static str {
    match system {
        System::Bde => "bde",
        System::VCenter => "vcenter",
        System::Neutron => "neutron",
        System::Keystone => "keystone",
        System::Store => "store",
    }
}

const fn kind_word(kind: ErrorKind) -> &'static str {
    match kind {
        ErrorKind::Unreachable => "unreachable",
        ErrorKind::NoAnswer => "no_answer",
        ErrorKind::Certificate => "certificate",
        ErrorKind::Credentials => "credentials",
        ErrorKind::Forbidden => "forbidden",
        ErrorKind::NotFound => "not_found",
        ErrorKind::Conflict => "conflict",
        ErrorKind::Exhausted => "exhausted",
        ErrorKind::Invalid => "invalid",
        ErrorKind::Unavailable => "unavailable",
        ErrorKind::BadAnswer => "bad_answer",
        ErrorKind::Internal => "internal",
    }
}

// Writing to a String cannot fail.
fn family(text: &mut String, name: &str, kind: &str, help: &str) {
    let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} {kind}");
}

fn sample(text: &mut String, name: &str, labels: &[(&str, &str)], value: f64) {
    let escaped = |v: &str| v.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
    let labels: Vec<_> = labels.iter().map(|(k, v)| format!("{k}=\"{}\"", escaped(v))).collect();
    let _ = match labels.as_slice() {
        [] => writeln!(text, "{name} {value}"),
        some => writeln!(text, "{name}{{{}}} {value}", some.join(",")),
    };
}

fn summary(text: &mut String, name: &str, labels: &[(&str, &str)], sum: Sum) {
    sample(text, &format!("{name}_sum"), labels, sum.seconds);
    sample(text, &format!("{name}_count"), labels, sum.count as f64);
}

#[cfg(test)]
mod tests {
    use howdah_transport::meter::Whose;

    use super::*;

    #[test]
    fn the_text_is_prometheus() {
        let metrics = Metrics::default();
        let second = Duration::from_millis(500);
        metrics.request("GET", "/v1/clusters/{id}", 200, second);
        metrics.request("GET", "/v1/clusters/{id}", 200, second);
        let called = |system, method, failed| Called { system, method, whose: Whose::Service, took: second, failed };
        metrics.call("a\"b", &called(System::Bde, "GET cluster", None));
        metrics.heard("a\"b", System::Bde, Timestamp::UNIX_EPOCH, None);
        let kind = ErrorKind::Certificate;
        let refused = Some(Failed { kind, code: "vcenter_certificate" });
        metrics.call("main", &called(System::VCenter, "Login", refused));
        metrics.heard("main", System::VCenter, Timestamp::UNIX_EPOCH, refused);
        let clusters = BTreeMap::from([(("main".to_owned(), "running".to_owned()), 3)]);
        let operations = BTreeMap::from([(("create".to_owned(), "succeeded".to_owned()), 3)]);
        insta::assert_snapshot!(metrics.text(&clusters, &operations, 3));
        assert_eq!(metrics.health("main", System::VCenter).unwrap().failing, Some("vcenter_certificate"));
        assert_eq!(metrics.health("main", System::Bde), None);
    }
}
