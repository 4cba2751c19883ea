/// The candidate that `word` was most likely meant to be, if one is close: equal but for case, or
/// within a third of its length in edits.
pub fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let lower = word.to_lowercase();
    let allowed = (word.chars().count() / 3).max(1);
    candidates
        .into_iter()
        .map(|candidate| (strsim::damerau_levenshtein(&lower, &candidate.to_lowercase()), candidate))
        .filter(|(edits, candidate)| *edits <= allowed && *candidate != word)
        .min()
        .map(|(_, candidate)| candidate)
}

/// "did you mean `x`?", if a candidate is close.
pub(crate) fn did_you_mean<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<String> {
    nearest(word, candidates).map(|candidate| format!("did you mean `{candidate}`?"))
}

/// "did you mean `x`?" if a candidate is close, else what there is to choose from.
pub(crate) fn did_you_mean_or_list(word: &str, what: &str, candidates: &[&str]) -> String {
    did_you_mean(word, candidates.iter().copied())
        .unwrap_or_else(|| format!("{what}: {}", quoted_list(candidates)))
}

/// "`a`, `b`, `c`".
pub(crate) fn quoted_list<T: AsRef<str>>(words: &[T]) -> String {
    let quoted: Vec<String> = words.iter().map(|word| format!("`{}`", word.as_ref())).collect();
    quoted.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn close_names_are_found_and_far_ones_are_not() {
        let columns = ["account_id", "branch_code", "country"];
        assert_eq!(nearest("acount_id", columns), Some("account_id"));
        assert_eq!(nearest("ACCOUNT_ID", columns), Some("account_id"));
        assert_eq!(nearest("country_of_birth", columns), None);
        assert_eq!(nearest("x", columns), None);
    }
}
