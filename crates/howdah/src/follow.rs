//! The live view of a cluster: counts by stage while an operation runs, until it ends.
//!
//! A terminal shows one line that is redrawn; other outputs get a line whenever the counts change.
//! After a lost connection the view reports it, reconnects and continues after the last event that
//! it saw, so it misses nothing and shows nothing twice. When the stream is silent for a while, it
//! queries the service's readiness: if the service cannot write its database, no operation ends.

use std::time::{Duration, Instant};

use howdah_api::{self as api, Level, OperationKind, OperationState};
use howdah_core::text::{into_printable, printable};
use indicatif::{ProgressBar, ProgressStyle};
use secrecy::SecretString;
use uuid::Uuid;

use crate::exit::Failed;
use crate::printer::Printer;
use crate::service::{Service, is_passing, refused, unreadable};

/// Pause between two tries.
const PAUSE: Duration = Duration::from_millis(500);
/// After this silence the view queries the service's readiness.
const QUIET: Duration = Duration::from_secs(15);

/// How a followed operation ended.
pub enum Outcome {
    /// It succeeded; the cluster after it.
    Done(Box<api::Cluster>),
    /// The cluster is deleted: a delete succeeded.
    Gone,
}

/// Follows the newest operation of a cluster to its end. The capability still works when the token
/// has expired.
///
/// # Errors
/// If the operation fails, the service cannot be reached for too long, or the user presses Ctrl-C.
pub async fn follow(
    printer: Printer,
    service: &Service,
    cluster: api::Cluster,
    capability: Option<SecretString>,
) -> Result<Outcome, Failed> {
    tokio::select! {
        outcome = Following::new(printer, service, cluster, capability).run() => outcome,
        _ = tokio::signal::ctrl_c() => {
            printer.note("Stopped watching; the service continues the operation.");
            Err(Failed::Interrupted)
        }
    }
}

struct Following<'a> {
    printer: Printer,
    service: &'a Service,
    cluster: api::Cluster,
    capability: Option<SecretString>,
    last: Option<u64>,
    /// Since when the service cannot write its database.
    stuck: Option<Instant>,
    /// The last message about that.
    told: String,
    view: View,
}

impl<'a> Following<'a> {
    fn new(printer: Printer, service: &'a Service, cluster: api::Cluster, capability: Option<SecretString>) -> Self {
        let view = View::new(printer, &cluster);
        Self { printer, service, cluster, capability, last: None, stuck: None, told: String::new(), view }
    }

    async fn run(mut self) -> Result<Outcome, Failed> {
        let operation = self.cluster.operation.id;
        let mut lost: Option<Instant> = None;
        loop {
            if let Some(outcome) = self.end(operation) {
                return outcome;
            }
            let mut stream = match self.service.follow(&self.cluster, self.capability.as_ref(), self.last).await {
                Ok(stream) => {
                    if lost.take().is_some() {
                        self.view.say("Connected to the service again.");
                    }
                    stream
                }
                Err(e) if is_gone(&e) => return self.gone(),
                Err(e) if is_passing(&e) && lost.is_none_or(|l| l.elapsed() < self.service.patience) => {
                    if lost.is_none() {
                        self.view.say(&format!(
                            "Connection to the service lost, retrying: {}",
                            howdah_core::failure::chain(&e)
                        ));
                        lost = Some(Instant::now());
                    }
                    tokio::time::sleep(PAUSE).await;
                    continue;
                }
                Err(e) => return Err(e),
            };
            let mut heard = false;
            loop {
                let frame = match tokio::time::timeout(QUIET, stream.next()).await {
                    Ok(frame) => match frame? {
                        Some(frame) => frame,
                        None => break,
                    },
                    Err(_) => {
                        self.ask_how_it_is().await?;
                        continue;
                    }
                };
                heard = true;
                self.last = frame.id.or(self.last);
                match frame.event.as_str() {
                    "event" => {
                        if let Ok(event) = serde_json::from_str::<api::Event>(&frame.data) {
                            self.view.event(&event);
                        }
                    }
                    "cluster" => {
                        if let Ok(cluster) = serde_json::from_str(&frame.data) {
                            self.cluster = cluster;
                            self.view.show(&self.cluster);
                        }
                    }
                    "gone" => return self.gone(),
                    "ended" => {
                        if let Ok(why) = serde_json::from_str(&frame.data) {
                            self.view.finish();
                            return Err(refused(why));
                        }
                    }
                    "unreadable" => {
                        if let Ok(cluster) = serde_json::from_str(&frame.data) {
                            self.view.finish();
                            return Err(unreadable(&cluster));
                        }
                    }
                    _ => {}
                }
                if let Some(outcome) = self.end(operation) {
                    return outcome;
                }
            }
            if !heard {
                // It ended immediately: pause before the next try.
                self.ask_how_it_is().await?;
                tokio::time::sleep(PAUSE).await;
            }
        }
    }

