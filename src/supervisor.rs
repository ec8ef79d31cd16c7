//! Tasks that are meant to run until weir stops, and what happens when one does not.
//!
//! A stage that ended by itself, or by a defect, would leave a weir that looks alive
//! and loses lines. Instead the whole of it stops, says why, and its supervisor
//! starts it anew.

use std::future::Future;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// Starts tasks and notices when one ends before its time.
#[derive(Clone, Debug, Default)]
pub struct Supervisor {
    stopping: CancellationToken,
    failed: CancellationToken,
}

impl Supervisor {
    /// Starts a task that runs until weir stops.
    pub fn spawn(
        &self,
        name: &'static str,
        task: impl Future<Output = ()> + Send + 'static,
    ) -> JoinHandle<()> {
        let watch = Watch {
            name,
            supervisor: self.clone(),
        };
        tokio::spawn(async move {
            // Dropped when the task ends, also by a panic.
            let _watch = watch;
            task.await;
        })
    }

    /// From here on tasks may end.
    pub fn stop(&self) {
        self.stopping.cancel();
    }

    /// Cancelled by [`stop`](Self::stop): for inputs, which end then.
    pub fn stopping(&self) -> &CancellationToken {
        &self.stopping
    }

    /// Waits until a task has ended before its time.
    pub async fn failed(&self) {
        self.failed.cancelled().await;
    }
}

struct Watch {
    name: &'static str,
    supervisor: Supervisor,
}

impl Drop for Watch {
    fn drop(&mut self) {
        if !self.supervisor.stopping.is_cancelled() {
            tracing::error!(part = self.name, "a part of weir has ended by itself");
            self.supervisor.failed.cancel();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_task_that_panics_or_ends_early_is_noticed() {
        let panics = Supervisor::default();
        let task = panics.spawn("panics", async { panic!("on purpose") });
        panics.failed().await;
        assert!(task.await.is_err());

        let ends = Supervisor::default();
        ends.spawn("ends", async {});
        ends.failed().await;
    }

    #[tokio::test]
    async fn a_task_that_ends_when_told_is_fine() {
        let supervisor = Supervisor::default();
        let stopping = supervisor.stopping().clone();
        let task = supervisor.spawn("waits", async move { stopping.cancelled().await });
        supervisor.stop();
        task.await.unwrap();
        assert!(!supervisor.failed.is_cancelled());
    }
}
