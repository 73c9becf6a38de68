//! Rolling upgrade: the version before goes on working while and after this one brings the schema up to date.
//!
//! A binary of that version cannot be had from a clone, but all it ever says to the database can: its statements, kept in
//! tests/previous by `./dev pin` when it was released, with the number of its last migration. So the schema is made as that
//! version made it, its statements are prepared there as its connections have them, this version's migrations are applied
//! by another connection, and every statement is planned again on the connection that prepared it. What this cannot show is
//! that values mean the same to both; the rest of what could refuse an old write is compared in the catalogue.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

use muster_store::testing::TestDatabase;
use serde::Deserialize;
use sqlx::{AssertSqlSafe, PgConnection};

const PREVIOUS: &str = include_str!("../previous/statements.json");

/// New rules over what the version before writes, each with why it keeps them anyway.
const KEPT_ANYWAY: &[(&str, &str)] = &[];

#[derive(Deserialize)]
struct Previous {
    last_migration: i64,
    statements: Vec<Statement>,
}

#[derive(Deserialize)]
struct Statement {
    query: String,
    parameters: usize,
}

fn previous() -> Previous {
    serde_json::from_str(PREVIOUS).expect("what `./dev pin` wrote")
}

/// The migrations with these numbers, as files say them.
fn migrations(wanted: impl Fn(i64) -> bool) -> BTreeMap<i64, String> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../migrations");
    let files =
        std::fs::read_dir(directory).expect("the migrations").map(|file| file.expect("a file").path());
    let numbered = files.filter_map(|path| {
        let name = path.file_name()?.to_str()?.to_owned();
        Some((name.split('_').next()?.parse().ok()?, path))
    });
    numbered
        .filter(|(number, _)| wanted(*number))
        .map(|(number, path)| (number, std::fs::read_to_string(path).expect("a migration")))
        .collect()
}

async fn apply(conn: &mut PgConnection, migrations: BTreeMap<i64, String>) {
    for (number, text) in migrations {
        let applied = sqlx::raw_sql(AssertSqlSafe(text)).execute(&mut *conn).await;
        applied.unwrap_or_else(|e| panic!("migration {number}: {e}"));
    }
}

#[tokio::test]
async fn what_the_version_before_says_still_holds_on_connections_that_said_it_before() {
    let Previous { last_migration, statements } = previous();
    let database = TestDatabase::empty().await;
    let (mut old, mut new) = (database.conn().await, database.conn().await);
    apply(&mut old, migrations(|number| number <= last_migration)).await;
    // Locks have no plan: they are taken, and let go of.
    let (locks, planned): (Vec<_>, Vec<_>) = statements.iter().partition(|s| s.query.starts_with("lock "));
    for (number, statement) in planned.iter().enumerate() {
        let prepared = sqlx::raw_sql(AssertSqlSafe(format!("prepare s{number} as {}", statement.query)));
        let prepared = prepared.execute(&mut *old).await;
        prepared.unwrap_or_else(|e| panic!("not even its own schema serves `{}`: {e}", statement.query));
    }
    apply(&mut new, migrations(|number| number > last_migration)).await;
    let mut refused = Vec::new();
    for lock in locks {
        let taken = format!("begin; {}; rollback", lock.query);
        if let Err(e) = sqlx::raw_sql(AssertSqlSafe(taken)).execute(&mut *old).await {
            refused.push(format!("{e}: {}", lock.query));
        }
    }
    for (number, statement) in planned.iter().enumerate() {
        let nulls = vec!["null"; statement.parameters].join(", ");
        let values = if nulls.is_empty() { String::new() } else { format!("({nulls})") };
        // Planned, not carried out: a plan needs every table, column and type it names, and the same columns as before.
        let plan = sqlx::raw_sql(AssertSqlSafe(format!("explain execute s{number}{values}")));
        if let Err(e) = plan.execute(&mut *old).await {
            refused.push(format!("{e}: {}", statement.query));
        }
    }
    assert_eq!(refused, Vec::<String>::new());
    assert!(statements.len() > 100, "{}", statements.len());
}