    /// Shows the service's readiness. Fails once the service could not use its database for too long.
    async fn ask_how_it_is(&mut self) -> Result<(), Failed> {
        let (failed, of_the_store) = match self.service.ready().await {
            Err((failed @ Failed::Unavailable { .. }, of_the_store)) => (failed, of_the_store),
            // The stream reports a lost connection.
            Err(_) => return Ok(()),
            Ok(()) => {
                if !std::mem::take(&mut self.told).is_empty() {
                    self.view.say("The service is ready again.");
                }
                self.stuck = None;
                return Ok(());
            }
        };
        let hint = failed.hint().map(|hint| format!(" {hint}")).unwrap_or_default();
        let says = format!("{failed}.{hint}");
        if says != self.told {
            self.view.say(&says);
            self.told = says;
        }
        if !of_the_store {
            // The service recovers, or ends the operation.
            self.stuck = None;
        } else if self.stuck.get_or_insert_with(Instant::now).elapsed() >= self.service.patience {
            self.view.finish();
            return Err(failed);
        }
        Ok(())
    }

    fn gone(&self) -> Result<Outcome, Failed> {
        self.view.finish();
        if self.cluster.operation.kind == OperationKind::Delete {
            return Ok(Outcome::Gone);
        }
        Err(Failed::Operation {
            what: format!("the {} of {}", self.cluster.operation.kind, self.cluster.name),
            message: "the cluster was deleted in the meantime".to_owned(),
            hint: None,
        })
    }

    fn end(&self, operation: Uuid) -> Option<Result<Outcome, Failed>> {
        let now = &self.cluster.operation;
        match now.state {
            OperationState::Running => None,
            OperationState::Succeeded if now.kind == OperationKind::Delete => None,
            OperationState::Succeeded => {
                self.view.finish();
                if now.id != operation {
                    self.printer.note("Another request replaced the operation; this is the result of the newer one.");
                }
                Some(Ok(Outcome::Done(Box::new(self.cluster.clone()))))
            }
            OperationState::Failed => {
                self.view.finish();
                let error = now.error.clone();
                Some(Err(Failed::Operation {
                    what: format!("the {} of {}", now.kind, self.cluster.name),
                    message: error.as_ref().map(|e| e.message.clone()).unwrap_or_default(),
                    hint: error.and_then(|e| e.hint),
                }))
            }
        }
    }
}

fn is_gone(failed: &Failed) -> bool {
    matches!(failed, Failed::Refused { code, .. } if code == "cluster_not_found")
}

/// The progress display.
struct View {
    printer: Printer,
    bar: Option<ProgressBar>,
    /// The counts that were written last, and the operation's state then.
    shown: std::cell::RefCell<Option<(String, OperationState)>>,
}

impl View {
    fn new(printer: Printer, cluster: &api::Cluster) -> Self {
        let bar = printer.draws().then(|| {
            let bar = ProgressBar::new(100);
            if let Ok(style) = ProgressStyle::with_template("{prefix} [{bar:24}] {msg}  {elapsed}") {
                bar.set_style(style.progress_chars("=> "));
            }
            bar.set_prefix(into_printable(format!("{} {}", cluster.operation.kind, cluster.name)));
            bar.enable_steady_tick(Duration::from_millis(200));
            bar
        });
        let view = Self { printer, bar, shown: Default::default() };
        view.show(cluster);
        view
    }

    fn show(&self, cluster: &api::Cluster) {
        let counts = counts(cluster);
        if let Some(bar) = &self.bar {
            bar.set_position((cluster.progress * 100.0) as u64);
            bar.set_message(counts);
        } else {
            // The end is shown even if no count changed with it.
            let shown = (counts, cluster.operation.state);
            if self.shown.borrow().as_ref() != Some(&shown) {
                self.printer.note(&format!("{:>3.0} %  {}", cluster.progress * 100.0, shown.0));
                self.shown.replace(Some(shown));
            }
        }
    }

    /// Only the unexpected interrupts the view; the counts show the rest.
    fn event(&self, event: &api::Event) {
        // The end of the operation reports the reason.
        if event.level != Level::Info && event.reason != "operation_failed" {
            self.say(&format!("{}: {}", if event.level == Level::Error { "error" } else { "warning" }, event.message));
        }
    }

    fn say(&self, line: &str) {
        match &self.bar {
            Some(bar) => bar.println(printable(line)),
            None => self.printer.note(line),
        }
    }

    fn finish(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

/// `12 of 20 nodes addressed: 3 planned, 2 cloned, 3 booting`; while stopping `12 of 31 nodes off`, while
/// deleting `12 of 31 nodes removed`.
pub fn counts(cluster: &api::Cluster) -> String {
    let (s, all) = (&cluster.stages, cluster.node_count);
    match cluster.operation.kind {
        _ if all == 0 => return "no nodes yet".to_owned(),
        OperationKind::Stop => return format!("{} of {all} nodes off", s.cloned),
        OperationKind::Delete => return format!("{} of {all} nodes removed", all.saturating_sub(s.existing())),
        OperationKind::Create | OperationKind::Start => {}
    }
    let rest: Vec<_> =
        [(s.planned, "planned"), (s.cloned, "cloned"), (s.booting, "booting"), (s.no_address, "no address")]
            .into_iter()
            .filter(|(n, _)| *n > 0)
            .map(|(n, word)| format!("{n} {word}"))
            .collect();
    let head = format!("{} of {all} nodes addressed", s.addressed);
    if rest.is_empty() { head } else { format!("{head}: {}", rest.join(", ")) }
}
