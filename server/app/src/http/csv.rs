//! Tables for spreadsheets: a cell is what it says, never a formula.

/// A line of cells, with its end.
pub(crate) fn line(cells: &[String]) -> String {
    let cells: Vec<String> = cells.iter().map(|text| cell(text)).collect();
    format!("{}\n", cells.join(","))
}

/// Names come from clusters, and a spreadsheet takes what begins with one of these for a formula. Numbers may be negative.
fn cell(text: &str) -> String {
    let formula = text.starts_with(['=', '+', '-', '@', '\t', '\r']) && text.parse::<i64>().is_err();
    let text = if formula { format!("'{text}") } else { text.to_owned() };
    if text.contains([',', '"', '\n', '\r']) { format!("\"{}\"", text.replace('"', "\"\"")) } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_no_formula_and_a_number_stays_one() {
        let cells = ["-1", "-orders", "=1+1", "@x", "a,b", "say \"x\"", "", "orders.placed"];
        let said = line(&cells.map(str::to_owned));
        assert_eq!(said, "-1,'-orders,'=1+1,'@x,\"a,b\",\"say \"\"x\"\"\",,orders.placed\n");
    }
}
