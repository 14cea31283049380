//! Jobs, their tasks, and subtasks.
//!
//! A job is one target in one run of a client; a task is one step of it, keyed by (job, job type); a subtask
//! is a piece of work within a task, keyed by (job, job type, subtask id). The client reports jobs, tasks and
//! its own subtasks; subtasks made here are work for this server: they wait in a queue table ([`queue`]) and
//! are done one after the other ([`worker`]), by whichever server on the database takes them first ([`lease`]).
//!
//! # States
//!
//! A state is begun (`STARTED`), under way, or final. It never goes back: what is under way does not become
//! `STARTED` again, and what is final stays as it is, whatever arrives late or twice. Late events are kept in the
//! history of the job all the same. A job without any sign of life for long is given up with all that is open in
//! it ([`sweeper`]), so that nothing runs for ever because a client or a server was killed.

pub(crate) mod lease;
pub(crate) mod outcome;
pub(crate) mod queue;
pub(crate) mod report;
pub(crate) mod sightings;
pub(crate) mod sweeper;
pub(crate) mod worker;

use async_graphql::Enum;

/// State of a job, task or subtask, spelled as on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(name = "JobStatus")]
pub(crate) enum Status {
    /// Begun.
    Started,
    /// At work.
    InProgress,
    /// The client fetches from the cloud.
    DataRetrieve,
    /// The client uploads.
    DataUpload,
    /// The server has accepted the work.
    Queued,
    /// The work is being done.
    DataProcessing,
    /// Done.
    Completed,
    /// Failed.
    Failed,
    /// Not executed.
    Skipped,
    /// Given up by the server.
    TimedOut,
}

impl Status {
    const ALL: [Self; 10] = [
        Self::Started,
        Self::InProgress,
        Self::DataRetrieve,
        Self::DataUpload,
        Self::Queued,
        Self::DataProcessing,
        Self::Completed,
        Self::Failed,
        Self::Skipped,
        Self::TimedOut,
    ];

    /// The word that is stored and sent.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Started => "STARTED",
            Self::InProgress => "IN_PROGRESS",
            Self::DataRetrieve => "DATA_RETRIEVE",
            Self::DataUpload => "DATA_UPLOAD",
            Self::Queued => "QUEUED",
            Self::DataProcessing => "DATA_PROCESSING",
            Self::Completed => "COMPLETED",
            Self::Failed => "FAILED",
            Self::Skipped => "SKIPPED",
            Self::TimedOut => "TIMED_OUT",
        }
    }

    /// Reads a stored word. A word from a newer version counts as failed, so that no client waits for ever.
    pub(crate) fn from_word(word: &str) -> Self {
        Self::ALL.into_iter().find(|status| status.word() == word).unwrap_or(Self::Failed)
    }
}

/// The words of the final states, as a list of SQL. Partial indexes of the schema contain the same text.
macro_rules! final_words {
    () => {
        "('COMPLETED', 'FAILED', 'SKIPPED', 'TIMED_OUT')"
    };
}
pub(crate) use final_words;

/// A list of texts as it is stored.
pub(crate) fn to_json<T: serde::Serialize>(value: &T) -> String {
    serde_json::to_string(value).unwrap_or_else(|_| "null".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_of_final_words_is_complete() {
        let words: Vec<String> = Status::ALL
            .into_iter()
            .filter(|status| {
                matches!(status, Status::Completed | Status::Failed | Status::Skipped | Status::TimedOut)
            })
            .map(|status| format!("'{}'", status.word()))
            .collect();
        assert_eq!(final_words!(), format!("({})", words.join(", ")));
    }
}
