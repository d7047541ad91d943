use std::fmt::Write as _;

use super::{
    date,
    json::{Edit, Escaping, Layout, Value, Writer},
    rng::Rng,
    words::{self, Country},
};

/// An order of more items is written without indentation and escapes that could be done without, so that
/// [`MAX_ITEMS`](super::MAX_ITEMS) of them stay below 256 KiB.
const LARGE: usize = 50;

/// 2021-01-01 and 2025-12-31, Unix seconds.
const DATES: (i64, i64) = (1_609_459_200, 1_767_139_200);

/// What is decided before the first byte is written.
#[derive(Debug)]
pub(super) struct Order<'a> {
    pub(super) uid: &'a str,
    pub(super) items: usize,
}

/// A line of the order. Prices are whole units of the order's currency.
#[derive(Debug, Clone, Copy)]
struct Item {
    price: i64,
    /// Percent, 0 to 90.
    sale: i64,
}

impl Item {
    fn draw(rng: &mut Rng) -> Self {
        let price = match rng.below(20) {
            0 => 0,
            1..=14 => rng.between(49, 3_000),
            15..=18 => rng.between(3_000, 30_000),
            _ => rng.between(30_000, 900_000),
        };
        Self { price, sale: rng.pick(&[0, 0, 0, 5, 10, 15, 30, 30, 50, 75, 90]) }
    }

    /// The price less the sale, rounded down.
    fn total(self) -> i64 {
        self.price * (100 - self.sale) / 100
    }
}

/// How many items an order has, when nothing else is asked for: mostly one, with a heavy tail.
pub(super) fn draw_items(rng: &mut Rng) -> usize {
    let (least, most) = match rng.below(1000) {
        0..=599 => (1, 1),
        600..=849 => (2, 4),
        850..=969 => (5, 15),
        970..=996 => (16, 60),
        _ => (61, 200),
    };
    rng.between(least, most) as usize
}

/// Writes a sound order, save for what the edits do to it.
pub(super) fn write(rng: &mut Rng, order: &Order<'_>, edits: &[Edit]) -> Vec<u8> {
    let plain = order.items > LARGE;
    let layout = match rng.below(8) {
        _ if plain => Layout::Compact,
        0..=3 => Layout::Compact,
        4 => Layout::Spaced,
        5 => Layout::Indented("    "),
        6 => Layout::Indented("\t"),
        _ => Layout::Indented("  "),
    };
    let escaping = match rng.below(8) {
        _ if plain => Escaping::Least,
        0 => Escaping::Ascii,
        1 => Escaping::Slashes,
        2 => Escaping::Html,
        _ => Escaping::Least,
    };
    let country = &words::COUNTRIES[rng.below(words::COUNTRIES.len() as u64) as usize];
    let sparse = rng.one_in(8);
    let json = Writer::new(layout, escaping, edits);
    Draft { json, rng, sparse, country, text: String::new() }.write(order)
}

struct Draft<'a, 'e> {
    json: Writer<'e>,
    rng: &'a mut Rng,
    /// Optional fields are left out or null, here and there.
    sparse: bool,
    country: &'static Country,
    /// Scratch space for a text that is put together.
    text: String,
}

impl Draft<'_, '_> {
    fn write(mut self, order: &Order<'_>) -> Vec<u8> {
        let created = self.rng.between(DATES.0, DATES.1);
        let mut track = String::from("WBIL");
        for _ in 0..10 {
            track.push(char::from(self.rng.pick(b"ABCDEFGHJKLMNPRSTUVWXYZ23456789")));
        }
        let items: Vec<Item> = (0..order.items).map(|_| Item::draw(self.rng)).collect();

        self.json.open_element();
        self.json.member("/order_uid", Value::Text(order.uid));
        self.json.member("/track_number", Value::Text(&track));
        self.optional("/entry", Value::Text("WBIL"));
        // Half of the publishers put the large parts last
        let parts_last = self.rng.one_in(2);
        if !parts_last {
            self.parts(order, &track, created, &items);
        }
        self.rest(created);
        if parts_last {
            self.parts(order, &track, created, &items);
        }
        self.json.close(b'}');
        self.json.finish()
    }

