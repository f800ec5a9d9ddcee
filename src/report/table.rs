//! Tables of a report: columns say how numbers are written and aligned, cells hold the values.

use super::format;
use super::html::escape;

/// A table with a caption. Rows shorter than the columns are filled with empty cells; longer ones
/// are cut.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Table {
    /// What the table shows.
    pub caption: String,
    /// The columns, from left to right. The first names the rows.
    pub columns: Vec<Column>,
    /// The rows, from top to bottom.
    pub rows: Vec<Vec<Cell>>,
}

/// A column's head and how its cells are written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    /// Head of the column.
    pub header: String,
    /// How its numbers are written; text is aligned left, numbers right.
    pub format: Format,
}

impl Column {
    /// A column.
    pub fn new(header: impl Into<String>, format: Format) -> Column {
        Column {
            header: header.into(),
            format,
        }
    }
}

/// A table whose columns are each told in one line: head, format, and what a row has there.
macro_rules! table {
    ($caption:expr; $rows:expr; |$row:ident: $of:ty| $($head:expr, $format:expr => $cell:expr;)+) => {
        $crate::report::table::Table {
            caption: String::from($caption),
            columns: vec![$($crate::report::table::Column::new($head, $format)),+],
            rows: $rows
                .map(|$row: $of| vec![$($crate::report::table::Cell::from($cell)),+])
                .collect(),
        }
    };
}
pub(super) use table;

/// Columns by head and format.
pub fn columns(head: &[(&str, Format)]) -> Vec<Column> {
    head.iter()
        .map(|(name, format)| Column::new(*name, *format))
        .collect()
}

/// How the numbers of a column are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// A column of text.
    Text,
    /// Whole numbers with thousands separators.
    Integer,
    /// So many significant digits.
    Significant(usize),
    /// So many decimals.
    Decimals(usize),
    /// Shares as percentages with so many decimals.
    Percent(usize),
    /// P-values; use [`Cell::P`] where the test has a floor.
    PValue,
    /// Intervals, given as [`Cell::Interval`].
    Interval,
}

/// A table of more rows scrolls within the page.
const TALL: usize = 40;

/// One value.
#[derive(Debug, Clone, PartialEq)]
pub enum Cell {
    /// Text, shown as it is.
    Text(String),
    /// A number, written in the column's format.
    Number(f64),
    /// A p-value and the smallest one the test could give.
    P {
        /// The p-value.
        value: f64,
        /// Smallest p-value the test could give.
        floor: Option<f64>,
    },
    /// Two ends, written with the same decimals.
    Interval {
        /// Lower end.
        low: f64,
        /// Upper end.
        high: f64,
    },
    /// Nothing.
    Empty,
}

impl From<&str> for Cell {
    fn from(text: &str) -> Cell {
        Cell::Text(text.into())
    }
}

impl From<String> for Cell {
    fn from(text: String) -> Cell {
        Cell::Text(text)
    }
}

impl From<f64> for Cell {
    fn from(value: f64) -> Cell {
        Cell::Number(value)
    }
}

impl From<usize> for Cell {
    fn from(value: usize) -> Cell {
        Cell::Number(value as f64)
    }
}

impl From<u64> for Cell {
    fn from(value: u64) -> Cell {
        Cell::Number(value as f64)
    }
}

/// An interval.
impl From<(f64, f64)> for Cell {
    fn from((low, high): (f64, f64)) -> Cell {
        Cell::Interval { low, high }
    }
}

impl Cell {
    /// A p-value and, where the test has one, the smallest it could give.
    pub fn p(value: f64, floor: Option<f64>) -> Cell {
        Cell::P { value, floor }
    }

    /// What the page's script sorts by, where it is not the text.
    fn sort_key(&self) -> String {
        let key = |value: f64| {
            if value.is_finite() {
                format!(" data-v=\"{}\"", value as f32)
            } else {
                " data-v=\"\"".into()
            }
        };
        match self {
            Cell::Text(_) => String::new(),
            Cell::Number(value) | Cell::P { value, .. } => key(*value),
            Cell::Interval { low, .. } => key(*low),
            Cell::Empty => key(f64::NAN),
        }
    }

