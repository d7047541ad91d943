//! What is asked for, and what to ask for next.

use crate::inbox::Inbox;

/// What the server says of a message that is larger than the bytes that were asked for.
pub(super) const TOO_LARGE: &str = "Message Size Exceeds MaxBytes";

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Request {
    pub(super) messages: usize,
    /// 0 for any.
    pub(super) max_bytes: usize,
}

/// The requests of one session.
#[derive(Debug)]
pub(super) struct Requests {
    /// The most messages to ask for at a time.
    batch: usize,
    /// The most bytes that the consumer lets a request ask for; `usize::MAX` for any.
    limit: usize,
    /// Messages that were asked for and have not come.
    asked: usize,
    /// What was asked for last.
    last: Request,
    /// The next message was larger than what was asked for, and the server ends all requests that wait because of one such. Nothing
    /// is asked for until they have ended or a message comes: so the request after them is the only one, and what becomes of it
    /// tells of the message.
    draining: bool,
    /// The next message is larger than what was asked for last, so it is asked for alone, and when there is room for this many
    /// bytes: its length is not known, so twice as many each time.
    alone: Option<usize>,
    /// The longest message that there was no room for when it came: the next one alone waits for room for that.
    longest_refused: usize,
}

impl Requests {
    /// `limit` is the most bytes that the consumer lets a request ask for, 0 for any.
    pub(super) fn new(batch: usize, limit: usize) -> Self {
        Self {
            batch,
            limit: if limit == 0 { usize::MAX } else { limit },
            asked: 0,
            last: Request::default(),
            draining: false,
            alone: None,
            longest_refused: 0,
        }
    }

    /// What to ask for now, if anything: more when half of a batch has come. Waits for room where there is none at all.
    pub(super) async fn next(&self, inbox: &Inbox) -> Option<Request> {
        if self.are_enough() {
            return None;
        }
        if let Some(length) = self.alone {
            // Whatever holds the room is settled in the end; once nothing does, any size is let in.
            let fits = inbox.until_room_for(self.room_alone(length)).await;
            return Some(Request { messages: 1, max_bytes: fits.map_or(0, |fits| fits.min(self.limit)) });
        }
        if self.asked == 0 {
            inbox.until_room().await;
        }
        let room = inbox.room();
        let messages = room.messages.max(1).min(self.batch - self.asked);
        // Many small requests would cost more than a moment's wait for a larger one.
        let worth_it = self.asked == 0 || messages >= self.batch / 4;
        worth_it.then(|| Request { messages, max_bytes: room.bytes.clamp(1, self.limit) })
    }

    fn are_enough(&self) -> bool {
        let one_at_a_time = self.draining || self.alone.is_some();
        self.asked > if one_at_a_time { 0 } else { self.batch / 2 }
    }

    /// How much room to wait for when a message is asked for alone. One that is larger than the consumer lets a request ask for
    /// can only be asked for without a bound: when nothing is held.
    fn room_alone(&self, length: usize) -> usize {
        let room = length.max(self.longest_refused);
        if room > self.limit { usize::MAX } else { room }
    }

    pub(super) fn went_out(&mut self, request: Request) {
        if self.alone.is_some() {
            self.longest_refused = 0;
        }
        (self.asked, self.last, self.draining) = (self.asked + request.messages, request, false);
    }

    /// A message has come: so another one is the next.
    pub(super) fn came(&mut self) {
        (self.asked, self.alone, self.draining) = (self.asked.saturating_sub(1), None, false);
    }

    /// There was no room for a message of this length.
    pub(super) fn refused(&mut self, length: usize) {
        self.longest_refused = self.longest_refused.max(length);
    }

    /// A request has ended before so many of its messages were there; `None` where it is not said.
    pub(super) fn ended(&mut self, says: &str, pending: Option<usize>) {
        let pending = pending.unwrap_or(self.asked);
        // One that brought other messages before has only used its bytes up.
        let nothing_came = pending == self.last.messages && pending == self.asked;
        let too_large = says == TOO_LARGE;
        self.draining |= too_large;
        self.alone = (too_large && nothing_came).then(|| self.last.max_bytes.saturating_mul(2));
        self.asked = self.asked.saturating_sub(pending);
    }

    /// Nothing that was asked for will come.
    pub(super) fn are_lost(&mut self) {
        self.asked = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const REQUEST: Request = Request { messages: 10, max_bytes: 1000 };

    fn asked() -> Requests {
        let mut requests = Requests::new(20, 0);
        requests.went_out(REQUEST);
        requests
    }

    #[test]
    fn a_message_is_asked_for_alone_only_when_a_request_ended_because_of_it() {
        let mut requests = asked();
        requests.ended(TOO_LARGE, Some(10));
        assert_eq!((requests.alone, requests.asked), (Some(2000), 0));
        let mut requests = asked();
        (0..6).for_each(|_| requests.came());
        requests.ended(TOO_LARGE, Some(4));
        assert_eq!(requests.alone, None, "six have come: their bytes are used up");
        let mut requests = asked();
        requests.ended("Batch Completed", Some(10));
        assert_eq!((requests.alone, requests.are_enough()), (None, false));
    }

    #[test]
    fn a_message_that_ends_two_requests_at_once_is_asked_for_alone_in_the_end() {
        let mut requests = asked();
        requests.came();
        requests.went_out(REQUEST);
        requests.ended(TOO_LARGE, Some(9));
        assert!(requests.are_enough(), "a third request would be ended as well, and so on");
        requests.ended(TOO_LARGE, Some(10));
        assert!(!requests.are_enough());
        if requests.alone.is_none() {
            requests.went_out(REQUEST);
            requests.ended(TOO_LARGE, Some(10));
        }
        assert_eq!((requests.alone, requests.asked), (Some(2000), 0));
    }

    #[test]
    fn a_request_that_has_used_its_bytes_up_holds_the_next_one_up_only_until_another_message_comes() {
        let mut requests = asked();
        (0..5).for_each(|_| requests.came());
        requests.went_out(REQUEST);
        requests.ended(TOO_LARGE, Some(5));
        assert!(requests.are_enough());
        requests.came();
        assert!(!requests.are_enough());
    }

    #[test]
    fn the_room_for_a_message_that_was_refused_is_waited_for_once() {
        let mut requests = asked();
        requests.refused(5000);
        assert_eq!(requests.room_alone(2000), 5000);
        requests.ended(TOO_LARGE, Some(10));
        requests.went_out(Request { messages: 1, max_bytes: 5000 });
        requests.came();
        assert_eq!(requests.room_alone(2000), 2000);
    }

    #[test]
    fn a_message_that_is_larger_than_the_consumer_lets_be_asked_for_waits_until_nothing_is_held() {
        let requests = Requests::new(20, 1000);
        assert_eq!((requests.room_alone(900), requests.room_alone(1001)), (900, usize::MAX));
    }
}
