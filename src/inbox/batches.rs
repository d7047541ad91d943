use std::collections::VecDeque;

use tokio::sync::mpsc;

/// Something whose size counts towards a batch.
pub trait Weighed {
    /// Bytes of payload.
    fn bytes(&self) -> usize;
}

/// The receiving end of a queue, read in batches: a batch is whatever waits, cut by rows and bytes. It never lingers for more.
#[derive(Debug)]
pub struct Batches<T> {
    queue: mpsc::Receiver<T>,
    waiting: VecDeque<T>,
    rows: usize,
    bytes: usize,
}

impl<T: Weighed> Batches<T> {
    /// Batches of at most `rows` and about `bytes`; one larger than that is a batch of its own.
    #[must_use]
    pub fn new(queue: mpsc::Receiver<T>, rows: usize, bytes: usize) -> Self {
        Self { queue, waiting: VecDeque::new(), rows, bytes }
    }

    /// The next batch, or `None` when the queue is closed and empty. Cancel safe.
    pub async fn next(&mut self) -> Option<Vec<T>> {
        if self.waiting.is_empty() {
            self.waiting.push_back(self.queue.recv().await?);
        }
        self.gather();
        Some(self.cut())
    }

    /// Puts items back at the front, in their order.
    pub fn put_back(&mut self, items: Vec<T>) {
        for item in items.into_iter().rev() {
            self.waiting.push_front(item);
        }
    }

    /// Everything that waits now.
    pub fn take_all(&mut self) -> Vec<T> {
        while let Ok(item) = self.queue.try_recv() {
            self.waiting.push_back(item);
        }
        self.waiting.drain(..).collect()
    }

    /// Takes no more; what waits already still comes.
    pub fn close(&mut self) {
        self.queue.close();
    }

    fn gather(&mut self) {
        while self.waiting.len() < self.rows {
            match self.queue.try_recv() {
                Ok(item) => self.waiting.push_back(item),
                Err(_) => break,
            }
        }
    }

    fn cut(&mut self) -> Vec<T> {
        let mut bytes = 0;
        let fitting = self
            .waiting
            .iter()
            .take(self.rows)
            .take_while(|item| {
                bytes += item.bytes();
                bytes <= self.bytes
            })
            .count()
            .max(1);
        self.waiting.drain(..fitting.min(self.waiting.len())).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    impl Weighed for usize {
        fn bytes(&self) -> usize {
            *self
        }
    }

    fn batches(items: &[usize], rows: usize, bytes: usize) -> Batches<usize> {
        let (sender, queue) = mpsc::channel(100);
        for item in items {
            sender.try_send(*item).expect("room in the test queue");
        }
        Batches::new(queue, rows, bytes)
    }

    #[tokio::test]
    async fn a_batch_is_cut_by_rows_and_by_bytes_and_nothing_is_skipped() {
        let mut batches = batches(&[1, 2, 3, 4, 50, 5], 3, 10);
        assert_eq!(batches.next().await, Some(vec![1, 2, 3]));
        assert_eq!(batches.next().await, Some(vec![4]));
        assert_eq!(batches.next().await, Some(vec![50]), "one larger than the limit goes alone");
        assert_eq!(batches.next().await, Some(vec![5]));
        assert_eq!(batches.next().await, None);
    }

    #[tokio::test]
    async fn what_is_put_back_comes_first_in_its_order() {
        let mut batches = batches(&[1, 2, 3], 2, 100);
        let first = batches.next().await.expect("two items");
        batches.put_back(first);
        assert_eq!(batches.take_all(), [1, 2, 3]);
    }
}
