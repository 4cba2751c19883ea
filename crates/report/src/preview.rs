/// A document for people: JSON with two spaces of indentation, its members in the order of the
/// bytes, every number exactly as in the bytes. Text that is no JSON comes back as it is.
pub fn pretty(json: &str) -> String {
    let mut printer = Printer { text: String::with_capacity(json.len() * 2), depth: 0 };
    if serde_json::from_str::<serde::de::IgnoredAny>(json).is_err() {
        return json.to_owned();
    }
    printer.print(json);
    printer.text
}

/// Lays out JSON that is known to be valid, without parsing its values: parsing would reorder
/// members and round numbers.
struct Printer {
    text: String,
    depth: usize,
}

impl Printer {
    fn print(&mut self, json: &str) {
        let mut rest = json.char_indices().peekable();
        while let Some((start, character)) = rest.next() {
            match character {
                '"' => {
                    let mut escaped = false;
                    let mut end = start + 1;
                    for (at, inner) in rest.by_ref() {
                        end = at + inner.len_utf8();
                        match inner {
                            _ if escaped => escaped = false,
                            '\\' => escaped = true,
                            '"' => break,
                            _ => {}
                        }
                    }
                    self.text.push_str(&json[start..end]);
                }
                '{' | '[' => {
                    while rest.next_if(|(_, next)| next.is_ascii_whitespace()).is_some() {}
                    self.text.push(character);
                    if let Some((_, close)) = rest.next_if(|(_, next)| matches!(next, '}' | ']')) {
                        self.text.push(close);
                    } else {
                        self.depth += 1;
                        self.new_line();
                    }
                }
                '}' | ']' => {
                    self.depth = self.depth.saturating_sub(1);
                    self.new_line();
                    self.text.push(character);
                }
                ',' => {
                    self.text.push(',');
                    self.new_line();
                }
                ':' => self.text.push_str(": "),
                space if space.is_ascii_whitespace() => {}
                other => self.text.push(other),
            }
        }
    }

    fn new_line(&mut self) {
        self.text.push('\n');
        self.text.extend(std::iter::repeat_n("  ", self.depth));
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn keeps_order_and_numbers() {
        let json = r#"{"b":9007199254740993.10,"a":[1,{},[],{"text":"a,\"b\\{:}"}]}"#;
        assert_eq!(
            pretty(json),
            r#"{
  "b": 9007199254740993.10,
  "a": [
    1,
    {},
    [],
    {
      "text": "a,\"b\\{:}"
    }
  ]
}"#
        );
        assert_eq!(pretty("{\"a\""), "{\"a\"");
    }

    fn any_json() -> impl Strategy<Value = serde_json::Value> {
        let leaf = prop_oneof![
            Just(serde_json::Value::Null),
            any::<bool>().prop_map(Into::into),
            any::<i64>().prop_map(Into::into),
            any::<String>().prop_map(Into::into),
        ];
        leaf.prop_recursive(4, 40, 6, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..5).prop_map(serde_json::Value::from),
                prop::collection::btree_map(any::<String>(), inner, 0..5)
                    .prop_map(|map| serde_json::Value::Object(map.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(200))]

        #[test]
        fn prints_what_serde_json_prints(value in any_json()) {
            let ours = pretty(&value.to_string());
            prop_assert_eq!(&ours, &serde_json::to_string_pretty(&value).unwrap());
        }
    }
}
