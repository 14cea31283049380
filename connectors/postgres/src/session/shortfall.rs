//! Warnings by which the server says that a statement has done less than it was asked for.
//!
//! A GRANT of somebody who may not pass the privilege on succeeds, with a warning, if they have any other privilege on
//! the object. So does a REVOKE. Both are failures to whoever wanted it done.

use std::cell::RefCell;
use std::future::poll_fn;
use std::rc::Rc;
use std::task::Poll;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio_postgres::error::SqlState;
use tokio_postgres::{AsyncMessage, Connection};

use super::{Driver, Failure};

/// The last warning of a connection that is such a one.
#[derive(Clone, Default)]
pub(super) struct Shortfall(Rc<RefCell<Option<Failure>>>);

impl Shortfall {
    /// Takes it.
    pub(super) fn take(&self) -> Option<Failure> {
        self.0.borrow_mut().take()
    }

    /// Carries a connection to its end, and listens for the warnings on it.
    pub(super) fn carry<S, T>(&self, mut connection: Connection<S, T>) -> Driver
    where
        S: AsyncRead + AsyncWrite + Unpin + 'static,
        T: AsyncRead + AsyncWrite + Unpin + 'static,
    {
        let last = Rc::clone(&self.0);
        Box::pin(poll_fn(move |context| {
            loop {
                match connection.poll_message(context) {
                    Poll::Ready(Some(Ok(AsyncMessage::Notice(notice)))) => {
                        let short = [
                            SqlState::WARNING_PRIVILEGE_NOT_GRANTED,
                            SqlState::WARNING_PRIVILEGE_NOT_REVOKED,
                        ];
                        if short.contains(notice.code()) {
                            *last.borrow_mut() = Some(Failure::of_answer(&notice));
                        }
                    }
                    Poll::Ready(Some(Ok(_))) => {}
                    Poll::Ready(Some(Err(error))) => return Poll::Ready(Err(error)),
                    Poll::Ready(None) => return Poll::Ready(Ok(())),
                    Poll::Pending => return Poll::Pending,
                }
            }
        }))
    }
}
