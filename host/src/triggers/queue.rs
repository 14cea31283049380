//! What is to be done next.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use tokio::sync::Notify;

use crate::cloud_client::TriggerEvent;

/// Most events that wait.
const MOST: usize = 256;

/// Events that wait for their run, in the order of their arrival.
#[derive(Debug, Default)]
pub struct Queue {
    waiting: Mutex<VecDeque<TriggerEvent>>,
    bell: Notify,
}

impl Queue {
    /// Adds an event, as far as the same does not wait already. False if there is no more room.
    pub fn push(&self, event: TriggerEvent) -> bool {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        match event {
            TriggerEvent::AccessUpdate(mut sources) => {
                sources.retain(|source| !source.is_empty());
                // One run does for all data sources that wait.
                let known = waiting.iter_mut().find_map(|event| match event {
                    TriggerEvent::AccessUpdate(known) => Some(known),
                    TriggerEvent::Sync(_) => None,
                });
                if let Some(known) = known {
                    for source in sources {
                        if !known.contains(&source) {
                            known.push(source);
                        }
                    }
                    return true;
                }
                sources.sort_unstable();
                sources.dedup();
                if sources.is_empty() {
                    return true;
                }
                if waiting.len() >= MOST {
                    return false;
                }
                waiting.push_back(TriggerEvent::AccessUpdate(sources));
            }
            TriggerEvent::Sync(trigger) => {
                let event = TriggerEvent::Sync(trigger);
                if waiting.contains(&event) {
                    return true;
                }
                if waiting.len() >= MOST {
                    return false;
                }
                waiting.push_back(event);
            }
        }
        self.bell.notify_one();
        true
    }

    /// Waits for the next event.
    pub async fn next(&self) -> TriggerEvent {
        loop {
            if let Some(event) = self.waiting.lock().unwrap_or_else(PoisonError::into_inner).pop_front() {
                return event;
            }
            self.bell.notified().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cloud_client::SyncTrigger;

    fn access(sources: &[&str]) -> TriggerEvent {
        TriggerEvent::AccessUpdate(sources.iter().map(|source| (*source).to_owned()).collect())
    }

    fn sync(source: &str, access_sync: bool) -> TriggerEvent {
        let data_source = Some(source.to_owned());
        TriggerEvent::Sync(SyncTrigger { data_source, access_sync, ..SyncTrigger::default() })
    }

    #[tokio::test]
    async fn what_waits_is_not_added_again() {
        let queue = Queue::default();
        for event in [
            access(&["b", "a", "b", ""]),
            sync("a", true),
            access(&["a", "c"]),
            sync("a", true),
            sync("a", false),
            access(&[]),
            access(&["c"]),
        ] {
            assert!(queue.push(event));
        }
        assert_eq!(queue.next().await, access(&["a", "b", "c"]));
        // What runs does not wait any more: it may have read already what has changed now.
        assert!(queue.push(access(&["a"])));
        assert_eq!(queue.next().await, sync("a", true));
        assert_eq!(queue.next().await, sync("a", false));
        assert_eq!(queue.next().await, access(&["a"]));
        assert!(queue.push(access(&[])) && queue.push(access(&[""])));
        assert!(queue.waiting.lock().is_ok_and(|waiting| waiting.is_empty()));
    }

    #[test]
    fn there_is_an_end_to_waiting() {
        let queue = Queue::default();
        for at in 0..MOST {
            assert!(queue.push(sync(&at.to_string(), true)));
        }
        assert!(!queue.push(sync("one more", true)));
        assert!(queue.push(sync("3", true)), "it waits already");
    }
}
