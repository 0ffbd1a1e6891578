//! Faults by rule, and the count of calls.
//!
//! Every call of a system, through whichever face, passes `World::depart`: it is counted, meets the
//! rules, and takes its time (see `trip`). Work *inside* the world (a clone, a boot) meets the rules
//! too, under method names that begin with `~`: see [`Inner`].

use std::collections::BTreeMap;

use howdah_core::failure::{ErrorKind, RemoteError, System};
use serde::{Deserialize, Serialize};

/// Work inside the world that a rule can name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Inner {
    /// `~clone` of a node (object: VM's name), of system BDE.
    Clone,
    /// `~power_on` of a VM by the cluster manager.
    PowerOn,
    /// `~software` of a node.
    Software,
    /// `~boot`: the guest hangs before its network starts (object: VM's name), of system vCenter.
    Boot,
    /// `~discover`: this DISCOVER is lost on its way, of system Neutron.
    Discover,
    /// `~task`: a vCenter task fails (object: VM's name), of system vCenter.
    Task,
    /// `~port_group`: NSX never makes a network's port groups (object: network's id), of system Neutron.
    PortGroup,
}

impl Inner {
    /// The method name in a rule.
    pub const fn method(self) -> &'static str {
        match self {
            Self::Clone => "~clone",
            Self::PowerOn => "~power_on",
            Self::Software => "~software",
            Self::Boot => "~boot",
            Self::Discover => "~discover",
            Self::Task => "~task",
            Self::PortGroup => "~port_group",
        }
    }

    /// The system in a rule.
    pub const fn system(self) -> System {
        match self {
            Self::Clone | Self::PowerOn | Self::Software => System::Bde,
            Self::Boot | Self::Task => System::VCenter,
            Self::Discover | Self::PortGroup => System::Neutron,
        }
    }
}

/// What a rule does to the call it meets.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "do")]
pub enum Effect {
    /// Nothing beyond the rule's delays.
    #[default]
    Delay,
    /// The call is refused and has no effect.
    Refuse {
        /// How.
        kind: ErrorKind,
    },
    /// The call never arrives: it has no effect, and nobody answers.
    LoseRequest,
    /// The call has its effect, and its answer is lost.
    LoseAnswer,
    /// Nobody answers, and the effect comes later: the server works on after the client gave up.
    Late {
        /// From the client's giving up to the effect, in seconds.
        seconds: f64,
    },
}

impl Effect {
    const fn fate(&self) -> Fate {
        match self {
            Self::Delay => Fate::Answered,
            Self::Refuse { kind } => Fate::Refused(*kind),
            Self::LoseRequest => Fate::RequestLost,
            Self::LoseAnswer => Fate::AnswerLost,
            Self::Late { seconds } => Fate::Late(*seconds),
        }
    }
}

/// A rule. It meets a call if everything it names fits.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FaultRule {
    /// The system.
    pub system: System,
    /// Method's name, or the front of it with `*` behind; `*` is any call (but not the inner work).
    #[serde(default = "any")]
    pub method: String,
    /// Object's name, or the front of it with `*` behind.
    #[serde(default = "any")]
    pub object: String,
    /// How probable it is, from 0.0 to 1.0.
    #[serde(default = "always")]
    pub probability: f64,
    /// How many fitting calls pass before the first is met.
    #[serde(default)]
    pub skip: u32,
    /// How many calls it meets before it is spent; absent: no end.
    #[serde(default)]
    pub count: Option<u32>,
    /// What the call is held up by on its way to the server, in seconds.
    #[serde(default)]
    pub delay: f64,
    /// What its answer is held up by after its effect, in seconds.
    #[serde(default)]
    pub delay_after: f64,
    /// What it does.
    #[serde(default)]
    pub effect: Effect,
}

fn any() -> String {
    "*".to_owned()
}

const fn always() -> f64 {
    1.0
}

impl FaultRule {
    /// A rule that meets every call of a method.
    pub fn new(system: System, method: &str, effect: Effect) -> Self {
        Self {
            system,
            method: method.to_owned(),
            object: any(),
            probability: 1.0,
            skip: 0,
            count: None,
            delay: 0.0,
            delay_after: 0.0,
            effect,
        }
    }

    /// A rule about work inside the world.
    pub fn inner(work: Inner, object: &str) -> Self {
        let refuse = Effect::Refuse { kind: ErrorKind::Internal };
        Self { object: object.to_owned(), ..Self::new(work.system(), work.method(), refuse) }
    }

    /// The same, for one object (or a front of it with `*` behind).
    #[must_use]
    pub fn on(mut self, object: &str) -> Self {
        object.clone_into(&mut self.object);
        self
    }

    /// The same, spent after this many.
    #[must_use]
    pub fn times(mut self, count: u32) -> Self {
        self.count = Some(count);
        self
    }

    /// The same, with a probability.
    #[must_use]
    pub fn with_probability(mut self, probability: f64) -> Self {
        self.probability = probability;
        self
    }

    /// The same, with a delay before the effect, in seconds.
    #[must_use]
    pub fn delayed(mut self, seconds: f64) -> Self {
        self.delay = seconds;
        self
    }

