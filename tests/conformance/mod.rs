//! What every store promises. Each rule is one test, and runs on each database.

mod audit;
mod browse;
mod connect;
mod desk;
mod document;
mod expire;
pub(crate) mod fixture;
mod gaps;
mod index;
mod model;
mod outage;
mod price;
mod race;
mod record;
mod refusal;
mod report;
mod sessions;
mod settle;
mod tidy;

use std::sync::Arc;

use orderbox::store::Store;

use crate::support::database::Database;

/// An empty database with a store on it.
pub(crate) struct Bench {
    pub(crate) database: Database,
    pub(crate) store: Arc<dyn Store>,
}

impl Bench {
    async fn new(database: Database) -> Self {
        let store = database.store().await;
        Self { database, store }
    }

    /// Every message is accounted for. The last word of each rule.
    pub(crate) async fn assert_balances(&self) {
        let audit = self.store.audit().await.unwrap();
        assert!(audit.balances(), "{:#?}\n{audit:#?}", audit.differences());
    }
}

/// Makes a test of each rule on each database.
macro_rules! rules {
    ($($rule:ident),+ $(,)?) => {
        mod sqlite {
            use crate::{conformance::Bench, support::database::Database};
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $rule() {
                    let Some(database) = Database::sqlite() else { return };
                    super::$rule(Bench::new(database).await).await;
                }
            )+
        }

        mod postgres {
            use crate::{conformance::Bench, support::database::Database};
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $rule() {
                    let Some(database) = Database::postgres().await else { return };
                    super::$rule(Bench::new(database).await).await;
                }
            )+
        }
    };
}
use rules;
