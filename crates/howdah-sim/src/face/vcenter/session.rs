//! Sessions and what lives in them: views, collectors, pages of an answer. Invariant: an object of
//! a session is found through that session only, and ends with it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use howdah_vsphere::xml::Element;
use tokio::sync::watch;
use tokio::time::Instant;

use super::collect::{View, Views};
use super::collector::Collector;
use super::fault::Fault;

/// The collector that is there without being made.
pub(super) const DEFAULT_COLLECTOR: &str = "propertyCollector";

/// Idle sessions end after this long, as vCenter's do by default. Real time, not the world's: it is
/// the client's keep-alive that it is measured against.
const IDLE: Duration = Duration::from_secs(1800);

/// Types of references that only sessions have.
pub(super) fn type_named(name: &str) -> Option<&'static str> {
    ["PropertyFilter", "ContainerView", "PropertyCollector"].into_iter().find(|ty| *ty == name)
}

/// All sessions by their cookies.
#[derive(Debug, Default)]
pub(super) struct Sessions(Mutex<HashMap<String, Arc<Session>>>);

/// A session.
#[derive(Debug)]
pub(super) struct Session {
    pub(super) cookie: String,
    pub(super) user: String,
    used: Mutex<Instant>,
    pub(super) ended: watch::Sender<bool>,
    objects: Mutex<Objects>,
}

/// What lives in a session.
#[derive(Debug, Default)]
pub(super) struct Objects {
    pub(super) views: Views,
    pub(super) collectors: HashMap<String, Arc<Collector>>,
    /// Filters by reference, with the collector of each.
    pub(super) filters: HashMap<String, String>,
    pages: HashMap<String, (usize, Vec<Element>)>,
    next: u64,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Sessions {
    pub(super) fn open(&self, cookie: String, user: &str) -> Arc<Session> {
        let collectors = HashMap::from([(DEFAULT_COLLECTOR.to_owned(), Arc::new(Collector::new()))]);
        let session = Arc::new(Session {
            cookie: cookie.clone(),
            user: user.to_owned(),
            used: Mutex::new(Instant::now()),
            ended: watch::Sender::new(false),
            objects: Mutex::new(Objects { collectors, ..Objects::default() }),
        });
        lock(&self.0).insert(cookie, session.clone());
        session
    }

    /// The session of a cookie, if it has not ended.
    pub(super) fn find(&self, cookie: Option<&str>) -> Result<Arc<Session>, Fault> {
        let mut all = lock(&self.0);
        let session = cookie.and_then(|c| all.get(c)).cloned().ok_or_else(Fault::not_authenticated)?;
        if lock(&session.used).elapsed() > IDLE {
            all.remove(&session.cookie);
            session.ended.send_replace(true);
            return Err(Fault::not_authenticated());
        }
        session.touch();
        Ok(session)
    }

    pub(super) fn close(&self, session: &Session) {
        lock(&self.0).remove(&session.cookie);
        session.ended.send_replace(true);
    }

    pub(super) fn close_all(&self) -> usize {
        let all = std::mem::take(&mut *lock(&self.0));
        for session in all.values() {
            session.ended.send_replace(true);
        }
        all.len()
    }

    pub(super) fn count(&self) -> usize {
        lock(&self.0).len()
    }

    /// All views and filters of all sessions, for a look at what clients leave behind.
    pub(super) fn leftovers(&self) -> (usize, usize) {
        let all = lock(&self.0);
        let of = |s: &Arc<Session>| {
            let objects = s.objects();
            (objects.views.len(), objects.filters.len())
        };
        all.values().map(of).fold((0, 0), |(v, f), (views, filters)| (v + views, f + filters))
    }
}

impl Session {
    pub(super) fn touch(&self) {
        *lock(&self.used) = Instant::now();
    }

    pub(super) fn objects(&self) -> MutexGuard<'_, Objects> {
        lock(&self.objects)
    }

    pub(super) fn collector(&self, id: &str) -> Result<Arc<Collector>, Fault> {
        self.objects().collectors.get(id).cloned().ok_or_else(|| Fault::not_found("PropertyCollector", id))
    }
}

impl Objects {
    fn new_id(&mut self, cookie: &str) -> String {
        self.next += 1;
        format!("session[{}]{}", cookie.get(..8).unwrap_or(cookie), self.next)
    }

    pub(super) fn add_view(&mut self, cookie: &str, view: View) -> String {
        let id = self.new_id(cookie);
        self.views.insert(id.clone(), view);
        id
    }

    pub(super) fn add_collector(&mut self, cookie: &str) -> String {
        let id = self.new_id(cookie);
        self.collectors.insert(id.clone(), Arc::new(Collector::new()));
        id
    }

    pub(super) fn add_filter(&mut self, cookie: &str, collector: &str) -> String {
        let id = self.new_id(cookie);
        self.filters.insert(id.clone(), collector.to_owned());
        id
    }

    pub(super) fn remove_collector(&mut self, id: &str) -> Option<Arc<Collector>> {
        self.filters.retain(|_, collector| collector != id);
        self.collectors.remove(id)
    }

    /// The first page of an answer; the token of the next if there is one.
    pub(super) fn page(&mut self, cookie: &str, mut all: Vec<Element>, size: usize) -> (Vec<Element>, Option<String>) {
        if all.len() <= size {
            return (all, None);
        }
        let rest = all.split_off(size);
        let token = self.new_id(cookie);
        self.pages.insert(token.clone(), (size, rest));
        (all, Some(token))
    }

    /// The rest that a token stands for; a token is good once.
    pub(super) fn rest(&mut self, token: &str) -> Option<(usize, Vec<Element>)> {
        self.pages.remove(token)
    }
}
