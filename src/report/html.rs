//! The page: a title, an answer in plain words, a table of contents, and sections made of blocks.
//!
//! ```
//! use ldar::report::{Block, Report, Section};
//!
//! let page = Report {
//!     title: "Splice profile".into(),
//!     subtitle: "dm6 chr4".into(),
//!     answer: "Boundaries <do> fall on donors.".into(),
//!     sections: vec![Section { title: "Result".into(), blocks: vec![Block::Paragraph("…".into())] }],
//! }
//! .to_html();
//! assert!(page.contains("Boundaries &lt;do&gt; fall on donors."));
//! ```

use super::inline_svg;
use super::table::Table;

/// A whole report.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Report {
    /// Title of the page.
    pub title: String,
    /// What was analysed with what, in one line.
    pub subtitle: String,
    /// The answer in plain language, one paragraph.
    pub answer: String,
    /// The sections, in reading order.
    pub sections: Vec<Section>,
}

/// A section with its heading; it appears in the table of contents.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Section {
    /// The heading.
    pub title: String,
    /// The content, in reading order.
    pub blocks: Vec<Block>,
}

/// A piece of a section.
#[derive(Debug, Clone, PartialEq)]
pub enum Block {
    /// A paragraph of plain text.
    Paragraph(String),
    /// The key results, side by side.
    Cards(Vec<Card>),
    /// A figure, numbered in the order of the page.
    Figure {
        /// The SVG document; ids inside it are made unique.
        svg: String,
        /// What the figure shows and how to read it.
        caption: String,
        /// A short name: the bold start of the caption.
        label: String,
        /// Links under the caption, to files beside the page or to `data:` addresses.
        downloads: Vec<Link>,
    },
    /// A table, numbered in the order of the page.
    Table(Table),
    /// A note or a warning that must not be overlooked.
    Callout {
        /// How serious it is.
        level: Level,
        /// Its text.
        text: String,
    },
    /// Files of the results folder, as a list of links.
    Links(Vec<Link>),
    /// Something long, folded away.
    Details {
        /// The line that is always seen.
        summary: String,
        /// Preformatted text.
        pre: String,
    },
}

/// A key result.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Card {
    /// What was measured.
    pub label: String,
    /// The value, as text.
    pub value: String,
    /// Its uncertainty, as text; empty for none.
    pub uncertainty: String,
}

/// A link to a file of the results folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// The words of the link.
    pub text: String,
    /// A relative path or a `data:` address; anything else is shown as text without a link.
    pub href: String,
}

/// How serious a callout is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    /// Good to know.
    Note,
    /// The result may mislead without it.
    Warning,
    /// Something the result rests on is missing or failed.
    Problem,
}

impl Level {
    fn class_and_word(self) -> (&'static str, &'static str) {
        match self {
            Level::Note => ("note", "Note"),
            Level::Warning => ("warning", "Warning"),
            Level::Problem => ("problem", "Problem"),
        }
    }
}

/// Text for HTML content and for quoted attributes. Characters HTML cannot hold become spaces.
pub fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            '\n' | '\t' => out.push(c),
            c if c.is_control() || matches!(c, '\u{FFFE}' | '\u{FFFF}') => out.push(' '),
            c => out.push(c),
        }
    }
    out
}

impl Report {
    /// The page: one HTML file that loads nothing, runs nothing, and reads well on a phone, a screen, and paper.
    pub fn to_html(&self) -> String {
        let mut page = format!(
            "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
             <meta name=\"color-scheme\" content=\"light dark\">\n\
             <meta name=\"description\" content=\"{}\">\n<title>{}</title>\n<style>\n{}</style>\n</head>\n<body>\n\
             <a class=\"skip\" href=\"#content\">Skip to the results</a>\n",
            escape(&self.answer),
            escape(&self.title),
            include_str!("page.css"),
        );
        page += &format!("<header>\n<h1>{}</h1>\n", escape(&self.title));
        if !self.subtitle.is_empty() {
            page += &format!("<p class=\"subtitle\">{}</p>\n", escape(&self.subtitle));
        }
        if !self.answer.is_empty() {
            page += &format!("<p class=\"answer\">{}</p>\n", escape(&self.answer));
        }
        page += "</header>\n";
        let anchors = self.anchors();
        if self.sections.len() > 1 {
            page += "<nav aria-labelledby=\"contents\">\n<h2 id=\"contents\">Contents</h2>\n<ol>\n";
            for (section, anchor) in self.sections.iter().zip(&anchors) {
                page += &format!("<li><a href=\"#{anchor}\">{}</a></li>\n", escape(&section.title));
            }
            page += "</ol>\n</nav>\n";
        }
        page += "<main id=\"content\">\n";
        let mut numbers = Numbers::default();
        for (section, anchor) in self.sections.iter().zip(&anchors) {
            page += &format!("<section aria-labelledby=\"{anchor}\">\n<h2 id=\"{anchor}\">{}</h2>\n", escape(&section.title));
            for block in &section.blocks {
                page += &block.to_html(&mut numbers);
            }
            page += "</section>\n";
        }
        page + "</main>\n</body>\n</html>\n"
    }

