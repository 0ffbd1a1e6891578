//! vCenter's tasks: started by an operation, ended on the world's clock.

use howdah_core::ids::VmRef;

use crate::world::World;
use crate::world::clock::Span;
use crate::world::faults::Inner;
use crate::world::state::State;
use crate::world::vcenter::vctask::{VcFault, VcTask, VcTaskState};

type Done<T = ()> = Result<T, VcFault>;

/// As many ended tasks as vCenter remembers.
const REMEMBERED: usize = 10_000;

impl World {
    /// Starts a task on a VM that takes a power operation's time.
    pub(crate) fn vm_task(
        &self,
        vm: &VmRef,
        method: &'static str,
        work: impl FnOnce() -> Done + Send + 'static,
    ) -> Done<String> {
        let span = self.read(|s| s.settings.timings.power);
        self.task_taking(vm, method, span, true, move || work().map(|()| None))
    }

    /// Starts a task on a VM. `alone`: vCenter runs no other such task on the VM meanwhile.
    pub(super) fn task_taking(
        &self,
        vm: &VmRef,
        method: &'static str,
        span: Span,
        alone: bool,
        work: impl FnOnce() -> Done<Option<String>> + Send + 'static,
    ) -> Done<String> {
        let (key, name) = self.write(|s| {
            let found = s.vm(vm).ok_or_else(|| VcFault::not_found(vm.as_str()))?;
            let name = found.name.clone();
            if alone {
                s.begin_work(vm)?;
            }
            Ok((s.new_task(method, vm.as_str(), &name), name))
        })?;
        let (world, task, entity) = (self.clone(), key.clone(), vm.clone());
        let time = self.dice().span(span, method, &key);
        self.spawn(async move {
            world.write(|s| s.start_task(&task));
            world.sleep(time).await;
            let outcome = if world.write(|s| s.fails(Inner::Task, &name)) {
                Err(VcFault::new("GenericVmConfigFault", "A fault was injected here."))
            } else {
                work()
            };
            world.write(|s| {
                if alone {
                    s.end_work(&entity);
                }
                s.end_task(&task, outcome);
            });
        });
        Ok(key)
    }

    /// Ends when a task has ended, with what it made or why it failed.
    ///
    /// # Errors
    /// As the task.
    pub async fn task_end(&self, key: &str) -> Done<Option<String>> {
        self.wait_until(|s| s.vc.tasks.get(key).is_none_or(|t| t.state.is_final())).await;
        self.read(|s| match s.vc.tasks.get(key) {
            Some(VcTask { error: Some(fault), .. }) => Err(fault.clone()),
            Some(task) => Ok(task.result.clone()),
            None => Err(VcFault::not_found(key)),
        })
    }
}

impl State {
    /// A task begins to work on a VM.
    pub(crate) fn begin_work(&mut self, vm: &VmRef) -> Done {
        if self.vc.worked_on.insert(vm.clone()) { Ok(()) } else { Err(VcFault::task_in_progress(vm.as_str())) }
    }

    /// The task has ended.
    pub(crate) fn end_work(&mut self, vm: &VmRef) {
        self.vc.worked_on.remove(vm);
    }

    fn new_task(&mut self, method: &'static str, entity: &str, entity_name: &str) -> String {
        let key = self.vc.new_ref("task");
        let task = VcTask {
            key: key.clone(),
            method,
            entity: entity.to_owned(),
            entity_name: entity_name.to_owned(),
            state: VcTaskState::Queued,
            progress: None,
            error: None,
            result: None,
            queued: self.now,
            started: None,
            completed: None,
            revision: self.revision,
        };
        self.forget_old_tasks();
        self.vc.tasks.insert(key.clone(), task);
        key
    }

    fn start_task(&mut self, key: &str) {
        let (now, revision) = (self.now, self.revision);
        if let Some(task) = self.vc.tasks.get_mut(key) {
            task.state = VcTaskState::Running;
            task.started = Some(now);
            task.progress = Some(0);
            task.revision = revision;
        }
    }

    fn end_task(&mut self, key: &str, outcome: Done<Option<String>>) {
        let (now, revision) = (self.now, self.revision);
        let Some(task) = self.vc.tasks.get_mut(key) else {
            return;
        };
        task.completed = Some(now);
        task.progress = None;
        task.revision = revision;
        match outcome {
            Ok(result) => {
                task.state = VcTaskState::Success;
                task.result = result;
            }
            Err(fault) => {
                task.state = VcTaskState::Error;
                task.error = Some(fault);
            }
        }
    }

    /// Forgets those that ended first, once there are too many.
    fn forget_old_tasks(&mut self) {
        if self.vc.tasks.len() < 2 * REMEMBERED {
            return;
        }
        let mut ended: Vec<_> = self.vc.tasks.values().filter_map(|t| Some((t.completed?, t.key.clone()))).collect();
        ended.sort();
        for (_, key) in ended.into_iter().rev().skip(REMEMBERED) {
            self.vc.tasks.remove(&key);
        }
    }
}
