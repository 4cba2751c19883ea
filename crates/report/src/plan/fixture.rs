//! An answer about a realistic day: a million accounts with their parties, and these with their addresses.

use hivecast_estimate::spark::{Cluster, GIB, MIB, Manager};
use hivecast_estimate::{
    Answer, Counted, Dynamic, EmbeddedRule, FACTS_VERSION, Facts, LevelFacts, Machine, Model, Models,
    Purpose, Question, Range, Source, TableFacts, ThreadsBy, Wanted, answer,
};

/// 30 minutes.
const DEADLINE: f64 = 1800.0;

/// What the tests ask.
pub(super) fn question(accounts: u64) -> Question {
    Question {
        facts: facts(accounts),
        machine: Machine {
            threads: 8,
            threads_by: ThreadsBy::Machine,
            memory_bytes: 32 * GIB,
            spill_free_bytes: None,
            limit_bytes: None,
        },
        rule: EmbeddedRule {
            least_bytes: 256 * MIB,
            worker_bytes: 64 * MIB,
            rows_share: 0.5,
            slack: 1.25,
            part_divisor: 8,
        },
        cluster: Some(Cluster::new(10, 16, 64 * GIB, Manager::YARN)),
        server: None,
        purpose: Purpose::Publish,
        wanted: Wanted { deadline: Some(DEADLINE), core_price: 0.05, dynamic: Dynamic::Fixed },
        models: Models::new(Model::default_of),
    }
}

/// A question, and the answer.
pub(super) fn answered(question: Question) -> (Question, Answer) {
    let answer = answer(&question);
    (question, answer)
}

/// A million accounts.
pub(super) fn million() -> (Question, Answer) {
    answered(question(1_000_000))
}

/// So many accounts that this machine misses the deadline, and the cluster does not.
pub(super) fn too_many_for_one() -> (Question, Answer) {
    let mut question = question(60_000_000);
    question.purpose = Purpose::Build;
    question.wanted.deadline = Some(100.0);
    answered(question)
}

fn facts(accounts: u64) -> Facts {
    let (parties, addresses) = (accounts * 5 / 2, accounts * 3);
    Facts {
        version: FACTS_VERSION,
        feed: "contracts".to_owned(),
        load_date: "2026-11-22".to_owned(),
        tables: vec![
            table("accounts", 8, accounts, 41),
            table("parties", 12, parties, 30),
            table("addresses", 16, addresses, 52),
        ],
        levels: vec![
            level("", "accounts", accounts, 200, &[]),
            level("partyRelations", "parties", parties, 120, &[1_204, 1_101, 987]),
            level("partyRelations.partyAddress", "addresses", addresses, 180, &[64, 61]),
        ],
        document_bytes: Counted {
            value: Range { low: 1_380.0, expected: 1_512.0, high: 1_700.0 },
            source: Source::History,
        },
        unfit_for_spark: None,
    }
}

fn table(name: &str, files: u64, rows: u64, bytes_per_row: u64) -> TableFacts {
    TableFacts {
        table: name.to_owned(),
        files,
        stored_bytes: rows * bytes_per_row,
        rows: Counted::exact(rows, Source::Footers),
    }
}

fn level(path: &str, table: &str, rows: u64, bytes_per_row: u64, largest: &[u64]) -> LevelFacts {
    let left = if path.is_empty() { rows * 9 / 10 } else { rows };
    LevelFacts {
        path: path.to_owned(),
        table: table.to_owned(),
        read: Counted::exact(rows, Source::Footers),
        read_bytes: Counted {
            value: Range::around((rows * bytes_per_row) as f64, 0.1, 0.2),
            source: Source::Footers,
        },
        rows: Counted::exact(left, Source::Scan),
        largest: largest.to_vec(),
        largest_error: 0,
    }
}
