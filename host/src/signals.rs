//! The signals that end the program, and what each means.
//!
//! | signal | one run | continuous mode |
//! |---|---|---|
//! | SIGINT | ends at once, 130 | the run at hand finishes, 130; at the second signal at once |
//! | SIGTERM | ends at once, 143 | the run at hand finishes, 0; at the second signal at once, 143 |
//! | SIGUSR1 | nothing | the run at hand finishes, 10: a container's runner starts a newer version then |

/// A signal that was received.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// Somebody interrupts.
    Interrupted,
    /// A service manager ends the program.
    Terminated,
    /// A newer version is to take over.
    Replaced,
}

impl Ending {
    /// The exit code of a program that did not finish what it was doing.
    pub fn at_once(self) -> u8 {
        match self {
            Ending::Interrupted => 130,
            Ending::Terminated => 143,
            Ending::Replaced => 10,
        }
    }

    /// The exit code of a program that did.
    pub fn finished(self) -> u8 {
        match self {
            // Whoever stops a service wants it stopped, and it has.
            Ending::Terminated => 0,
            Ending::Interrupted | Ending::Replaced => self.at_once(),
        }
    }
}

/// Listens for signals from its making on, so that none gets its usual effect any more.
#[derive(Debug)]
pub struct Signals {
    #[cfg(unix)]
    unix: [tokio::signal::unix::Signal; 3],
}

impl Signals {
    /// Begins to listen.
    ///
    /// # Errors
    /// The system does not allow it.
    pub fn listen() -> std::io::Result<Self> {
        #[cfg(unix)]
        {
            use tokio::signal::unix::{SignalKind, signal};
            let unix = [
                signal(SignalKind::interrupt())?,
                signal(SignalKind::terminate())?,
                signal(SignalKind::user_defined1())?,
            ];
            Ok(Signals { unix })
        }
        #[cfg(not(unix))]
        Ok(Signals {})
    }

    /// Waits for the next one.
    pub async fn next(&mut self) -> Ending {
        #[cfg(unix)]
        {
            let [interrupt, terminate, user1] = &mut self.unix;
            tokio::select! {
                _ = interrupt.recv() => Ending::Interrupted,
                _ = terminate.recv() => Ending::Terminated,
                _ = user1.recv() => Ending::Replaced,
            }
        }
        #[cfg(not(unix))]
        {
            let _ = tokio::signal::ctrl_c().await;
            Ending::Interrupted
        }
    }

    /// Waits for the next one that ends a single run.
    pub async fn next_of_one_run(&mut self) -> Ending {
        loop {
            match self.next().await {
                Ending::Replaced => tracing::debug!("SIGUSR1 has no meaning for a single run"),
                ending => return ending,
            }
        }
    }
}
