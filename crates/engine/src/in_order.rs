//! Streams read side by side and given in order.

use std::collections::VecDeque;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures::stream::{BoxStream, Stream, StreamExt};

/// How many items may wait for their turn, all streams together. Past that, those behind the first wait with what they have; the first never.
const HELD: usize = 10_000;

/// The items of streams, one stream after the other, while up to `limit` of them are read at once: those of the first go through, those of the
/// others wait for their turn.
pub(crate) struct InOrder<T> {
    /// `None` when there are no more.
    streams: Option<BoxStream<'static, BoxStream<'static, T>>>,
    begun: VecDeque<Begun<T>>,
    limit: usize,
    held: usize,
}

struct Begun<T> {
    /// `None` when it has ended.
    stream: Option<BoxStream<'static, T>>,
    items: VecDeque<T>,
}

impl<T> InOrder<T> {
    pub(crate) fn new(
        streams: impl Stream<Item = BoxStream<'static, T>> + Send + 'static,
        limit: usize,
    ) -> Self {
        InOrder {
            streams: Some(streams.boxed()),
            begun: VecDeque::new(),
            limit: limit.max(1),
            held: 0,
        }
    }

    /// Begins further streams, as many as may be read at once.
    fn begin(&mut self, context: &mut Context<'_>) {
        let mut running = self.begun.iter().filter(|it| it.stream.is_some()).count();
        while running < self.limit && self.begun.len() + self.held < HELD {
            let Some(streams) = &mut self.streams else {
                return;
            };
            match streams.poll_next_unpin(context) {
                Poll::Ready(Some(stream)) => {
                    running += 1;
                    self.begun.push_back(Begun {
                        stream: Some(stream),
                        items: VecDeque::new(),
                    });
                }
                Poll::Ready(None) => self.streams = None,
                Poll::Pending => return,
            }
        }
    }

    /// The next item of the first stream that has not ended.
    fn first(&mut self, context: &mut Context<'_>) -> Poll<Option<T>> {
        while let Some(first) = self.begun.front_mut() {
            if let Some(item) = first.items.pop_front() {
                self.held -= 1;
                return Poll::Ready(Some(item));
            }
            let next = match &mut first.stream {
                Some(stream) => stream.poll_next_unpin(context),
                None => Poll::Ready(None),
            };
            match next {
                Poll::Ready(None) => self.begun.pop_front(),
                found => return found,
            };
        }
        Poll::Ready(None)
    }

    /// Takes what the streams from this one on have. Says whether one of them has ended.
    fn hold(&mut self, from: usize, context: &mut Context<'_>) -> bool {
        let mut ended = false;
        for begun in self.begun.iter_mut().skip(from) {
            while let Some(stream) = &mut begun.stream
                && (begun.items.is_empty() || self.held < HELD)
            {
                match stream.poll_next_unpin(context) {
                    Poll::Ready(Some(item)) => {
                        begun.items.push_back(item);
                        self.held += 1;
                    }
                    Poll::Ready(None) => {
                        begun.stream = None;
                        ended = true;
                    }
                    Poll::Pending => break,
                }
            }
        }
        ended
    }
}

impl<T> Unpin for InOrder<T> {}

impl<T> Stream for InOrder<T> {
    type Item = T;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<T>> {
        let this = self.get_mut();
        loop {
            let before = this.begun.len();
            this.begin(context);
            let begun = this.begun.len();
            // Those that have just begun send their first requests, in order, before the first keeps anybody busy.
            let mut ended = this.hold(before, context);
            match this.first(context) {
                Poll::Ready(Some(item)) => return Poll::Ready(Some(item)),
                Poll::Ready(None) if this.streams.is_none() => return Poll::Ready(None),
                Poll::Ready(None) if begun == 0 => return Poll::Pending,
                Poll::Ready(None) | Poll::Pending => {}
            }
            ended |= this.begun.len() < begun;
            ended |= this.hold(1, context);
            // Where one has ended, another may begin.
            if !ended {
                return Poll::Pending;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use futures::stream;

    use super::*;

    async fn given(lengths: &[u64], limit: usize) -> Vec<u64> {
        let streams: Vec<BoxStream<'static, u64>> = lengths
            .iter()
            .enumerate()
            .map(|(n, length)| {
                let items = (0..*length).map(move |item| n as u64 * 100_000 + item);
                stream::iter(items)
                    .then(|item| async move {
                        if item % 7 == 3 {
                            tokio::task::yield_now().await;
                        }
                        item
                    })
                    .boxed()
            })
            .collect();
        InOrder::new(stream::iter(streams), limit).collect().await
    }

    #[tokio::test]
    async fn everything_comes_once_in_order_whatever_is_empty_and_however_long_it_is() {
        for lengths in [
            &[][..],
            &[0],
            &[0, 0, 3, 0],
            &[5, 1, 0, 9],
            &[1, 15_000, 15_000, 2],
        ] {
            for limit in [1, 2, 10] {
                let expected: Vec<u64> = lengths
                    .iter()
                    .enumerate()
                    .flat_map(|(n, length)| (0..*length).map(move |item| n as u64 * 100_000 + item))
                    .collect();
                assert_eq!(given(lengths, limit).await, expected, "{lengths:?} {limit}");
            }
        }
    }

    #[test]
    fn no_more_wait_than_may_while_the_first_gives_nothing() {
        let taken = std::sync::Arc::new(std::sync::atomic::AtomicUsize::new(0));
        let counted = taken.clone();
        let endless = stream::repeat_with(move || {
            let counted = counted.clone();
            stream::repeat_with(move || {
                counted.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            })
            .boxed()
        });
        let streams = stream::once(async { stream::pending().boxed() }).chain(endless);
        let mut all = InOrder::new(streams, 10);
        let mut context = Context::from_waker(std::task::Waker::noop());
        assert!(all.poll_next_unpin(&mut context).is_pending());
        assert!(all.poll_next_unpin(&mut context).is_pending());
        let taken = taken.load(std::sync::atomic::Ordering::Relaxed);
        assert!((HELD..HELD + 20).contains(&taken), "{taken}");
    }
}
