use std::collections::BTreeMap;

/// What Hive or Spark counted when it wrote a table or a partition. Each is missing where nobody
/// counted, or what was written is no count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Statistics {
    /// Rows.
    pub rows: Option<u64>,
    /// Bytes of the rows as Hive has them in memory.
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
        Statistics {
            // Spark has its own name for what it counts itself.
            rows: count("numRows").or_else(|| count("spark.sql.statistics.numRows")),
            raw_bytes: count("rawDataSize"),
            total_bytes: count("totalSize").or_else(|| count("spark.sql.statistics.totalSize")),
            files: count("numFiles"),
        }
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
    fn spark_counts_stand_in() {
        let found = of(&[("spark.sql.statistics.numRows", "7"), ("spark.sql.statistics.totalSize", "8")]);
        assert_eq!((found.rows, found.total_bytes), (Some(7), Some(8)));
    }
}