    /// The same, with a delay between the effect and its answer, in seconds.
    #[must_use]
    pub fn answered_after(mut self, seconds: f64) -> Self {
        self.delay_after = seconds;
        self
    }

    /// The same, for the calls after so many fitting ones.
    #[must_use]
    pub fn skipping(mut self, calls: u32) -> Self {
        self.skip = calls;
        self
    }

    fn fits(&self, system: System, method: &str, object: &str) -> bool {
        // `*` alone is about calls: a careless rule must not stop guests from booting.
        let inner = method.starts_with('~') && !self.method.starts_with('~');
        self.system == system && !inner && glob(&self.method, method) && glob(&self.object, object)
    }
}

fn glob(pattern: &str, text: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(front) => text.starts_with(front),
        None => pattern == text,
    }
}

/// The rules in force, by number.
#[derive(Debug, Default)]
pub struct Faults {
    rules: BTreeMap<u64, Armed>,
    next: u64,
}

#[derive(Debug)]
struct Armed {
    rule: FaultRule,
    fitted: u32,
    met: u32,
    landed: u32,
}

/// What becomes of a call.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub enum Fate {
    /// It has its effect and is answered.
    #[default]
    Answered,
    /// It is refused, without effect.
    Refused(ErrorKind),
    /// It never arrives.
    RequestLost,
    /// It has its effect, and its answer is lost.
    AnswerLost,
    /// Its answer is lost, and its effect comes so many seconds later.
    Late(f64),
}

/// What the rules say of one call.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Verdict {
    /// Seconds to hold up the call.
    pub delay: f64,
    /// Seconds to hold up its answer.
    pub delay_after: f64,
    /// What becomes of it: the first rule that does more than delay decides.
    pub fate: Fate,
    /// Numbers of the rules that met it.
    pub met: Vec<u64>,
}

/// The error of an injected fault.
pub fn injected(system: System, kind: ErrorKind) -> RemoteError {
    RemoteError::new(system, kind, "injected_fault", "a fault was injected here")
}

impl Faults {
    /// Adds a rule; its number takes it away again.
    pub fn add(&mut self, rule: FaultRule) -> u64 {
        self.next += 1;
        self.rules.insert(self.next, Armed { rule, fitted: 0, met: 0, landed: 0 });
        self.next
    }

    /// Takes a rule away.
    pub fn remove(&mut self, number: u64) -> bool {
        self.rules.remove(&number).is_some()
    }

    /// Takes all rules away.
    pub fn clear(&mut self) {
        self.rules.clear();
    }

    /// Rules with their numbers and how often each has met a call.
    pub fn list(&self) -> impl Iterator<Item = (u64, &FaultRule, u32)> {
        self.rules.iter().map(|(n, a)| (*n, &a.rule, a.met))
    }

    /// How often a rule has met a call.
    pub fn met(&self, number: u64) -> u32 {
        self.rules.get(&number).map_or(0, |a| a.met)
    }

    /// How many of the calls that a rule met have had their effect by now.
    pub fn landed(&self, number: u64) -> u32 {
        self.rules.get(&number).map_or(0, |a| a.landed)
    }

    /// A call that these rules met has had its effect.
    pub(crate) fn land(&mut self, met: &[u64]) {
        for number in met {
            if let Some(armed) = self.rules.get_mut(number) {
                armed.landed += 1;
            }
        }
    }

    /// What the rules say of this call. `dice` gives a fraction for a rule number and a count.
    pub fn judge(&mut self, system: System, method: &str, object: &str, dice: impl Fn(&str) -> f64) -> Verdict {
        let mut verdict = Verdict::default();
        for (number, armed) in &mut self.rules {
            let rule = &armed.rule;
            if !rule.fits(system, method, object) || rule.count.is_some_and(|c| armed.met >= c) {
                continue;
            }
            armed.fitted += 1;
            if armed.fitted <= rule.skip {
                continue;
            }
            if rule.probability < 1.0
                && dice(&format!("{number}/{method}/{object}/{}", armed.fitted)) >= rule.probability
            {
                continue;
            }
            armed.met += 1;
            verdict.met.push(*number);
            verdict.delay += rule.delay;
            verdict.delay_after += rule.delay_after;
            if verdict.fate == Fate::Answered {
                verdict.fate = rule.effect.fate();
            }
        }
        verdict
    }
}

/// How often each method of each system was called.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Counters(BTreeMap<(System, String), u64>);

impl Counters {
    /// Counts a call.
    pub fn count(&mut self, system: System, method: &str) {
        *self.0.entry((system, method.to_owned())).or_default() += 1;
    }

    /// Calls of one method.
    pub fn of(&self, system: System, method: &str) -> u64 {
        self.0.get(&(system, method.to_owned())).copied().unwrap_or_default()
    }

    /// Calls of a system.
    pub fn total(&self, system: System) -> u64 {
        self.0.iter().filter(|((s, _), _)| *s == system).map(|(_, n)| n).sum()
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = (System, &str, u64)> {
        self.0.iter().map(|((s, m), n)| (*s, m.as_str(), *n))
    }
}
