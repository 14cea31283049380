//! Says to whoever works that it is time to end.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

/// Raises an [`Interrupt`], once and for all.
#[derive(Debug)]
pub struct Interrupter(watch::Sender<bool>);

/// Waits for an interrupt. Clones hear the same one.
#[derive(Debug, Clone)]
pub struct Interrupt {
    raised: watch::Receiver<bool>,
    /// Keeps an interrupt that nobody raises from looking like one.
    _alive: Option<Arc<watch::Sender<bool>>>,
}

/// An interrupt and what raises it.
pub fn interrupt() -> (Interrupter, Interrupt) {
    let (sender, raised) = watch::channel(false);
    (Interrupter(sender), Interrupt { raised, _alive: None })
}

impl Interrupter {
    /// Tells everybody who waits.
    pub fn raise(&self) {
        self.0.send_replace(true);
    }
}

impl Interrupt {
    /// One that never comes.
    pub fn never() -> Self {
        let (sender, raised) = watch::channel(false);
        Interrupt { raised, _alive: Some(Arc::new(sender)) }
    }

    /// Whether it has come.
    pub fn is_raised(&self) -> bool {
        *self.raised.borrow()
    }

    /// Waits for it.
    pub async fn raised(&self) {
        let mut raised = self.raised.clone();
        if raised.wait_for(|raised| *raised).await.is_err() {
            // Whoever could raise it has gone: it will not come any more.
            std::future::pending::<()>().await;
        }
    }

    /// The outcome of some work, or nothing if the interrupt comes first; the work is dropped then.
    pub async fn or<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        self.or_after(Duration::ZERO, work).await
    }

    /// Likewise, but the work has a while to end after the interrupt.
    pub async fn or_after<T>(&self, grace: Duration, work: impl Future<Output = T>) -> Option<T> {
        let over = async {
            self.raised().await;
            tokio::time::sleep(grace).await;
        };
        tokio::select! {
            outcome = work => Some(outcome),
            () = over => None,
        }
    }
}
