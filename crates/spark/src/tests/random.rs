//! Expressions made at random of what the matrix has one by one: how its parts go together.

use super::SERVERS;
use super::matrix::{Table, differences, same_of};
use super::rows::{Maps, rows};
use super::with_session;

const SEED: u64 = 20_261_126;
const COUNT: usize = 240;
const DEPTH: u32 = 3;

/// A generator after Marsaglia's xorshift: few values are enough, and the same each time.
struct Random(u64);

impl Random {
    fn below(&mut self, count: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % count as u64).unwrap()
    }

    fn one_of(&mut self, choices: &[&str]) -> String {
        choices[self.below(choices.len())].to_owned()
    }

    /// Replaces each `{t}` by an expression of the type that the letter stands for.
    fn fill(&mut self, template: &str, depth: u32) -> String {
        let mut filled = String::new();
        let mut rest = template;
        while let Some(at) = rest.find('{') {
            filled.push_str(&rest[..at]);
            let kind = rest[at + 1..].chars().next().unwrap();
            filled.push_str(&self.expression(kind, depth));
            rest = &rest[at + 3..];
        }
        filled + rest
    }

    fn expression(&mut self, kind: char, depth: u32) -> String {
        let (leaves, templates): (&[&str], &[&str]) = match kind {
            'n' => (
                &["n", "y", "0", "2", "-3"],
                &[
                    "({n} + {n})",
                    "({n} - 1)",
                    "({n} * 2)",
                    "({n} / 3)",
                    "({n} % 5)",
                    "abs({n})",
                    "length({s})",
                    "case when {b} then {n} end",
                    "coalesce({n}, {n})",
                    "nullif({n}, {n})",
                    "greatest({n}, {n})",
                    "least({n}, 7)",
                    "date_part('month', {d})",
                    "strpos({s}, {s})",
                    "cast({f} > 1 as int)",
                ],
            ),
            's' => (
                &["s", "u", "'a'", "''", "'é😀'", "st.city", "a[1]"],
                &[
                    "({s} || {s})",
                    "concat({s}, {s}, 'x')",
                    "upper({s})",
                    "lower({s})",
                    "trim({s})",
                    "left({s}, 3)",
                    "right({s}, 2)",
                    "substr({s}, {n} % 4)",
                    "substr({s}, 2, 3)",
                    "replace({s}, 'a', {s})",
                    "reverse({s})",
                    "coalesce({s}, {s})",
                    "nullif({s}, '')",
                    "case when {b} then {s} else {s} end",
                    "cast({n} as string)",
                    "cast({d} as string)",
                    "cast({m} as string)",
                    "lpad({s}, 5, '*')",
                    "split_part({s}, 'b', 2)",
                    "regexp_replace({s}, '[a-c]+', '-')",
                    "regexp_replace({s}, '\\s', '', 'g')",
                    "md5({s})",
                    "ltrim({s}, 'a ')",
                    "concat_ws(',', {s}, {s})",
                ],
            ),
            'b' => (
                &["b", "c", "true", "null = 1"],
                &[
                    "({b} and {b})",
                    "({b} or {b})",
                    "(not {b})",
                    "({n} < {n})",
                    "({s} = {s})",
                    "({s} > {s})",
                    "({d} <= {d})",
                    "({n} in (1, {n}, 3))",
                    "({s} is null)",
                    "({b} is not true)",
                    "({s} like '%b%')",
                    "({s} is distinct from {s})",
                    "({n} between -1 and {n})",
                    "({m} > {m})",
                    "regexp_like({s}, '^[a-zé]')",
                    "array_contains(a, {s})",
                    "(cardinality(ni) > 1)",
                    "({f} > 1.5)",
                ],
            ),
            'd' => (
                &["dt", "du", "date '2024-02-29'"],
                &[
                    "({d} + interval '1 month')",
                    "({d} - 3)",
                    "coalesce({d}, {d})",
                    "case when {b} then {d} end",
                    "greatest({d}, {d})",
                    "cast(ts as date)",
                ],
            ),
            'm' => (
                &["m", "q", "1"],
                &[
                    "(m + q)",
                    "(m - 2)",
                    "(q * 3)",
                    "round({m}, 1)",
                    "coalesce(m, q)",
                    "abs(m)",
                    "case when {b} then m else q end",
                ],
            ),
            'f' => (
                &["d", "e", "0.1", "cast(n as double)"],
                &[
                    "({f} + {f})",
                    "({f} * 2.5)",
                    "({f} / {f})",
                    "round({f}, 2)",
                    "floor({f})",
                    "ceil({f})",
                    "abs({f})",
                    "coalesce({f}, 1.5)",
                    "cast(m as double)",
                ],
            ),
            other => panic!("there is no kind {other}"),
        };
        match depth == 0 || self.below(5) == 0 {
            true => self.one_of(leaves),
            false => {
                let template = self.one_of(templates);
                self.fill(&template, depth - 1)
            }
        }
    }
}

#[test]
fn random_expressions_give_the_same_on_servers() {
    let known = rows(Maps::ByKey);
    let mut random = Random(SEED);
    let mut cases = Vec::new();
    let mut refused = 0;
    while cases.len() < COUNT {
        let kind = ['n', 's', 'b', 'd', 'm', 'f'][random.below(6)];
        let sql = random.expression(kind, DEPTH);
        match same_of(&sql, &known, Vec::new()) {
            Ok(case) => cases.push(case),
            Err(_) => refused += 1,
        }
    }
    assert!(refused < COUNT, "{refused} are refused: they prove nothing");
    let table = Table::new();
    for (server, variable) in SERVERS {
        with_session(variable, |session, context| {
            let differences = differences(&cases, &table, session, context);
            assert!(differences.is_empty(), "{server}: {}\n{}", differences.len(), differences.join("\n"));
        });
    }
}
