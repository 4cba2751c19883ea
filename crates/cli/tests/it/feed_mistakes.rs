//! Mistakes in a feed that only its tables show: the words, the place, and the nearest name.

use crate::support::Scratch;

const FEED: &str = "feeds/contracts.yaml";

/// What a command says of the example with parts of its feed replaced.
#[track_caller]
fn said(command: &str, code: i32, edits: &[(&str, &str)]) -> String {
    let scratch = Scratch::sampled(10);
    for (from, to) in edits {
        scratch.edit(FEED, from, to);
    }
    scratch.hivecast([command]).failed(code)
}

#[test]
fn a_table_that_is_not_there_is_one_mistake_among_the_others() {
    insta::assert_snapshot!(said("check", 2, &[("mdm.parties,", "mdm.partis,"), ("contractBranchCode: branch_code", "contractBranchCode: branch_cod"), ("partyIdentifier: party_id", "partyIdentifier: prty_id")]), @r"
    error: no table `mdm.partis` in the warehouse
     --> [dir]/feeds/contracts.yaml:9:24
      |
    9 |   parties:   { source: mdm.partis, ready: success_file }
      |                        ^^^^^^^^^^
      |
      = help: did you mean `mdm.parties`?

    error: no column `branch_cod`
      --> [dir]/feeds/contracts.yaml:27:25
       |
    27 |     contractBranchCode: branch_cod
       |                         ^^^^^^^^^^
       |
       = help: did you mean `branch_code`?

    2 mistakes in [dir]/feeds/contracts.yaml
    ");
}

#[test]
fn columns_that_are_not_there() {
    insta::assert_snapshot!(said("check", 2, &[("contractCountry: country", "contractCountry: accounts.foo")]), @r"
    error: no column `accounts.foo`
      --> [dir]/feeds/contracts.yaml:28:22
       |
    28 |     contractCountry: accounts.foo
       |                      ^^^^^^^^^^^^

    1 mistake in [dir]/feeds/contracts.yaml
    ");
    insta::assert_snapshot!(said("check", 2, &[("contractCountry: country", "contractCountry: accounts.countr")]), @r"
    error: no column `accounts.countr`
      --> [dir]/feeds/contracts.yaml:28:22
       |
    28 |     contractCountry: accounts.countr
       |                      ^^^^^^^^^^^^^^^
       |
       = help: did you mean `country`?

    1 mistake in [dir]/feeds/contracts.yaml
    ");
    insta::assert_snapshot!(said("check", 2, &[("contractCountry: country", r#"contractCountry: "\"Mexico\"""#)]), @r#"
    error: no column `Mexico`; text stands in single quotes: 'Mexico'
      --> [dir]/feeds/contracts.yaml:28:24
       |
    28 |     contractCountry: "\"Mexico\""
       |                        ^^^^^^^^^

    1 mistake in [dir]/feeds/contracts.yaml
    "#);
}

#[test]
fn functions_that_are_not_there() {
    insta::assert_snapshot!(said("check", 2, &[("contractCountry: country", "contractCountry: uper(country)")]), @r"
    error: no function `uper`
      --> [dir]/feeds/contracts.yaml:28:22
       |
    28 |     contractCountry: uper(country)
       |                      ^^^^
       |
       = help: did you mean `upper`?

    1 mistake in [dir]/feeds/contracts.yaml
    ");
    insta::assert_snapshot!(said("check", 2, &[("contractCountry: country", r#"contractCountry: "array_sort(country)""#)]), @r#"
    error: function `array_sort` is not one that a feed may use: those mean the same in DataFusion and in Spark
      --> [dir]/feeds/contracts.yaml:28:22
       |
    28 |     contractCountry: "array_sort(country)"
       |                      ^^^^^^^^^^^^^^^^^^^^^
       |
       = help: did you mean `array_join`?

    1 mistake in [dir]/feeds/contracts.yaml
    "#);
}

#[test]
fn types_that_do_not_fit() {
    insta::assert_snapshot!(said("check", 2, &[("contractCountry: country", "contractCountry: country + 1")]), @r"
    error: string + bigint can't be computed: the types don't fit, cast one side
      --> [dir]/feeds/contracts.yaml:28:22
       |
    28 |     contractCountry: country + 1
       |                      ^^^^^^^^^^^

    1 mistake in [dir]/feeds/contracts.yaml
    ");
    insta::assert_snapshot!(said("check", 2, &[("contractCountry: country", r#"contractCountry: "country like 5""#)]), @r#"
    error: LIKE can't be used with string and bigint: cast one side
      --> [dir]/feeds/contracts.yaml:28:22
       |
    28 |     contractCountry: "country like 5"
       |                      ^^^^^^^^^^^^^^^^

    1 mistake in [dir]/feeds/contracts.yaml
    "#);
    insta::assert_snapshot!(said("check", 2, &[("contractCountry: country", r#"contractCountry: "upper(1, 2)""#)]), @r#"
    error: function upper takes 1 argument, and is given 2
      --> [dir]/feeds/contracts.yaml:28:22
       |
    28 |     contractCountry: "upper(1, 2)"
       |                      ^^^^^^^^^^^^^

    1 mistake in [dir]/feeds/contracts.yaml
    "#);
    insta::assert_snapshot!(said("check", 2, &[("contractCountry: country", r#"contractCountry: "substr(country, -99999999999999999999)""#)]), @r#"
    error: function substr takes bigint where it is given double: cast it
      --> [dir]/feeds/contracts.yaml:28:22
       |
    28 |     contractCountry: "substr(country, -99999999999999999999)"
       |                      ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^

    1 mistake in [dir]/feeds/contracts.yaml
    "#);
    insta::assert_snapshot!(said("check", 2, &[("contractCountry: country", r#"contractCountry: "@x""#)]), @r#"
    error: @x is a variable, and there are none here: write its value
      --> [dir]/feeds/contracts.yaml:28:22
       |
    28 |     contractCountry: "@x"
       |                      ^^^^

    1 mistake in [dir]/feeds/contracts.yaml
    "#);
    insta::assert_snapshot!(said("check", 2, &[("contractCountry: country", r#"contractCountry: "account_start_date + country""#)]), @r#"
    error: timestamp + string can't be computed: the types don't fit, cast one side
      --> [dir]/feeds/contracts.yaml:28:22
       |
    28 |     contractCountry: "account_start_date + country"
       |                      ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^

    1 mistake in [dir]/feeds/contracts.yaml
    "#);
    insta::assert_snapshot!(said("check", 2, &[("active_ind = 1", "active_ind = 'x'")]), @r"
    error: 'x' is no int
     --> [dir]/feeds/contracts.yaml:8:45
      |
    8 |   accounts:  { source: mdm.accounts, where: active_ind = 'x', ready: success_file }
      |                                             ^^^^^^^^^^^^^^^^

    1 mistake in [dir]/feeds/contracts.yaml
    ");
    insta::assert_snapshot!(said("check", 2, &[("contractCountry: country", r#"contractCountry: "cast(country as blob)""#)]), @r#"
    error: there is no type BLOB here
      --> [dir]/feeds/contracts.yaml:28:22
       |
    28 |     contractCountry: "cast(country as blob)"
       |                      ^^^^^^^^^^^^^^^^^^^^^^^

    1 mistake in [dir]/feeds/contracts.yaml
    "#);
    insta::assert_snapshot!(said("check", 2, &[("contractCountry: country", r#"contractCountry: "coalesce()""#)]), @r#"
    error: coalesce must have at least one argument
      --> [dir]/feeds/contracts.yaml:28:22
       |
    28 |     contractCountry: "coalesce()"
       |                      ^^^^^^^^^^^^

    1 mistake in [dir]/feeds/contracts.yaml
    "#);
}

#[test]
fn what_is_not_sql() {
    insta::assert_snapshot!(said("check", 2, &[("contractCountry: country", r#"contractCountry: "case when country""#)]), @r#"
    error: this is not SQL: expected end of expression, found `when`
      --> [dir]/feeds/contracts.yaml:28:28
       |
    28 |     contractCountry: "case when country"
       |                            ^^^^

    1 mistake in [dir]/feeds/contracts.yaml
    "#);
    insta::assert_snapshot!(said("check", 2, &[("contractCountry: country", r#"contractCountry: "country, city""#)]), @r#"
    error: this is not SQL: expected end of expression, found `,`
      --> [dir]/feeds/contracts.yaml:28:30
       |
    28 |     contractCountry: "country, city"
       |                              ^

    1 mistake in [dir]/feeds/contracts.yaml
    "#);
    insta::assert_snapshot!(said("check", 2, &[("parties:   { source: mdm.parties, ready: success_file }", r#"parties:   { sql: "selec party_id from accounts" }"#)]), @r#"
    error: this is not SQL: expected an SQL statement, found `selec`
     --> [dir]/feeds/contracts.yaml:9:22
      |
    9 |   parties:   { sql: "selec party_id from accounts" }
      |                      ^^^^^

    1 mistake in [dir]/feeds/contracts.yaml
    "#);
}

#[test]
fn values_that_are_none_for_every_row() {
    insta::assert_snapshot!(said("check", 2, &[("contractCountry: country", "contractCountry: 1/0")]), @r"
    error: division by zero
      --> [dir]/feeds/contracts.yaml:28:22
       |
    28 |     contractCountry: 1/0
       |                      ^^^

    1 mistake in [dir]/feeds/contracts.yaml
    ");
    insta::assert_snapshot!(said("check", 2, &[("contractCountry: country", r#"contractCountry: "cast('x' as int)""#)]), @r#"
    error: 'x' is no int
      --> [dir]/feeds/contracts.yaml:28:22
       |
    28 |     contractCountry: "cast('x' as int)"
       |                      ^^^^^^^^^^^^^^^^^^

    1 mistake in [dir]/feeds/contracts.yaml
    "#);
}

#[test]
fn queries_that_do_not_bind() {
    insta::assert_snapshot!(said("check", 2, &[("parties:   { source: mdm.parties, ready: success_file }", r#"parties:   { sql: "select party_id, account_id from partie" }"#)]), @r#"
    error: no table `partie` in `tables`
     --> [dir]/feeds/contracts.yaml:9:55
      |
    9 |   parties:   { sql: "select party_id, account_id from partie" }
      |                                                       ^^^^^^
      |
      = help: did you mean `parties`?

    1 mistake in [dir]/feeds/contracts.yaml
    "#);
    insta::assert_snapshot!(said("check", 2, &[("parties:   { source: mdm.parties, ready: success_file }", r#"parties:   { sql: "select a.account_i from accounts a" }"#)]), @r#"
    error: no column `a.account_i`
     --> [dir]/feeds/contracts.yaml:9:29
      |
    9 |   parties:   { sql: "select a.account_i from accounts a" }
      |                             ^^^^^^^^^^^
      |
      = help: did you mean `a.account_id`?

    1 mistake in [dir]/feeds/contracts.yaml
    "#);
    insta::assert_snapshot!(said("check", 2, &[("parties:   { source: mdm.parties, ready: success_file }", r#"parties:   { sql: "select x.account_id from accounts a" }"#)]), @r#"
    error: no column `x.account_id`
     --> [dir]/feeds/contracts.yaml:9:29
      |
    9 |   parties:   { sql: "select x.account_id from accounts a" }
      |                             ^^^^^^^^^^^^
      |
      = help: did you mean `account_id`?

    1 mistake in [dir]/feeds/contracts.yaml
    "#);
    insta::assert_snapshot!(said("check", 2, &[("parties:   { source: mdm.parties, ready: success_file }", r#"parties:   { sql: "select account_id, country from accounts group by account_id" }"#)]), @r#"
    error: column `accounts.country` must be in `group by`, or in an aggregate such as max(accounts.country)
     --> [dir]/feeds/contracts.yaml:9:41
      |
    9 |   parties:   { sql: "select account_id, country from accounts group by account_id" }
      |                                         ^^^^^^^

    1 mistake in [dir]/feeds/contracts.yaml
    "#);
    insta::assert_snapshot!(said("check", 2, &[("parties:   { source: mdm.parties, ready: success_file }", r#"parties:   { sql: "select party_id from accounts a join addresses b on true where account_id = 3 + true" }"#)]), @r#"
    error: bigint + boolean can't be computed: the types don't fit, cast one side
     --> [dir]/feeds/contracts.yaml:9:21
      |
    9 |   parties:   { sql: "select party_id from accounts a join addresses b on true where account_id = 3 + true" }
      |                     ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^

    1 mistake in [dir]/feeds/contracts.yaml
    "#);
    insta::assert_snapshot!(said("check", 2, &[("parties:   { source: mdm.parties, ready: success_file }", r#"parties:   { sql: "select foo(account_id) from accounts" }"#)]), @r#"
    error: no function `foo`
     --> [dir]/feeds/contracts.yaml:9:29
      |
    9 |   parties:   { sql: "select foo(account_id) from accounts" }
      |                             ^^^

    1 mistake in [dir]/feeds/contracts.yaml
    "#);
    insta::assert_snapshot!(said("check", 2, &[("parties:   { source: mdm.parties, ready: success_file }", r#"parties:   { sql: "select last_update_ts from accounts a join addresses b on true" }"#)]), @r#"
    error: column `last_update_ts` is in more than one table: write `table.column`
     --> [dir]/feeds/contracts.yaml:9:29
      |
    9 |   parties:   { sql: "select last_update_ts from accounts a join addresses b on true" }
      |                             ^^^^^^^^^^^^^^

    1 mistake in [dir]/feeds/contracts.yaml
    "#);
}

#[test]
fn gates_point_at_the_word() {
    insta::assert_snapshot!(said("check", 2, &[("of: accounts, max: 20%", "of: acounts, max: 20%")]), @r"
    error: no table `acounts` in `tables`
      --> [dir]/feeds/contracts.yaml:55:22
       |
    55 |   row_change:  { of: acounts, max: 20%, severity: fail }
       |                      ^^^^^^^
       |
       = help: did you mean `accounts`?

    1 mistake in [dir]/feeds/contracts.yaml
    ");
    insta::assert_snapshot!(said("check", 2, &[("row_change:  { of: accounts, max: 20%, severity: fail }", "unique: { of: accounts, columns: [account_id, countri], severity: fail }")]), @r"
    error: no column `countri` in table `accounts`
      --> [dir]/feeds/contracts.yaml:55:49
       |
    55 |   unique: { of: accounts, columns: [account_id, countri], severity: fail }
       |                                                 ^^^^^^^
       |
       = help: did you mean `country`?

    1 mistake in [dir]/feeds/contracts.yaml
    ");
    insta::assert_snapshot!(said("check", 2, &[("row_change:  { of: accounts, max: 20%, severity: fail }", "null_rate: { of: accounts, column: countri, max: 1%, severity: fail }")]), @r"
    error: no column `countri` in table `accounts`
      --> [dir]/feeds/contracts.yaml:55:38
       |
    55 |   null_rate: { of: accounts, column: countri, max: 1%, severity: fail }
       |                                      ^^^^^^^
       |
       = help: did you mean `country`?

    1 mistake in [dir]/feeds/contracts.yaml
    ");
}

#[test]
fn a_row_without_a_value_is_named_with_field_and_place() {
    insta::assert_snapshot!(said("preview", 20, &[("contractCountry: country", "contractCountry: cast(country as int)")]), @"error: failed to compute field `contractCountry` ([dir]/feeds/contracts.yaml:28:22) in the row with account_id 6793974195: failed to evaluate `cast(country as int)`: 'United States' is no int");
    insta::assert_snapshot!(said("preview", 20, &[("contractCountry: country", "contractCountry: active_ind / (active_ind - 1)")]), @"error: failed to compute field `contractCountry` ([dir]/feeds/contracts.yaml:28:22) in the row with account_id 6793974195: failed to evaluate `active_ind / (active_ind - 1)`: division by zero");
    insta::assert_snapshot!(said("preview", 20, &[("addressCity: city", "addressCity: cast(city as date)")]), @"error: failed to compute field `addressCity` in `partyRelations.partyAddress` ([dir]/feeds/contracts.yaml:43:26) in the row with party_id 029612657856: failed to evaluate `cast(city as date)`: 'Charlotte' is no date");
    insta::assert_snapshot!(said("preview", 20, &[("active_ind = 1", "cast(country as int) = 1")]), @"error: failed to compute `where` of table accounts ([dir]/feeds/contracts.yaml:8:45) in the row with account_id 6793974195: failed to evaluate `cast(country as int) = 1`: 'United States' is no int");
}

#[test]
fn a_masked_value_is_not_in_an_error() {
    insta::assert_snapshot!(said("preview", 20, &[("{ value: tax_id,", "{ value: cast(tax_id as date),")]), @"error: failed to compute field `taxId` ([dir]/feeds/contracts.yaml:26:25) in the row with account_id 6793974195: failed to evaluate `cast(tax_id as date)`; its values are masked and not shown");
}

#[test]
fn a_query_that_fails_at_a_masked_value_does_not_show_it() {
    const PARTIES: &str = "parties:   { source: mdm.parties, ready: success_file }";
    let query = |sql: &str| format!("parties:   {{ sql: \"{sql}\" }}\n  raw: {{ source: mdm.parties }}");
    let columns = "p.party_id, p.account_id, p.relation_type, p.relation_start_date";
    let from = "from raw p join accounts a on a.account_id = p.account_id";
    let shown = query(&format!("select {columns}, cast(a.country as int) n {from}"));
    let said = said("preview", 20, &[(PARTIES, &shown)]);
    assert!(
        said.contains("failed to run the query of table parties ([dir]/feeds/contracts.yaml:9:21)"),
        "{said}"
    );
    assert!(said.contains("is no int") && !said.contains("***"), "{said}");
    let hidden = query(&format!("select {columns}, cast(a.tax_id as date) n {from}"));
    let said = self::said("preview", 20, &[(PARTIES, &hidden)]);
    assert!(said.contains("'***' is no date"), "{said}");
}