    /// One anchor per section: its title in lower case letters and dashes, numbered where two would be the same.
    fn anchors(&self) -> Vec<String> {
        let mut anchors: Vec<String> = Vec::new();
        for section in &self.sections {
            let words: Vec<String> =
                section.title.split(|c: char| !c.is_ascii_alphanumeric()).filter(|w| !w.is_empty()).map(str::to_ascii_lowercase).collect();
            // The prefix keeps section anchors apart from the page's own ids and from those of figures and tables.
            let base = format!("s-{}", words.join("-"));
            let mut anchor = base.clone();
            let mut again = 2;
            while anchors.contains(&anchor) {
                anchor = format!("{base}-{again}");
                again += 1;
            }
            anchors.push(anchor);
        }
        anchors
    }
}

/// How many figures and tables came before.
#[derive(Default)]
struct Numbers {
    figures: usize,
    tables: usize,
}

impl Block {
    fn to_html(&self, numbers: &mut Numbers) -> String {
        match self {
            Block::Paragraph(text) => format!("<p>{}</p>\n", escape(text)),
            Block::Cards(cards) => {
                let cards: String = cards.iter().map(Card::to_html).collect();
                format!("<dl class=\"cards\">\n{cards}</dl>\n")
            }
            Block::Figure { svg, caption, label, downloads } => {
                numbers.figures += 1;
                figure(numbers.figures, svg, caption, label, downloads)
            }
            Block::Table(table) => {
                numbers.tables += 1;
                table.to_html(numbers.tables)
            }
            Block::Callout { level, text } => {
                let (class, word) = level.class_and_word();
                let text = escape(text);
                format!("<p class=\"callout {class}\" role=\"note\"><strong>{word}.</strong> {text}</p>\n")
            }
            Block::Links(links) => {
                let items: String = links.iter().map(|link| format!("<li>{}</li>\n", link.to_html())).collect();
                format!("<ul class=\"files\">\n{items}</ul>\n")
            }
            Block::Details { summary, pre } => {
                format!("<details>\n<summary>{}</summary>\n<pre tabindex=\"0\">{}</pre>\n</details>\n", escape(summary), escape(pre))
            }
        }
    }
}

impl Card {
    fn to_html(&self) -> String {
        let mut html = format!("<div class=\"card\"><dt>{}</dt><dd class=\"value\">{}</dd>", escape(&self.label), escape(&self.value));
        if !self.uncertainty.is_empty() {
            html += &format!("<dd class=\"uncertainty\">{}</dd>", escape(&self.uncertainty));
        }
        html + "</div>\n"
    }
}

fn figure(number: usize, svg: &str, caption: &str, label: &str, downloads: &[Link]) -> String {
    let name = format!("Figure {number}: {label}");
    let drawing = inline_svg::embed(svg, &format!("figure-{number}-"), &name)
        .unwrap_or_else(|| "<p class=\"missing\">This figure could not be shown.</p>".into());
    let links: Vec<String> = downloads.iter().map(Link::to_html).collect();
    let links = match links.is_empty() {
        true => String::new(),
        false => format!(" <span class=\"links\">{}</span>", links.join(" ")),
    };
    format!(
        "<figure id=\"figure-{number}\">\n<div class=\"plot\" role=\"group\" tabindex=\"0\" aria-label=\"{}\">\n{drawing}\n</div>\n\
         <figcaption><span class=\"no\">Figure {number}. {}.</span> {}{links}</figcaption>\n</figure>\n",
        escape(&name),
        escape(label.trim_end_matches('.')),
        escape(caption),
    )
}

impl Link {
    fn to_html(&self) -> String {
        let href = self.href.trim();
        // A scheme would be a word before the first colon; only data: is let through.
        let scheme = href.split(['/', '?', '#']).next().is_some_and(|first| first.contains(':'));
        if href.is_empty() || href.starts_with("//") || (scheme && !href.starts_with("data:image/")) {
            return escape(&self.text);
        }
        format!("<a href=\"{}\" download>{}</a>", escape(href), escape(&self.text))
    }
}