    fn written(&self, format: Format) -> String {
        match (self, format) {
            (Cell::Text(text), _) => text.clone(),
            (Cell::P { value, floor }, _) => format::p_value(*value, *floor),
            (Cell::Interval { low, high }, _) => format::interval(*low, *high),
            (Cell::Empty, _) => String::new(),
            (Cell::Number(v), Format::Integer) => format::decimals(*v, 0),
            (Cell::Number(v), Format::Decimals(places)) => format::decimals(*v, places),
            (Cell::Number(v), Format::Percent(places)) => format::percent(*v, places),
            (Cell::Number(v), Format::PValue) => format::p_value(*v, None),
            (Cell::Number(v), Format::Significant(digits)) => format::significant(*v, digits),
            (Cell::Number(v), Format::Text | Format::Interval) => format::number(*v),
        }
    }
}

impl Table {
    /// The table as HTML, in a frame that scrolls sideways where the screen is narrower than the
    /// table. `number` is its place among the page's tables.
    pub(super) fn to_html(&self, number: usize) -> String {
        // The caption stays in view while the table scrolls sideways, so it is the figure's and not
        // the table's.
        let mut html = format!(
            "<figure class=\"table\" id=\"table-{number}\">\n\
             <figcaption id=\"table-{number}-caption\"><span class=\"no\">Table {number}.</span> {}</figcaption>\n\
             <div class=\"scroll{}\" role=\"region\" tabindex=\"0\" aria-labelledby=\"table-{number}-caption\">\n\
             <table aria-labelledby=\"table-{number}-caption\">\n",
            escape(&self.caption),
            if self.rows.len() > TALL { " tall" } else { "" },
        );
        const END: &str = "</tbody>\n</table>\n</div>\n</figure>\n";
        if self.columns.is_empty() {
            return html + "<tbody><tr><td>No data</td></tr>" + END;
        }
        html += "<thead><tr>";
        for column in &self.columns {
            html += &format!(
                "<th scope=\"col\"{}>{}</th>",
                class(column.format),
                escape(&column.header)
            );
        }
        html += "</tr></thead>\n<tbody>\n";
        for row in &self.rows {
            html += "<tr>";
            for (i, column) in self.columns.iter().enumerate() {
                let cell = row.get(i).unwrap_or(&Cell::Empty);
                let text = escape(&cell.written(column.format));
                let class = class(column.format);
                let key = if column.format == Format::Text {
                    String::new()
                } else {
                    cell.sort_key()
                };
                html += &match i {
                    0 => format!("<th scope=\"row\"{class}{key}>{text}</th>"),
                    _ => format!("<td{class}{key}>{text}</td>"),
                };
            }
            html += "</tr>\n";
        }
        if self.rows.is_empty() {
            html += &format!(
                "<tr><td colspan=\"{}\">No rows</td></tr>\n",
                self.columns.len()
            );
        }
        html + END
    }
}

fn class(format: Format) -> &'static str {
    if format == Format::Text {
        ""
    } else {
        " class=\"num\""
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> Table {
        Table {
            caption: "Endpoint. Per control.".into(),
            columns: vec![
                Column::new("control", Format::Text),
                Column::new("pairs", Format::Integer),
                Column::new("difference", Format::Significant(3)),
                Column::new("p", Format::PValue),
            ],
            rows: vec![
                vec![
                    "<b>decoy</b>".into(),
                    1312_usize.into(),
                    (-0.0123).into(),
                    Cell::P {
                        value: 0.0,
                        floor: Some(0.001),
                    },
                ],
                vec!["short".into()],
                vec![
                    "long".into(),
                    f64::NAN.into(),
                    1.0.into(),
                    0.2.into(),
                    "beyond".into(),
                ],
            ],
        }
    }

    #[test]
    fn cells_are_written_in_their_format_and_escaped() {
        let html = table().to_html(2);
        for part in [
            "<th scope=\"row\">&lt;b&gt;decoy&lt;/b&gt;</th><td class=\"num\" data-v=\"1312\">1,312</td><td class=\"num\" data-v=\"-0.0123\">−0.0123</td><td class=\"num\" data-v=\"0\">&lt;\u{A0}0.0010</td>",
            "<th scope=\"row\">short</th><td class=\"num\" data-v=\"\"></td>",
            "<td class=\"num\" data-v=\"\">–</td>",
            "Table 2.</span> Endpoint. Per control.</figcaption>",
        ] {
            assert!(html.contains(part), "{part} not in {html}");
        }
        assert!(!html.contains("beyond"));
    }

    #[test]
    fn empty_tables_say_so() {
        assert!(Table::default().to_html(1).contains("No data"));
        assert!(
            Table {
                rows: vec![],
                ..table()
            }
            .to_html(1)
            .contains("colspan=\"4\">No rows")
        );
    }
}
