//! Single quotes in mapping files.

/// Turns single quotes that open or close a string into double quotes: those at the start or the end of the text, and
/// those beside a space. `.type == 'Bug'` means `.type == "Bug"`.
pub(crate) fn single_to_double(text: &str) -> String {
    let chars: Vec<char> = text.chars().collect();
    let space = |at: Option<&char>| at.is_none_or(|c| c.is_whitespace());
    let opens_or_closes =
        |i: usize| space(i.checked_sub(1).and_then(|i| chars.get(i))) || space(chars.get(i + 1));
    chars
        .iter()
        .enumerate()
        .map(|(i, c)| {
            if *c == '\'' && opens_or_closes(i) {
                '"'
            } else {
                *c
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::single_to_double;

    #[test]
    fn only_quotes_at_an_edge_or_a_space_change() {
        assert_eq!(single_to_double(".type == 'Bug'"), ".type == \"Bug\"");
        assert_eq!(single_to_double("'user'"), "\"user\"");
        assert_eq!(single_to_double(".a == 'x' or .b"), ".a == \"x\" or .b");
        assert_eq!(single_to_double("\"it's\""), "\"it's\"");
        assert_eq!(single_to_double("f('a';'b')"), "f('a';'b')");
    }
}
