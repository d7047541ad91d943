//! What commands print: answers on standard output, failures on standard error.

use std::{
    fmt,
    io::{self, Write},
    process::ExitCode,
};

/// The exit code of "it could not be found out".
pub(crate) const COULD_NOT: u8 = 2;

/// Prints an answer, then exits with `code`. A reader that has seen enough (`| head`) is no failure.
pub(crate) fn answer(text: impl AsRef<[u8]>, code: ExitCode) -> ExitCode {
    let mut stdout = io::stdout().lock();
    match stdout.write_all(text.as_ref()).and_then(|()| stdout.flush()) {
        Ok(()) => code,
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => code,
        Err(error) => failure(format_args!("the answer can't be written: {error}")),
    }
}

/// Says on standard error what could not be done.
pub(crate) fn failure(message: impl fmt::Display) -> ExitCode {
    complain(message);
    ExitCode::from(COULD_NOT)
}

/// One line on standard error, where nobody is left to tell when even that fails.
pub(crate) fn complain(message: impl fmt::Display) {
    drop(writeln!(io::stderr().lock(), "orderbox: {message}"));
}

/// Columns under `head`: the first `texts` of them flush left, numbers after them flush right; two blanks between.
pub(crate) fn table(head: &[String], rows: &[Vec<String>], texts: usize) -> String {
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column));
        cells.chain(head.get(column)).map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..head.len()).map(width).collect();
    let mut text = String::new();
    for row in std::iter::once(head).chain(rows.iter().map(Vec::as_slice)) {
        let mut line = String::new();
        for (column, (cell, width)) in row.iter().zip(&widths).enumerate() {
            let gap = if column == 0 { "" } else { "  " };
            let padding = " ".repeat(width - cell.chars().count());
            let cell = if column < texts { [cell, padding.as_str()] } else { [padding.as_str(), cell] };
            line.push_str(gap);
            line.extend(cell);
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(cells: [&str; 3]) -> Vec<String> {
        cells.map(str::to_owned).to_vec()
    }

    #[test]
    fn columns_are_as_wide_as_their_widest_cell_in_characters() {
        let text = table(&row(["id", "имя", "n"]), &[row(["1", "ы", "12345"]), row(["22", "", "1"])], 2);
        assert_eq!(text, "id  имя      n\n1   ы    12345\n22           1\n");
    }
}
