use orderbox::{
    order::{Verdict, validate},
    store::{Decision, Outcome, Settlement},
};

use super::{
    Bench,
    fixture::{message, recorded},
    rules,
};

rules!(a_price_that_validation_accepts_is_stored_however_it_is_written);

/// Literals, and their values as a plain decimal.
fn prices() -> Vec<(String, &'static str)> {
    let zeros = "0".repeat(100_000);
    [
        ("0", "0"),
        ("-0", "0"),
        ("-0.0e5", "0"),
        ("0e999999999999999999999", "0"),
        ("0E-20", "0"),
        ("1e00000000000000000000002", "100"),
        ("1e-20", "0.00000000000000000001"),
        ("9.223372036854775807e18", "9223372036854775807"),
        ("9223372036854775806.99999999999999999999", "9223372036854775806.99999999999999999999"),
    ]
    .map(|(literal, value)| (literal.to_owned(), value))
    .into_iter()
    .chain([(format!("0.{zeros}15e100001"), "1.5"), (format!("0.{zeros}e100001"), "0")])
    .collect()
}

async fn a_price_that_validation_accepts_is_stored_however_it_is_written(bench: Bench) {
    for (n, (literal, value)) in (0..).zip(prices()) {
        let document = format!(
            r#"{{"order_uid":"{n}","track_number":"T","delivery":{{}},"payment":{{}},"items":[{{"price":{literal},"total_price":{literal}}}]}}"#
        );
        let Verdict::Accept(accepted) = validate(document.as_bytes(), 1 << 20) else {
            panic!("it is refused: {document}")
        };
        let rows = recorded(&*bench.store, &[message(n, n, &document)]).await;
        let settlement = Settlement { row: &rows[0], decision: Decision::Accept(&accepted.order) };
        assert_eq!(bench.store.settle(&[settlement]).await.unwrap(), [Some(Outcome::Applied)], "{value}");
        let expected = if bench.database.is_postgres() { value } else { &*literal };
        let equal = format!(
            "SELECT count(*) FROM items JOIN orders ON orders.id = order_id
             WHERE order_uid = '{n}' AND price = '{expected}' AND total_price = price"
        );
        assert_eq!(bench.database.number(&equal).await, 1, "{value}");
    }
    bench.assert_balances().await;
}