    fn parts(&mut self, order: &Order<'_>, track: &str, created: i64, items: &[Item]) {
        self.delivery();
        self.payment(order, created, items);
        self.items(track, items);
    }

    fn rest(&mut self, created: i64) {
        self.optional("/locale", Value::Text(self.country.locale));
        self.text.clear();
        if self.rng.one_in(64) {
            let digits = self.rng.between(16, 128);
            self.text_of(|text, rng| (0..digits).try_for_each(|_| write!(text, "{:016x}", rng.next())));
        }
        self.optional_text("/internal_signature");
        self.text_of(|text, rng| write!(text, "customer-{}", rng.below(1_000_000)));
        self.optional_text("/customer_id");
        let service = self.rng.pick(words::SERVICES);
        self.optional("/delivery_service", Value::Text(service));
        self.number_as_text("/shardkey", 10);
        let sm_id = self.rng.between(0, 999);
        self.optional("/sm_id", Value::Integer(sm_id));
        let date = date::write(self.rng, created);
        self.optional("/date_created", Value::Text(&date));
        self.number_as_text("/oof_shard", 3);
        if self.rng.one_in(16) {
            self.json.member("/version", Value::Literal("2.0"));
            let unknown = r#"{"channel":"app","tags":["new",null,true,{}],"limits":[1e300,-0.0,12345678901234567890123]}"#;
            self.json.member("/meta", Value::Literal(unknown));
        }
    }

    fn delivery(&mut self) {
        if !self.json.open_member("/delivery", b'{') {
            return;
        }
        let country = self.country;
        let name = self.rng.pick(country.names);
        self.optional("/delivery/name", Value::Text(name));
        self.text_of(|text, rng| write!(text, "{}000{:07}", country.phone, rng.below(10_000_000)));
        self.optional_text("/delivery/phone");
        let zip = self.rng.between(10_i64.pow(country.zip_digits - 1), 10_i64.pow(country.zip_digits) - 1);
        self.text_of(|text, _| write!(text, "{zip}"));
        if self.rng.one_in(16) {
            self.optional("/delivery/zip", Value::Integer(zip));
        } else {
            self.optional_text("/delivery/zip");
        }
        let (city, region) = self.rng.pick(country.cities);
        self.optional("/delivery/city", Value::Text(city));
        self.text_of(|text, rng| {
            let (street, house) = (rng.pick(country.streets), rng.between(1, 199));
            write!(text, "{street} {house}{}", rng.pick(words::LETTERS))
        });
        self.optional_text("/delivery/address");
        self.optional("/delivery/region", Value::Text(region));
        self.text_of(|text, rng| {
            write!(
                text,
                "{}.{}@example.{}",
                country.locale,
                rng.below(100_000),
                rng.pick(&["com", "org", "net"])
            )
        });
        self.optional_text("/delivery/email");
        if self.rng.one_in(32) {
            self.json.member("/delivery/comment", Value::Text("Позвоните за час 🛎\nкод 1#2"));
        }
        self.json.close(b'}');
    }

    fn payment(&mut self, order: &Order<'_>, created: i64, items: &[Item]) {
        if !self.json.open_member("/payment", b'{') {
            return;
        }
        let goods_total: i64 = items.iter().map(|item| item.total()).sum();
        let delivery_cost = self.rng.pick(&[0, 0, 149, 299, 500, 1500]);
        let custom_fee = if self.rng.one_in(8) { self.rng.between(1, 2_000) } else { 0 };
        let paid = created - self.rng.between(0, 600);
        self.optional("/payment/transaction", Value::Text(order.uid));
        self.text.clear();
        if self.rng.one_in(4) {
            self.text_of(|text, rng| write!(text, "req-{:08x}", rng.next() >> 32));
        }
        self.optional_text("/payment/request_id");
        let currency = if self.rng.one_in(8) { "USD" } else { self.country.currency };
        self.optional("/payment/currency", Value::Text(currency));
        let (provider, bank) = (self.rng.pick(words::PROVIDERS), self.rng.pick(words::BANKS));
        self.optional("/payment/provider", Value::Text(provider));
        self.optional("/payment/amount", Value::Integer(goods_total + delivery_cost + custom_fee));
        self.optional("/payment/payment_dt", Value::Integer(paid));
        self.optional("/payment/bank", Value::Text(bank));
        self.optional("/payment/delivery_cost", Value::Integer(delivery_cost));
        self.optional("/payment/goods_total", Value::Integer(goods_total));
        self.optional("/payment/custom_fee", Value::Integer(custom_fee));
        self.json.close(b'}');
    }

