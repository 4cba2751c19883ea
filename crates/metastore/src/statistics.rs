use std::collections::BTreeMap;

/// What Hive counted when it wrote a table or a partition. Each is missing where nobody counted, or what
/// was written is no count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Statistics {
    /// Rows; missing where Hive does not vouch for the number either, since who writes files by other
    /// ways leaves the old one.
    pub rows: Option<u64>,
    /// Bytes of the rows as Hive has them in memory; as with `rows`.
    pub raw_bytes: Option<u64>,
    /// Bytes of the files.
    pub total_bytes: Option<u64>,
    /// Files.
    pub files: Option<u64>,
}

/// No table has more rows or bytes than this; a larger count is a writer's mistake.
const LARGEST_SANE_COUNT: u64 = 1 << 60;

impl Statistics {
    /// From a table's or a partition's parameters.
    pub(crate) fn of(parameters: &BTreeMap<String, String>) -> Statistics {
        // -1 means that it is not known.
        let count = |name: &str| {
            let value = parameters.get(name)?.trim().parse::<u64>().ok()?;
            (value <= LARGEST_SANE_COUNT).then_some(value)
        };
        let vouched = |name: &str| count(name).filter(|_| are_accurate(parameters));
        Statistics {
            // Spark counts into `spark.sql.statistics.numRows`, for which nothing vouches: Hive leaves it when
            // it writes the partition anew.
            rows: vouched("numRows"),
            raw_bytes: vouched("rawDataSize"),
            total_bytes: count("totalSize").or_else(|| count("spark.sql.statistics.totalSize")),
            files: count("numFiles"),
        }
    }
}

/// Whether Hive takes its basic statistics to be true (`StatsSetupConst.areBasicStatsUptoDate`): a writer
/// that does not count takes the mark away.
fn are_accurate(parameters: &BTreeMap<String, String>) -> bool {
    let Some(mark) = parameters.get("COLUMN_STATS_ACCURATE") else { return false };
    match serde_json::from_str::<serde_json::Value>(mark) {
        Ok(serde_json::Value::Object(marks)) => match marks.get("BASIC_STATS") {
            Some(serde_json::Value::String(text)) => text.eq_ignore_ascii_case("true"),
            Some(serde_json::Value::Bool(truth)) => *truth,
            _ => false,
        },
        // Before Hive 2 the mark was the word alone.
        _ => mark.eq_ignore_ascii_case("true"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(parameters: &[(&str, &str)]) -> Statistics {
        Statistics::of(&parameters.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect())
    }

    #[test]
    fn only_counts_are_believed() {
        let found = of(&[
            ("numRows", "-1"),
            ("rawDataSize", "9e9"),
            ("totalSize", " 12 "),
            ("numFiles", "99999999999999999999"),
        ]);
        assert_eq!(found, Statistics { total_bytes: Some(12), ..Statistics::default() });
    }

    #[test]
    fn rows_are_believed_only_where_hive_vouches_for_them() {
        const TRUE: &str = "COLUMN_STATS_ACCURATE";
        let rows = ("numRows", "7");
        for (mark, believed) in [
            (r#"{"BASIC_STATS":"true","COLUMN_STATS":{"a":"true"}}"#, true),
            (r#"{"BASIC_STATS":true}"#, true),
            ("TRUE", true),
            (r#"{"BASIC_STATS":"false"}"#, false),
            (r#"{"COLUMN_STATS":{"a":"true"}}"#, false),
            ("false", false),
            ("{", false),
        ] {
            let found = of(&[rows, ("rawDataSize", "9"), (TRUE, mark)]);
            assert_eq!((found.rows.is_some(), found.raw_bytes.is_some()), (believed, believed), "{mark}");
        }
        assert_eq!(of(&[rows]).rows, None, "nobody vouches for it");
    }

    #[test]
    fn spark_tells_bytes_and_no_rows_that_hold() {
        let found = of(&[("spark.sql.statistics.numRows", "7"), ("spark.sql.statistics.totalSize", "8")]);
        assert_eq!((found.rows, found.total_bytes), (None, Some(8)));
    }
}
