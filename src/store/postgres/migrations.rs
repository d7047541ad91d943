use sqlx::{
    PgConnection, SqlStr,
    migrate::{Migration, MigrationType, Migrator},
};

/// With their descriptions; the number of a migration is its place here, from 1.
const ALL: &[(&str, &str)] = &[
    ("orders", include_str!("../../../migrations/postgres/0001_orders.sql")),
    ("dead letters by reason", include_str!("../../../migrations/postgres/0002_dead_letters_by_reason.sql")),
    ("gaps", include_str!("../../../migrations/postgres/0003_gaps.sql")),
    ("replays", include_str!("../../../migrations/postgres/0004_replays.sql")),
    ("replay outcomes", include_str!("../../../migrations/postgres/0005_replay_outcomes.sql")),
    ("history by time", include_str!("../../../migrations/postgres/0006_history_by_time.sql")),
    ("expired orders", include_str!("../../../migrations/postgres/0007_expired_orders.sql")),
];

/// Runs what a database lacks. (The macro of sqlx that reads the folder would have its drivers built a second time.)
pub(super) async fn run(connection: &mut PgConnection) -> sqlx::Result<()> {
    let migration = |((description, sql), version): (&(&'static str, &'static str), i64)| {
        Migration::new(version, (*description).into(), MigrationType::Simple, SqlStr::from_static(sql), false)
    };
    let migrator = Migrator::with_migrations(ALL.iter().zip(1..).map(migration).collect());
    Ok(migrator.run_direct(None, connection, false).await?)
}