/// A column as the catalogue has it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Column {
    kind: String,
    nullable: bool,
    filled: bool,
}

async fn columns(conn: &mut PgConnection) -> BTreeMap<(String, String), Column> {
    let rows: Vec<(String, String, String, bool, bool)> = sqlx::query_as(
        "select table_name::text, column_name::text, udt_name::text, is_nullable = 'YES',
            column_default is not null or is_identity = 'YES' or is_generated = 'ALWAYS'
        from information_schema.columns
        where table_schema = 'public'",
    )
    .fetch_all(conn)
    .await
    .expect("the catalogue");
    let column = |(table, name, kind, nullable, filled)| ((table, name), Column { kind, nullable, filled });
    rows.into_iter().map(column).collect()
}

/// Constraints, unique indexes and triggers: name, table, and the columns they are about (of a trigger or an expression
/// none are told: it may be about any).
async fn rules(conn: &mut PgConnection) -> BTreeMap<String, (String, Vec<String>)> {
    let rows: Vec<(String, String, Vec<String>)> = sqlx::query_as(
        "select c.conname::text, t.relname::text, array(
                select a.attname::text from pg_attribute a where a.attrelid = t.oid and a.attnum = any(c.conkey)
            )
        from pg_constraint c
        join pg_class t on t.oid = c.conrelid
        where t.relnamespace = 'public'::regnamespace
        union all
        select i.relname::text, t.relname::text, array(
                select a.attname::text from pg_attribute a where a.attrelid = t.oid and a.attnum = any(x.indkey)
            )
        from pg_index x
        join pg_class i on i.oid = x.indexrelid
        join pg_class t on t.oid = x.indrelid
        where x.indisunique
            and t.relnamespace = 'public'::regnamespace
            and not exists (select from pg_constraint c where c.conindid = x.indexrelid)
        union all
        select g.tgname::text, t.relname::text, '{}'
        from pg_trigger g
        join pg_class t on t.oid = g.tgrelid
        where not g.tgisinternal
            and t.relnamespace = 'public'::regnamespace",
    )
    .fetch_all(conn)
    .await
    .expect("the catalogue");
    rows.into_iter().map(|(name, table, columns)| (name, (table, columns))).collect()
}

#[tokio::test]
async fn the_schema_takes_what_the_version_before_writes() {
    let last = previous().last_migration;
    let (old, new) = (TestDatabase::empty().await, TestDatabase::new().await);
    let (mut before, mut after) = (old.conn().await, new.conn().await);
    apply(&mut before, migrations(|number| number <= last)).await;
    let (was, is) = (columns(&mut before).await, columns(&mut after).await);
    let tables: BTreeSet<&String> = was.keys().map(|(table, _)| table).collect();
    let mut wrong = Vec::new();
    for (name, column) in &was {
        match is.get(name) {
            None => wrong.push(format!("{name:?} is gone")),
            Some(now) if (&now.kind, now.nullable) != (&column.kind, column.nullable) => {
                wrong.push(format!("{name:?} was {column:?} and is {now:?}"));
            }
            Some(_) => {}
        }
    }
    for (name, column) in is.iter().filter(|(name, _)| tables.contains(&name.0) && !was.contains_key(name)) {
        if !column.nullable && !column.filled {
            wrong.push(format!("{name:?} is new, and who does not know it cannot write a row"));
        }
    }
    let kept = rules(&mut before).await;
    for (name, (table, columns)) in rules(&mut after).await {
        let about_new_columns = !columns.is_empty()
            && columns.iter().all(|column| !was.contains_key(&(table.clone(), column.clone())));
        let explained = KEPT_ANYWAY.iter().any(|(rule, _)| *rule == name);
        if tables.contains(&table) && !kept.contains_key(&name) && !about_new_columns && !explained {
            wrong.push(format!(
                "{name} is a new rule over what was written to {table} before: see KEPT_ANYWAY"
            ));
        }
    }
    assert_eq!(wrong, Vec::<String>::new());
}