    fn items(&mut self, track: &str, items: &[Item]) {
        if !self.json.open_member("/items", b'[') {
            return;
        }
        let mut edits = None;
        for item in items {
            self.item(track, *item);
            // The edits mean the first item only
            edits.get_or_insert_with(|| self.json.swap_edits(&[]));
        }
        if let Some(edits) = edits {
            self.json.swap_edits(edits);
        }
        self.json.close(b']');
    }

    fn item(&mut self, track: &str, item: Item) {
        self.json.open_element();
        // Some shops number beyond what a double can hold
        let chrt_id = if self.rng.one_in(64) {
            i64::MAX - self.rng.between(0, 999)
        } else {
            self.rng.between(1, 99_999_999)
        };
        self.optional("/items/0/chrt_id", Value::Integer(chrt_id));
        self.optional("/items/0/track_number", Value::Text(track));
        let with_fraction = self.rng.one_in(32);
        if with_fraction {
            self.text_of(|text, _| write!(text, "{}.00", item.price));
        } else {
            self.text_of(|text, _| write!(text, "{}", item.price));
        }
        self.optional_literal("/items/0/price");
        self.text_of(|text, rng| write!(text, "{:016x}{:01x}test", rng.next(), rng.below(16)));
        self.optional_text("/items/0/rid");
        let (name, brand) = self.rng.pick(words::GOODS);
        self.optional("/items/0/name", Value::Text(name));
        self.optional("/items/0/sale", Value::Integer(item.sale));
        if self.rng.one_in(16) {
            let size = self.rng.between(36, 56);
            self.optional("/items/0/size", Value::Integer(size));
        } else {
            let size = self.rng.pick(words::SIZES);
            self.optional("/items/0/size", Value::Text(size));
        }
        if with_fraction {
            self.text_of(|text, _| write!(text, "{}.0", item.total()));
        } else {
            self.text_of(|text, _| write!(text, "{}", item.total()));
        }
        self.optional_literal("/items/0/total_price");
        let nm_id = self.rng.between(100_000, 999_999_999);
        self.optional("/items/0/nm_id", Value::Integer(nm_id));
        self.optional("/items/0/brand", Value::Text(brand));
        let status = self.rng.pick(words::STATUSES);
        self.optional("/items/0/status", Value::Integer(status));
        self.json.close(b'}');
    }

    /// A text that is a number, or now and then the number itself.
    fn number_as_text(&mut self, at: &'static str, below: u64) {
        let number = self.rng.below(below) as i64;
        self.text_of(|text, _| write!(text, "{number}"));
        if self.rng.one_in(16) { self.optional_literal(at) } else { self.optional_text(at) }
    }

    fn text_of(&mut self, put: impl FnOnce(&mut String, &mut Rng) -> std::fmt::Result) {
        self.text.clear();
        put(&mut self.text, self.rng).expect("a String takes every character");
    }

    fn optional_text(&mut self, at: &'static str) {
        let text = std::mem::take(&mut self.text);
        self.optional(at, Value::Text(&text));
        self.text = text;
    }

    fn optional_literal(&mut self, at: &'static str) {
        let text = std::mem::take(&mut self.text);
        self.optional(at, Value::Literal(&text));
        self.text = text;
    }

    /// Writes an optional member; a sparse order leaves one in eight out, and one in eight is null.
    fn optional(&mut self, at: &'static str, value: Value<'_>) {
        let fate = if self.sparse && !self.json.is_edited(at) { self.rng.below(8) } else { 7 };
        match fate {
            0 => {}
            1 => self.json.member(at, Value::Null),
            _ => self.json.member(at, value),
        }
    }
}
