//! [`Stream`] for futures written for tokio, and the loop that drives them.
//!
//! There is one thread and no reactor. A stream that is not ready registers what it waits for; the loop polls the
//! future as long as it is woken, and otherwise blocks in the host until one of the registered streams is
//! ready.

use std::cell::RefCell;
use std::future::Future;
use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use wasip2::io::poll::{self, Pollable};

use super::Stream;

thread_local! {
    /// What futures of this thread wait for, with the wakers to call when it is ready.
    static WAITING: RefCell<Vec<(Pollable, Waker)>> = const { RefCell::new(Vec::new()) };
}

/// Runs a future to its end. It may wait for [`Stream`]s only: a future that waits for anything else while no
/// stream is waited for can never go on, which is reported as an error.
///
/// # Errors
/// If the future waits for something that cannot happen.
pub fn block_on<F: Future>(future: F) -> io::Result<F::Output> {
    struct Flag(AtomicBool);
    impl Wake for Flag {
        fn wake(self: Arc<Self>) {
            self.0.store(true, Ordering::Relaxed);
        }
    }

    let woken = Arc::new(Flag(AtomicBool::new(false)));
    let waker = Waker::from(Arc::clone(&woken));
    let mut future = pin!(future);
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut Context::from_waker(&waker)) {
            WAITING.take();
            return Ok(output);
        }
        if woken.0.swap(false, Ordering::Relaxed) {
            continue;
        }
        let waiting = WAITING.take();
        if waiting.is_empty() {
            return Err(io::Error::other("the future waits for something that no stream delivers"));
        }
        poll::poll(&waiting.iter().map(|(pollable, _)| pollable).collect::<Vec<_>>());
        for (_, waker) in waiting {
            waker.wake();
        }
        woken.0.store(false, Ordering::Relaxed);
    }
}

fn wait_for(pollable: Pollable, context: &Context<'_>) {
    WAITING.with_borrow_mut(|waiting| waiting.push((pollable, context.waker().clone())));
}

impl AsyncRead for Stream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if let Some(count) = self.read_ready(buffer.initialize_unfilled())? {
            buffer.advance(count);
            return Poll::Ready(Ok(()));
        }
        wait_for(self.input.subscribe(), context);
        Poll::Pending
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &[u8],
    ) -> Poll<io::Result<usize>> {
        if let Some(count) = self.write_ready(buffer)? {
            return Poll::Ready(Ok(count));
        }
        wait_for(self.output.subscribe(), context);
        Poll::Pending
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        // The host sends what it has taken without being asked to.
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
