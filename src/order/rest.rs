/// What is left to read of a text of ASCII forms. A reader that returns `None` did not find what it reads.
pub(super) struct Rest<'t>(&'t [u8]);

impl<'t> Rest<'t> {
    pub(super) fn of(text: &'t str) -> Self {
        Self(text.as_bytes())
    }

    pub(super) fn bytes(&self) -> &'t [u8] {
        self.0
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Passes over so many bytes; there must be so many.
    pub(super) fn skip(&mut self, bytes: usize) {
        self.0 = &self.0[bytes..];
    }

    /// How many bytes in a row match.
    pub(super) fn count(&self, matches: impl Fn(u8) -> bool) -> usize {
        self.0.iter().take_while(|&&byte| matches(byte)).count()
    }

    /// Whether `byte` is next; if so it is read.
    pub(super) fn take(&mut self, byte: u8) -> bool {
        let next = self.0.first() == Some(&byte);
        if next {
            self.skip(1);
        }
        next
    }

    /// Reads `byte`.
    pub(super) fn expect(&mut self, byte: u8) -> Option<()> {
        self.take(byte).then_some(())
    }

    /// A plus or a minus; `true` for a minus.
    pub(super) fn sign(&mut self) -> Option<bool> {
        let minus = self.take(b'-');
        (minus || self.take(b'+')).then_some(minus)
    }

    /// A number of exactly `digits` ASCII digits.
    pub(super) fn number(&mut self, digits: usize) -> Option<u32> {
        let value =
            self.0.get(..digits)?.iter().try_fold(0, |value, &byte| {
                byte.is_ascii_digit().then(|| value * 10 + u32::from(byte - b'0'))
            })?;
        self.skip(digits);
        Some(value)
    }

    /// Two digits, `largest` at most.
    pub(super) fn number_up_to(&mut self, largest: u8) -> Option<u8> {
        let value = u8::try_from(self.number(2)?).expect("two digits are less than 100");
        (value <= largest).then_some(value)
    }

    /// One digit or more; how many.
    pub(super) fn digits(&mut self) -> Option<usize> {
        let digits = self.count(|byte| byte.is_ascii_digit());
        self.skip(digits);
        (digits > 0).then_some(digits)
    }

    /// The digits after a point, in microseconds; further ones are cut.
    pub(super) fn fraction(&mut self) -> Option<u32> {
        let all = self.0;
        let digits = self.digits()?.min(6);
        let value = Self(all).number(digits).expect("so many digits were counted");
        Some((digits..6).fold(value, |value, _| value * 10))
    }
}
